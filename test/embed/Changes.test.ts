/** What a subscriber sees: everything, in order, once, and only what lasts; or that it does not. */
import { unstamped } from "../../src/raft/Machine.ts"
import { Effect, Exit, Fiber, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "@effect/vitest"
import type { Change, ChangesLost } from "../../src/embed/Changes.ts"
import * as EmbeddedReplica from "../../src/embed/EmbeddedReplica.ts"
import * as MemoryCluster from "../../src/embed/MemoryCluster.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as MemoryStorage from "../../src/storage/MemoryStorage.ts"
import { MemoryNetwork } from "../../src/transport/MemoryTransport.ts"
import { type Command, definition, passing, say, type State, Tally } from "./Tally.ts"

type Seen = Change<State, Command, { readonly before: number; readonly known: boolean }>

interface Watching {
  readonly seen: Array<Seen>
  readonly fiber: Fiber.Fiber<void, ChangesLost>
}

const watch = Effect.fnUntraced(function* (changes: Stream.Stream<Seen, ChangesLost>) {
  const seen: Array<Seen> = []
  const fiber = yield* Effect.forkChild(
    Stream.runForEach(changes, (change) => Effect.sync(() => void seen.push(change))),
    { startImmediately: true }
  )
  yield* TestClock.adjust(0)
  return { seen, fiber } satisfies Watching
})

const words = (seen: ReadonlyArray<Seen>): ReadonlyArray<string> =>
  seen.map((change) => (change._tag === "Reset" ? "reset" : change.command.word))

const until = (what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let passed = 0; passed < 20_000; passed += 10) {
      if (condition()) return
      yield* TestClock.adjust(10)
    }
    return yield* Effect.die(new Error(`not within 20 seconds: ${what}`))
  })

