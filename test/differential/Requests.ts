/** Requests to the key-value service and to leases, all of their options in all combinations. */
import {
  choice,
  type Dice,
  fields,
  int64,
  someKey,
  someKeys,
  someRevision,
  sometimes,
  someValue,
  spelling
} from "./Alphabet.ts"
import { key, type Template } from "./Template.ts"

/** What a request may refer to: so many changes before it, leases with numbers below this. */
export interface Past {
  readonly changes: number
  readonly leases: number
  /**
   * Of a transaction: whether it may delete to the end of all keys, which etcd does not see to be at odds with a put. If
   * such a put keeps the value of the key that was deleted just before, etcd panics; so either or.
   */
  readonly endless?: boolean
}

const yes = (): Template => true

export const someLease = (dice: Dice, { leases }: Past): Template => {
  if (leases === 0 || dice.percent(4)) return int64(dice, dice.pick([0, 0, 12_345, -3]))
  // One more than there are is one that was not granted.
  return { $: "lease", index: dice.below(leases + (dice.percent(10) ? 1 : 0)), as: spelling(dice) }
}

export const put = (dice: Dice, past: Past): Template => {
  const ignoreValue = past.endless !== true && dice.percent(4)
  const ignoreLease = past.endless !== true && dice.percent(4)
  return fields(dice, {
    key: dice.percent(0.5) ? undefined : key(someKey(dice)),
    value: ignoreValue && dice.percent(80) ? undefined : sometimes(dice, 95, () => someValue(dice)),
    lease:
      ignoreLease && dice.percent(80)
        ? undefined
        : sometimes(dice, past.leases === 0 ? 2 : 40, () => someLease(dice, past)),
    prev_kv: sometimes(dice, 40, () => dice.percent(90)),
    ignore_value: ignoreValue ? true : sometimes(dice, 5, () => false),
    ignore_lease: ignoreLease ? true : undefined
  })
}

export const range = (dice: Dice, past: Past): Template => {
  const { key, rangeEnd } = someKeys(dice)
  const bounded = (percent: number) => sometimes(dice, percent, () => someRevision(dice, past.changes))
  return fields(dice, {
    key: dice.percent(0.5) ? undefined : key,
    range_end: rangeEnd,
    limit: sometimes(dice, 35, () => int64(dice, dice.pick([0, 1, 1, 2, 3, 100, -1]))),
    revision: bounded(25),
    sort_order: sometimes(dice, 45, () => choice(dice, ["NONE", "ASCEND", "DESCEND"])),
    sort_target: sometimes(dice, 45, () => choice(dice, ["KEY", "VERSION", "CREATE", "MOD", "VALUE"])),
    serializable: sometimes(dice, 20, yes),
    keys_only: sometimes(dice, 15, yes),
    count_only: sometimes(dice, 10, yes),
    min_mod_revision: bounded(7),
    max_mod_revision: bounded(7),
    min_create_revision: bounded(7),
    max_create_revision: bounded(7)
  })
}

export const deleteRange = (dice: Dice, { endless }: Past): Template => {
  const { key, rangeEnd } = someKeys(dice, 35, endless !== false)
  return fields(dice, {
    key: dice.percent(0.5) ? undefined : key,
    range_end: rangeEnd,
    prev_kv: sometimes(dice, 45, yes)
  })
}

const results = ["EQUAL", "GREATER", "LESS", "NOT_EQUAL"]
const targets = ["VERSION", "CREATE", "MOD", "VALUE", "LEASE"] as const

const compare = (dice: Dice, past: Past): Template => {
  const { key: from, rangeEnd } = someKeys(dice, 25)
  const target = dice.pick(targets)
  const union = (): { readonly [name: string]: Template } => {
    switch (target) {
      case "VERSION":
        return { version: int64(dice, dice.below(4)) }
      case "CREATE":
        return { create_revision: dice.percent(40) ? int64(dice, 0) : someRevision(dice, past.changes) }
      case "MOD":
        return { mod_revision: dice.percent(20) ? int64(dice, 0) : someRevision(dice, past.changes) }
      case "VALUE":
        return { value: someValue(dice) }
      case "LEASE":
        return { lease: dice.percent(40) ? int64(dice, 0) : someLease(dice, past) }
    }
  }
  const value = dice.percent(4) ? {} : union()
  // Which of two leases is the greater is chance, where a server has chosen their ids.
  const isOfLease = JSON.stringify(value).includes('"$":"lease"')
  return fields(dice, {
    result: dice.percent(15)
      ? undefined
      : isOfLease
        ? dice.pick<Template>(["EQUAL", 0, "NOT_EQUAL", 3])
        : choice(dice, results),
    target: target === "VERSION" && dice.percent(30) ? undefined : dice.percent(50) ? targets.indexOf(target) : target,
    key: dice.percent(0.5) ? undefined : from,
    range_end: rangeEnd,
    ...value
  })
}

const some = <A>(dice: Dice, most: number, one: () => A): ReadonlyArray<A> | undefined => {
  const many = Math.min(dice.below(most + 1), dice.below(most + 2))
  return many === 0 && dice.percent(70) ? undefined : Array.from({ length: many }, one)
}

export const txn = (dice: Dice, { endless = dice.percent(8), ...past }: Past, depth = 0): Template => {
  const operation = () => fields(dice, requestOperation(dice, { ...past, endless }, depth))
  return fields(dice, {
    compare: some(dice, 2, () => compare(dice, past)),
    success: some(dice, 3, operation),
    failure: some(dice, 3, operation)
  })
}

const requestOperation = (dice: Dice, past: Past, depth: number): { readonly [name: string]: Template } => {
  const kind = dice.below(100)
  if (kind < 45) return { request_put: put(dice, past) }
  if (kind < 70) return { request_range: range(dice, past) }
  if (kind < 88) return { request_delete_range: deleteRange(dice, past) }
  if (kind < 99) return depth < 2 ? { request_txn: txn(dice, past, depth + 1) } : { request_put: put(dice, past) }
  return {}
}
