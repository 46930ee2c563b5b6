/**
 * A test cluster with a witness around every replica, for tests that move the clock by hand:
 * what a write is to come to is decided by the test, and the witness judges the order of
 * everything that is said.
 */
import { Effect } from "effect"
import type { KvAnswer } from "../../src/kv/KvQuery.ts"
import type { KvResult } from "../../src/kv/KvCommand.ts"
import type { ReplicaId } from "../../src/raft/LogEntry.ts"
import { Caretaker } from "./Caretaker.ts"
import { begin, type ClusterOptions, get, type Pending, put, TestCluster, valueIn } from "./TestCluster.ts"
import { around, asked, type Fates } from "./Watched.ts"
import { Witness } from "./Witness.ts"

export interface WatchedCluster {
  readonly cluster: TestCluster
  readonly witness: Witness
  readonly caretaker: Caretaker
  /** A put through a replica, remembered if it is acknowledged. */
  readonly write: (id: ReplicaId, key: string) => Effect.Effect<Pending<KvResult>>
  readonly read: (id: ReplicaId, key: string) => Effect.Effect<Pending<KvAnswer>>
  /** The last value of each key that was acknowledged, by key. A key is written once. */
  readonly acknowledged: ReadonlyMap<string, string>
}

export const make = (names: string, fates: Fates, options: ClusterOptions = {}): WatchedCluster => {
  const cluster: TestCluster = new TestCluster(names, {
    ...options,
    around: (place) => around(witness, fates, place)
  })
  // The clock of the disks and links is not at hand here; the order is.
  let moment = 0
  const witness = new Witness({ ids: cluster.ids, now: () => ++moment, stateOf: (id) => cluster.find(id)?.state() })
  const acknowledged = new Map<string, string>()
  const write = (id: ReplicaId, key: string) => {
    const value = `value of ${key}.`
    const request = asked(witness, { id, value }, cluster.get(id).replicated.propose(put(key, value)))
    return begin(Effect.tap(request, () => Effect.sync(() => acknowledged.set(key, value))))
  }
  const read = (id: ReplicaId, key: string) =>
    begin(asked(witness, { id, value: undefined }, cluster.get(id).replicated.query(get(key))))
  return { cluster, witness, caretaker: new Caretaker(cluster, witness), write, read, acknowledged }
}

/** Every replica serves, and holds all that was acknowledged. Gives what is wrong. */
export const missing = Effect.fnUntraced(function* ({ acknowledged, cluster, read, write }: WatchedCluster) {
  const wrong: Array<string> = []
  yield* cluster.leader
  for (const id of cluster.ids) {
    const last = yield* write(id, `last of ${id}`)
    yield* cluster.until(`${id} takes a write`, last.settled)
    if (last.error() !== undefined) wrong.push(`${id} takes no write: ${last.error()!.message}`)
  }
  const reads = yield* Effect.forEach(cluster.ids, (id) =>
    Effect.forEach(acknowledged, ([key, value]) =>
      Effect.map(read(id, key), (pending) => ({ id, key, value, pending }))
    )
  )
  const all = reads.flat()
  yield* cluster.until("all reads are answered", () => all.every(({ pending }) => pending.settled()))
  for (const { id, key, pending, value } of all) {
    const answer = pending.result()
    const found = answer === undefined ? pending.error()!.message : valueIn(answer)
    if (found !== value) wrong.push(`${id} has ${found} at ${key}, acknowledged was ${value}`)
  }
  return wrong
})