describe("a subscriber", () => {
  it.effect("is told the state first, then every command with its result, in the order of the log", () =>
    Effect.gen(function* () {
      const cluster = yield* Tally.cluster({ replicas: 3 })
      const leader = yield* passing(cluster.leader)
      yield* passing(cluster.replica("A").propose(say("early")))
      const watching = yield* watch(cluster.replica(leader).changes)
      for (let turn = 0; turn < 5; turn++) yield* passing(cluster.replica("B").propose(say("late", turn + 1)))
      // Whoever proposed may be answered before a subscriber elsewhere has had its turn.
      yield* until("the subscriber has its turn", () => watching.seen.length >= 6)
      const [reset, ...applied] = watching.seen
      assert.isTrue(reset?._tag === "Reset" && reset.state.said.get("early") === 1)
      assert.deepEqual(
        applied.map((change) => (change._tag === "Applied" ? change.result.before : -1)),
        [0, 1, 3, 6, 10]
      )
      const indexes = watching.seen.map(({ index }) => index)
      assert.deepEqual(
        indexes,
        Array.from(new Set(indexes)).sort((one, other) => one - other)
      )
    })
  )

  it.effect(
    "at one replica sees what subscribers at the others see, each command once, though messages come twice",
    () =>
      Effect.gen(function* () {
        const cluster = yield* Tally.cluster({ replicas: 3, networkSeed: 5 })
        yield* passing(cluster.leader)
        const watching = yield* Effect.forEach(cluster.ids, (id) => watch(cluster.replica(id).changes))
        const ids = cluster.ids.map(ReplicaId)
        for (const from of ids) {
          for (const to of ids) {
            cluster.network.setFaults(from, to, { delayMillis: 5, jitterMillis: 300, duplication: 0.5, loss: 0.1 })
          }
        }
        const proposals = Array.from({ length: 60 }, (_, number) => {
          const replica = cluster.replica(cluster.ids[number % 3]!)
          return Effect.delay(replica.propose(say(`word ${number}`)), number * 20)
        })
        const exits = yield* passing(Effect.forEach(proposals, Effect.exit, { concurrency: "unbounded" }), 60_000)
        for (const id of cluster.ids) yield* passing(cluster.replica(id).query({ word: "x" }), 60_000)
        const [one, ...others] = watching.map(({ seen }) => seen.filter(({ _tag }) => _tag === "Applied"))
        for (const other of others) assert.deepEqual(other, one)
        const told = words(one!)
        assert.strictEqual(new Set(told).size, told.length)
        for (const [number, exit] of exits.entries()) if (Exit.isSuccess(exit)) assert.include(told, `word ${number}`)
      })
  )

  it.effect("sees a command only when it is on disk", () =>
    Effect.gen(function* () {
      const cluster = yield* Tally.cluster({ replicas: 1 })
      yield* passing(cluster.leader)
      const watching = yield* watch(cluster.replica("A").changes)
      cluster.disk("A").slow(1000)
      const proposing = yield* Effect.forkChild(cluster.replica("A").propose(say("slow")), { startImmediately: true })
      yield* TestClock.adjust(900)
      assert.deepEqual(words(watching.seen), ["reset"])
      yield* passing(Fiber.join(proposing))
      assert.deepEqual(words(watching.seen), ["reset", "slow"])
    })
  )

  it.effect("that falls behind is told all up to there, and then that more is lost", () =>
    Effect.gen(function* () {
      const cluster = yield* Tally.cluster({ replicas: 1, limits: { maxChangesBehind: 4 } })
      const tally = cluster.replica("A")
      yield* passing(cluster.leader)
      const seen: Array<Seen> = []
      let goOn = (): void => undefined
      const pause = new Promise<void>((resolve) => (goOn = resolve))
      const slow = Stream.runForEach(tally.changes, (change) =>
        Effect.andThen(
          Effect.sync(() => seen.push(change)),
          Effect.promise(() => pause)
        )
      )
      const subscriber = yield* Effect.forkChild(Effect.flip(slow), { startImmediately: true })
      const quick = yield* watch(tally.changes)
      for (let turn = 0; turn < 12; turn++) yield* passing(tally.propose(say(`word ${turn}`)))
      goOn()
      const lost = yield* passing(Fiber.join(subscriber))
      assert.deepInclude(lost, { _tag: "ChangesLost", reason: "Behind" })
      assert.include(lost.message, "maxChangesBehind")
      assert.isAtLeast(seen.length, 5)
      assert.isBelow(seen.length, 12)
      assert.deepEqual(words(seen), words(quick.seen).slice(0, seen.length))
      assert.strictEqual(quick.seen.length, 13)
    })
  )

  it.effect("is given the state anew when the leader's snapshot takes its place, and goes on from there", () =>
    Effect.gen(function* () {
      const raft = { snapshotLogEntries: 10, snapshotLogBytes: 1000, snapshotPatienceMillis: 1000 }
      const cluster = yield* Tally.cluster({ replicas: 3, raft })
      const leader = yield* passing(cluster.leader)
      const away = cluster.ids.find((id) => id !== leader)!
      yield* passing(cluster.replica(leader).propose(say("first")))
      yield* passing(cluster.replica(away).query({ word: "first" }))
      const watching = yield* watch(cluster.replica(away).changes)
      const ids = cluster.ids.map(ReplicaId)
      cluster.network.partition([ReplicaId(away)], ids)
      for (let turn = 0; turn < 100; turn++) yield* passing(cluster.replica(leader).propose(say("missed")))
      assert.deepEqual(words(watching.seen), ["reset"])
      cluster.network.healAll()
      yield* until("the follower has caught up", () =>
        watching.seen.some(({ _tag, index }) => _tag === "Reset" && index > 50)
      )
      yield* passing(cluster.replica(leader).propose(say("last")))
      yield* until("the last word arrives", () => words(watching.seen).includes("last"))
      let index = 0
      let said = new Map<string, number>()
      for (const change of watching.seen) {
        assert.isAtLeast(change.index, index)
        index = change.index
        if (change._tag === "Reset") said = new Map(change.state.said)
        else said.set(change.command.word, change.result.before + 1)
      }
      assert.deepEqual(
        [...said],
        [
          ["first", 1],
          ["missed", 100],
          ["last", 1]
        ]
      )
    })
  )

  it.effect("is told when a command is applied that this version does not know", () =>
    Effect.gen(function* () {
      const Wider = Schema.Union([definition.command, Schema.TaggedStruct("Shout", {})])
      const newer = {
        ...definition,
        command: Wider,
        apply: (state: State) => [state, { before: 0, known: false }] as const
      }
      const network = MemoryNetwork.make()
      const voters = ["A", "B"].map(ReplicaId)
      const start = (id: string, of: typeof definition | typeof newer) =>
        Effect.gen(function* () {
          const around = yield* Layer.build(Layer.mergeAll(MemoryStorage.make().layer, network.layer(ReplicaId(id))))
          const made = EmbeddedReplica.make(of as typeof definition, { id: ReplicaId(id), voters })
          return (yield* Effect.provide(made, around)).replica
        })
      const a = yield* start("A", newer)
      const b = yield* start("B", definition)
      const watching = yield* watch(b.changes)
      yield* passing(Effect.exit(a.propose({ _tag: "Shout" } as unknown as Command)))
      const lost = yield* passing(Effect.flip(Fiber.join(watching.fiber)))
      assert.strictEqual(lost.reason, "UnknownCommand")
    })
  )

  it.effect("costs nothing that is not there: a command is applied once unless somebody listens", () =>
    Effect.gen(function* () {
      let applied = 0
      const counting = {
        ...definition,
        apply: (...[state, command]: Parameters<typeof definition.apply>) => {
          applied++
          return definition.apply(state, command, unstamped)
        }
      }
      const cluster = yield* MemoryCluster.make(counting, { replicas: 1 })
      const tally = cluster.replica("A")
      yield* passing(tally.propose(say("x")))
      assert.strictEqual(applied, 1)
      const watching = yield* watch(tally.changes)
      yield* passing(tally.propose(say("x")))
      assert.strictEqual(applied, 3)
      yield* Fiber.interrupt(watching.fiber)
      yield* passing(tally.propose(say("x")))
      assert.strictEqual(applied, 4)
    })
  )
})
