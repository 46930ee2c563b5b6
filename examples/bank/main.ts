/**
 * Three replicas of a bank in this process, with Effect. Clients move money about while the leader is killed and started
 * again; then the total is what it was, and nobody is in debt.
 */
import { Effect, Logger } from "effect"
import { Bank, balanceOf, open, sumOfAll, transfer } from "./machine.ts"

const accounts = ["ann", "bob", "cid", "dee"]
const transfers = 60

const program = Effect.gen(function* () {
  const cluster = yield* Bank.cluster({ replicas: 3, raft: { electionTimeoutMillis: 200, heartbeatMillis: 40 } })
  const first = yield* cluster.leader
  console.log(`three replicas: ${cluster.ids.join(", ")}; ${first} leads`)
  for (const account of accounts) yield* cluster.replica("A").propose(open(account, 100))
  console.log(`${accounts.join(", ")} have 100 each`)

  const told = { done: 0, overdrawn: 0, unknown: 0 }
  /** Moves money from its own account, more than it has now and then. */
  const client = Effect.fnUntraced(function* (mine: number) {
    for (let number = 0; number < transfers; number++) {
      const to = accounts[(mine + 1 + (number % 3)) % accounts.length]!
      const at = cluster.running[number % cluster.running.length]!
      const amount = 10 + ((number * 37 + mine * 11) % 90)
      const result = yield* Effect.result(cluster.replica(at).propose(transfer(accounts[mine]!, to, amount)))
      if (result._tag === "Failure") told.unknown++
      else if (result.success._tag === "Overdrawn") told.overdrawn++
      else told.done++
      yield* Effect.sleep(10)
    }
  })
  const trouble = Effect.gen(function* () {
    yield* Effect.sleep(200)
    const leader = yield* cluster.leader
    yield* cluster.stop(leader)
    console.log(`${leader}, the leader, is killed while ${accounts.length} clients move money`)
    yield* Effect.sleep(300)
    yield* cluster.start(leader)
    console.log(`${leader} is back`)
  })
  const clients = accounts.map((_, number) => client(number))
  yield* Effect.all([trouble, ...clients], { concurrency: "unbounded", discard: true })

  const sum = told.done + told.overdrawn + told.unknown
  console.log(`${sum} transfers: ${told.done} done, ${told.overdrawn} refused, ${told.unknown} of unknown outcome`)
  for (const account of accounts) {
    const balance = yield* cluster.replica("B").query(balanceOf(account))
    console.log(`  ${account} ${balance}`)
  }
  console.log(`total ${yield* cluster.replica("C").query(sumOfAll)}, as paid in`)
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Logger.layer([]))))
