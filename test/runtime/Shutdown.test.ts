/**
 * A replica is ended between any two steps of any fiber, in the middle of batches and writes,
 * and perhaps started again at once: whoever waits for it is told, it says nothing more, and
 * nothing that was acknowledged is lost. The seeded scheduler makes "any two steps" countable.
 */
import { Cause, Effect, Exit, Logger } from "effect"
import { assert, describe, it } from "vitest"
import type { InFlight } from "../../src/storage/MemoryStorage.ts"
import { SeededScheduler } from "./SeededScheduler.ts"
import type { Pending } from "./TestCluster.ts"
import * as Watched from "./WatchedCluster.ts"

interface End {
  readonly who: "Leader" | "Follower"
  readonly afterSteps: number
  /** A crash, and what becomes of the write under way; without it the replica is shut down. */
  readonly crash?: InFlight
  readonly restart: "AtOnce" | "Later"
}

/** Gives what is wrong; `undefined` where everything was over before so many steps. */
const trial = ({ afterSteps, crash, restart, who }: End): ReadonlyArray<string> | undefined => {
  const scheduler = new SeededScheduler(afterSteps, { opsBetweenYields: 20, disorder: 0.5, haste: 0 })
  const watched = Watched.make("A B C", () => ({ delayMillis: 2 }), { pass: Effect.sleep })
  const { caretaker, cluster, read, witness, write } = watched
  const wrong: Array<string> = []
  const story = Effect.gen(function* () {
    for (const id of cluster.ids) yield* caretaker.start(id)
    const { id: leader } = yield* cluster.leader
    yield* Effect.sleep(30)
    const follower = cluster.ids.find((id) => id !== leader)!
    const victim = who === "Leader" ? leader : follower
    let ended = false
    scheduler.afterSteps(afterSteps, () => {
      ended = true
      caretaker.kill(victim, crash)
    })
    const asked: Array<Pending<unknown>> = []
    for (const round of [1, 2, 3]) {
      for (const id of [leader, follower]) {
        asked.push(yield* write(id, `k${round}-${id}`))
        asked.push(yield* read(id, `k${round}-${id}`))
      }
      yield* Effect.sleep(3)
    }
    yield* Effect.sleep(20)
    if (!ended) return false
    if (restart === "AtOnce") yield* caretaker.restart(victim)
    yield* cluster.until("everybody is told", () => asked.every((pending) => pending.settled()))
    yield* Effect.sleep(1500)
    if (restart === "Later") yield* caretaker.restart(victim)
    wrong.push(...(yield* Watched.missing(watched)))
    caretaker.leave()
    return true
  })
  const exit = scheduler.run(Effect.scoped(story).pipe(Effect.provide(Logger.layer([]))))
  if (exit === undefined) return ["it does not end"]
  if (Exit.isFailure(exit)) return [Cause.pretty(exit.cause)]
  return exit.value ? [...wrong, ...witness.objections] : undefined
}

/** How many steps lie between two trials; all of them with BALSA_STRIDE=1. */
const stride = Number(process.env["BALSA_STRIDE"] ?? 13)

const tryAll = (end: Omit<End, "afterSteps">): number => {
  for (let afterSteps = 0; ; afterSteps += stride) {
    const wrong = trial({ ...end, afterSteps })
    if (wrong === undefined) return afterSteps
    assert.deepStrictEqual(wrong, [], `${JSON.stringify(end)} after ${afterSteps} steps`)
  }
}

describe("a replica that ends between any two steps", () => {
  for (const who of ["Leader", "Follower"] as const) {
    it(`${who}: shut down`, () => {
      assert.isAtLeast(tryAll({ who, restart: "Later" }), 100)
    })
    it(`${who}: crashed, its last write lost or kept, and started again at once`, () => {
      assert.isAtLeast(tryAll({ who, crash: "Lost", restart: "AtOnce" }), 100)
      assert.isAtLeast(tryAll({ who, crash: "Kept", restart: "AtOnce" }), 100)
    })
  }
})
