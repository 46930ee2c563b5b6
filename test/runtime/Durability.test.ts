/** Deeds before words, on the real interpreter: what is said rests on what is on disk, and a disk that fails ends it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { StorageError } from "../../src/storage/Storage.ts"
import type { Fates } from "./Watched.ts"
import * as Watched from "./WatchedCluster.ts"

type Life = Effect.Effect<void, StorageError, Scope.Scope>

const [A, B, C] = ["A", "B", "C"].map(ReplicaId) as [ReplicaId, ReplicaId, ReplicaId]

/** An election, writes through every replica, a cut and another election, writes on both sides, and healing. */
const life = (watched: Watched.WatchedCluster): Life =>
  Effect.gen(function* () {
    const { caretaker, cluster, write } = watched
    const { ids, network } = cluster
    let number = 0
    const writeAll = Effect.suspend(() => Effect.forEach(ids, (id) => write(id, `k${number++}`), { discard: true }))
    for (const id of ids) yield* caretaker.start(id)
    yield* TestClock.adjust(1100)
    for (let round = 0; round < 3; round++) {
      yield* writeAll
      yield* TestClock.adjust(7)
    }
    const old = cluster.leaders()[0]
    if (old !== undefined) network.partition([old.id], ids)
    yield* writeAll
    yield* TestClock.adjust(1800)
    yield* writeAll
    yield* TestClock.adjust(50)
    network.healAll()
    yield* TestClock.adjust(400)
    yield* writeAll
    yield* TestClock.adjust(700)
  })

const assertNothingWrong = Effect.fnUntraced(function* (watched: Watched.WatchedCluster) {
  assert.deepStrictEqual(yield* Watched.missing(watched), [])
  assert.deepStrictEqual(watched.witness.objections, [])
  yield* Effect.sync(() => watched.caretaker.leave())
})

describe("deeds before words", () => {
  const disks: ReadonlyArray<readonly [name: string, fates: Fates]> = [
    ["that are fast", () => ({})],
    ["that take 5 ms", () => ({ delayMillis: 5 })],
    ["of which one is slow", (id) => ({ delayMillis: id === A ? 90 : 1 })],
    ["that stall now and then", (_, number) => ({ delayMillis: number % 7 === 0 ? 700 : 2 })]
  ]
  for (const [name, fates] of disks) {
    it.effect(`elections, writes and a cut on disks ${name}`, () =>
      Effect.gen(function* () {
        const watched = Watched.make("A B C", fates)
        yield* life(watched)
        yield* assertNothingWrong(watched)
        assert.isAtLeast(watched.acknowledged.size, 9)
      })
    )
  }

  it.effect("a write is spoken of in order: entries may leave early, the word that they are held may not", () =>
    Effect.gen(function* () {
      const watched = Watched.make("A B C", () => ({ delayMillis: 3 }))
      const { cluster, witness, write } = watched
      for (const id of cluster.ids) yield* watched.caretaker.start(id)
      const { id: leader } = yield* cluster.leader
      yield* TestClock.adjust(30)
      const from = witness.trace.length
      const pending = yield* write(leader, "k")
      yield* TestClock.adjust(30)
      assert.isTrue(pending.settled())
      const words = witness.trace.slice(from).map((line) => line.replace(/^\S+ /, ""))
      const first = (word: RegExp) => words.findIndex((line) => word.test(line))
      const follower = (id: ReplicaId) => [
        first(new RegExp(`^${id} persists from`)),
        first(new RegExp(`^${id} has persisted`)),
        first(new RegExp(`^${id} sends ${leader} Matched`))
      ]
      const order = [
        first(new RegExp(`^${leader} sends . Append.*:${leader}1.1`)),
        first(new RegExp(`^${leader} persists from`)),
        first(new RegExp(`^${leader} has persisted`)),
        first(new RegExp(`^${leader} answers`))
      ]
      for (const places of [order, ...[A, B, C].filter((id) => id !== leader).map(follower)]) {
        assert.deepStrictEqual(
          [...places].sort((one, other) => one - other),
          places,
          words.join("\n")
        )
        assert.isAtLeast(places[0]!, 0)
      }
      yield* assertNothingWrong(watched)
    })
  )
})

describe("a disk that fails", () => {
  // Found out once: how many writes the whole life has when none fails.
  const countWrites = Effect.gen(function* () {
    const watched = Watched.make("A B C", () => ({ delayMillis: 1 }))
    yield* life(watched)
    watched.caretaker.leave()
    return watched.witness.persists
  })

  for (const fails of ["Clean", "Written"] as const) {
    it.effect(`ends its replica and no other, whichever write it is (${fails})`, () =>
      Effect.gen(function* () {
        const writes = yield* Effect.scoped(countWrites)
        assert.isAtLeast(writes, 40)
        for (let nth = 1; nth <= writes; nth++) {
          const watched = Watched.make("A B C", (_, number) =>
            number === nth ? { delayMillis: 1, fails } : { delayMillis: 1 }
          )
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { caretaker, cluster, witness } = watched
              yield* life(watched)
              const down = cluster.ids.filter((id) => !caretaker.isUp(id))
              assert.lengthOf(down, 1, `write ${nth} fails, and with it one replica`)
              const after = witness.trace.findIndex((line) => line.endsWith("has not persisted"))
              const later = witness.trace.slice(after + 1).filter((line) => line.split(" ")[1] === down[0])
              assert.deepStrictEqual(
                later.map((line) => line.replace(/^\S+ /, "")),
                [`${down[0]} ends: its disk failed`]
              )
              for (const id of cluster.ids.filter((other) => other !== down[0])) {
                assert.isTrue(cluster.get(id).replicated.status().available, `write ${nth}: the others go on`)
              }
              yield* caretaker.restart(down[0]!)
              yield* assertNothingWrong(watched)
            })
          )
        }
      })
    )
  }
})
