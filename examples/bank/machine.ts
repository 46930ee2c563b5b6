/**
 * Accounts, and transfers between them that never overdraw one. A refusal is a result like any other: it is
 * decided when the transfer is applied, by what is in the account then, and every replica decides alike.
 */
import { Schema } from "effect"
import { Replicated } from "../../src/index.ts"
import type { Sample } from "../../src/simulator.ts"

const Name = Schema.NonEmptyString
const Amount = Schema.Int.check(Schema.isGreaterThan(0))

const Command = Schema.TaggedUnion({
  /** Money comes into being only here, and once for each account. */
  Open: { account: Name, balance: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) },
  Transfer: { from: Name, to: Name, amount: Amount }
})

const Result = Schema.TaggedUnion({
  Done: { balance: Schema.Int },
  AlreadyOpen: {},
  NoSuchAccount: { account: Name },
  Overdrawn: { balance: Schema.Int }
})

const Query = Schema.TaggedUnion({ Balance: { account: Name }, Total: {} })

/** Every account has its opening on record, so that the total can be checked against it. */
const State = Schema.Struct({
  balances: Schema.ReadonlyMap(Name, Schema.Int),
  opened: Schema.Int
})

type State = typeof State.Type
type Command = typeof Command.Type
type Result = typeof Result.Type

const apply = (state: State, command: Command): readonly [State, Result] => {
  const { balances } = state
  if (command._tag === "Open") {
    const { account, balance } = command
    if (balances.has(account)) return [state, { _tag: "AlreadyOpen" }]
    return [
      { balances: new Map(balances).set(account, balance), opened: state.opened + balance },
      { _tag: "Done", balance }
    ]
  }
  const { from, to, amount } = command
  const balance = balances.get(from)
  const other = balances.get(to)
  if (balance === undefined) return [state, { _tag: "NoSuchAccount", account: from }]
  if (other === undefined) return [state, { _tag: "NoSuchAccount", account: to }]
  if (balance < amount) return [state, { _tag: "Overdrawn", balance }]
  if (from === to) return [state, { _tag: "Done", balance }]
  const moved = new Map(balances).set(from, balance - amount).set(to, other + amount)
  return [
    { ...state, balances: moved },
    { _tag: "Done", balance: balance - amount }
  ]
}

const total = ({ balances }: State): number => [...balances.values()].reduce((sum, balance) => sum + balance, 0)

export const definition = Replicated.define({
  name: "bank",
  state: State,
  command: Command,
  result: Result,
  query: Query,
  answer: Schema.UndefinedOr(Schema.Int),
  initial: { balances: new Map(), opened: 0 },
  apply,
  read: (state, query) => (query._tag === "Total" ? total(state) : state.balances.get(query.account))
})

export class Bank extends Replicated.Service<Bank>()("examples/Bank", definition) {}

export const open = (account: string, balance: number): Command => ({ _tag: "Open", account, balance })
export const transfer = (from: string, to: string, amount: number): Command => ({ _tag: "Transfer", from, to, amount })
export const balanceOf = (account: string): typeof Query.Type => ({ _tag: "Balance", account })
export const sumOfAll: typeof Query.Type = { _tag: "Total" }

const accounts = ["ann", "bob", "cid"]

/** For the simulator: what clients ask, and what must hold of every state that is applied. */
export const sample: Sample<typeof definition> = {
  command: (random) =>
    random.chance(0.2)
      ? open(random.pick(accounts), random.below(20))
      : transfer(random.pick(accounts), random.pick(accounts), 1 + random.below(9)),
  query: (random) => (random.chance(0.3) ? sumOfAll : balanceOf(random.pick(accounts))),
  alter: (random, { balances, opened }) => ({
    balances: new Map(balances).set(random.pick(accounts), -1),
    opened
  }),
  rule: (_, after) => {
    const overdrawn = [...after.balances].find(([, balance]) => balance < 0)
    if (overdrawn !== undefined) return `${overdrawn[0]} has ${overdrawn[1]}`
    return total(after) === after.opened ? undefined : `${after.opened} was paid in, and ${total(after)} is there`
  }
}
