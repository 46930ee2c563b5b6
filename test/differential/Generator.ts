/**
 * Sequences from a seed. A request is mostly one that can succeed, for what follows an error is rarely of interest; but
 * every field is wrong now and then.
 */
import { chanceOf } from "../kv/Chance.ts"
import { type Dice, diceOf, fields, int64, someKeys, someRevision, sometimes, spelling } from "./Alphabet.ts"
import * as Requests from "./Requests.ts"
import { type Call, call, type Create, type Sequence, type Step, type Watch, type WatchRequest } from "./Sequence.ts"
import { bytes, type Meaning, type Template } from "./Template.ts"

export const usualLength = 20

interface State {
  /** About how many changes there have been. */
  changes: number
  leases: number
  watches: number
}

export const sequence = (seed: number): Sequence => {
  const dice = diceOf(chanceOf(seed))
  const state: State = { changes: 1, leases: 0, watches: 0 }
  const steps: Array<Step> = []
  const length = usualLength / 2 + dice.below(usualLength)
  // Some sequences are about one thing, so that much of it comes together.
  const weights = dice.pick([plain, plain, plain, watchful, leased, forgetful])
  // Something to find; or nothing, now and then.
  for (let count = dice.below(7); count > 0; count--) steps.push(stepsOf.put(dice, state))
  while (steps.length < length) steps.push({ ...step(dice, state, weights), replica: dice.below(3) })
  return { seed, steps }
}

interface Weights {
  readonly put: number
  readonly range: number
  readonly deleteRange: number
  readonly txn: number
  readonly lease: number
  readonly watch: number
  readonly compaction: number
}

const plain: Weights = { put: 35, range: 25, deleteRange: 10, txn: 22, lease: 6, watch: 1, compaction: 1 }
const watchful: Weights = { put: 40, range: 5, deleteRange: 15, txn: 22, lease: 5, watch: 11, compaction: 2 }
const leased: Weights = { put: 30, range: 10, deleteRange: 6, txn: 14, lease: 38, watch: 1, compaction: 1 }
const forgetful: Weights = { put: 35, range: 22, deleteRange: 12, txn: 15, lease: 2, watch: 4, compaction: 10 }

const step = (dice: Dice, state: State, weights: Weights): Call | Watch => {
  let rest = dice.below(100)
  for (const [name, weight] of Object.entries(weights) as ReadonlyArray<[keyof Weights, number]>) {
    if (rest < weight) return stepsOf[name](dice, state)
    rest -= weight
  }
  return stepsOf.put(dice, state)
}

const stepsOf: { readonly [Name in keyof Weights]: (dice: Dice, state: State) => Call | Watch } = {
  put: (dice, state) => {
    const step = call("/v3/kv/put", Requests.put(dice, state))
    if (dice.percent(90)) state.changes++
    return step
  },
  range: (dice, state) => call("/v3/kv/range", Requests.range(dice, state)),
  deleteRange: (dice, state) => {
    if (dice.percent(50)) state.changes++
    return call("/v3/kv/deleterange", Requests.deleteRange(dice, state))
  },
  txn: (dice, state) => {
    const step = call("/v3/kv/txn", Requests.txn(dice, state))
    if (dice.percent(50)) state.changes++
    return step
  },
  compaction: (dice, { changes }) =>
    call(
      "/v3/kv/compaction",
      fields(dice, {
        revision: sometimes(dice, 97, () => someRevision(dice, changes)),
        physical: sometimes(dice, 40, () => true)
      })
    ),
  lease: (dice, state) => lease(dice, state),
  watch: (dice, state) => watch(dice, state)
}

const lease = (dice: Dice, state: State): Call => {
  const kind = dice.below(100)
  if (state.leases === 0 || kind < 30) return grant(dice, state)
  const one = (): Template => fields(dice, { ID: Requests.someLease(dice, state) })
  if (kind < 50) return call(dice.pick(["/v3/lease/revoke", "/v3/kv/lease/revoke"]), one())
  if (kind < 75) {
    const body = fields(dice, { ID: Requests.someLease(dice, state), keys: sometimes(dice, 70, () => true) })
    return call(dice.pick(["/v3/lease/timetolive", "/v3/kv/lease/timetolive"]), body)
  }
  if (kind < 85) return call(dice.pick(["/v3/lease/leases", "/v3/kv/lease/leases"]), {})
  return call("/v3/lease/keepalive", ...Array.from({ length: 1 + (dice.percent(20) ? dice.below(3) : 0) }, one))
}

/** Times that lie apart, for the list of leases is in the order in which they end; and none that ends meanwhile. */
const grant = (dice: Dice, state: State): Call => {
  const index = state.leases
  const seconds = dice.percent(92) ? 100 + 100 * index : dice.pick([9_000_000_000 - index, 9_000_000_001])
  const given: Meaning = { $: "lease", index, as: spelling(dice) }
  const again: Meaning = { $: "lease", index: dice.below(index + 1), as: "string" }
  const named = dice.percent(40)
  const body = fields(dice, {
    TTL: int64(dice, seconds),
    ID: named ? (dice.percent(85) ? given : again) : undefined
  })
  state.leases++
  return { ...call("/v3/lease/grant", body), grants: index }
}

const watch = (dice: Dice, state: State): Watch => {
  state.watches++
  const requests: Array<WatchRequest> = [create(dice, state)]
  while (dice.percent(35) && requests.length < 4) {
    const kind = dice.below(100)
    if (kind < 75) requests.push(create(dice, state))
    else if (kind < 90) {
      const body = { cancel_request: fields(dice, { watch_id: int64(dice, dice.pick([0, 1, 2, 7])) }) }
      // A watch of the past may have been told some of it before it is cancelled.
      if (requests.every((one) => one.kind !== "create" || one.from === 0)) requests.push({ kind: "cancel", body })
    } else requests.push({ kind: "progress", body: { progress_request: {} } })
  }
  // Progress is told of a stream as a whole, and of one that is behind at some time or other.
  const present = requests.every((one) => one.kind !== "create" || one.from === 0)
  return { kind: "watch", requests: requests.filter((one) => one.kind === "create" || present), replica: 0 }
}

const create = (dice: Dice, { changes }: State): Create => {
  const { key: from, rangeEnd, among } = someKeys(dice, 70)
  const keyless = dice.percent(2)
  const nth = dice.percent(45) ? 0 : 1 + dice.below(changes + (dice.percent(20) ? 6 : 0))
  const filters = dice.percent(75) ? [] : [dice.pick(["NOPUT", "NODELETE"])]
  const revision: Template = { $: "revision", nth, as: spelling(dice) }
  const body = fields(dice, {
    key: keyless ? undefined : from,
    range_end: rangeEnd,
    start_revision: nth === 0 ? undefined : revision,
    prev_kv: sometimes(dice, 50, () => true),
    filters: filters.length === 0 ? undefined : filters.map((name) => (dice.percent(50) ? name : indexOf(name))),
    watch_id: sometimes(dice, 20, () => int64(dice, dice.pick([0, 1, 2, 7, 7, -1]))),
    fragment: sometimes(dice, 20, () => true),
    progress_notify: sometimes(dice, 10, () => true)
  })
  const name = dice.percent(70) ? "create_request" : "createRequest"
  return {
    kind: "create",
    body: { [name]: body },
    // No key is the first key that there can be.
    touched: keyless ? bytes("\0") : among,
    noDelete: filters.includes("NODELETE"),
    from: nth
  }
}

const indexOf = (filter: string): number => (filter === "NOPUT" ? 0 : 1)
