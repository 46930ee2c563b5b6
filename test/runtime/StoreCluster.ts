/**
 * Replicas of the store with sessions, each running one of two programs: the present one, and one from before there were
 * sessions. On memory disks and a memory network, under `TestClock`.
 */
import { versionOf } from "../../src/raft/Machine.ts"
import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import { KvCommandCodec } from "../../src/codec/KvCommandCodec.ts"
import { StoreCommandCodec, StoreStateCodec } from "../../src/codec/StoreCodec.ts"
import type { KvAnswer, KvQuery } from "../../src/kv/KvQuery.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { Options } from "../../src/raft/Options.ts"
import type { ServerState } from "../../src/raft/ServerState.ts"
import * as Replicated from "../../src/runtime/Replicated.ts"
import type { RequestError } from "../../src/runtime/RequestError.ts"
import {
  type StoreCommand,
  StoreMachine,
  type StoreResult,
  type StoreState,
  unknownCommand
} from "../../src/sessions/Store.ts"
import * as MemoryStorage from "../../src/storage/MemoryStorage.ts"
import type { StorageError } from "../../src/storage/Storage.ts"
import { MemoryNetwork } from "../../src/transport/MemoryTransport.ts"
import { begin, type Pending } from "./TestCluster.ts"

type Program = Pick<
  Replicated.ReplicatedOptions<StoreState, StoreCommand, StoreResult, KvQuery, KvAnswer>,
  "machine" | "codec" | "state" | "unknownCommand"
>

export const present: Program = {
  machine: StoreMachine,
  codec: StoreCommandCodec,
  state: StoreStateCodec,
  unknownCommand
}

/** What `present` understands, and all agree on in the end. */
export const latest = versionOf(StoreMachine)

/** Knows version 1 of the commands and of the state, and nothing of later ones. */
export const former: Program = {
  machine: { ...StoreMachine, version: 1 },
  codec: {
    encode: (command) => ("session" in command ? undefined : KvCommandCodec.encode(command, 1)),
    decode: KvCommandCodec.decode
  },
  state: {
    version: 1,
    encode: (state) => StoreStateCodec.encode(state, 1),
    decoder: (version) => (version === 1 ? StoreStateCodec.decoder(1) : undefined)
  },
  unknownCommand
}

export interface StoreReplica {
  readonly id: ReplicaId
  readonly replicated: Replicated.Replicated<StoreCommand, StoreResult, KvQuery, KvAnswer>
  readonly state: () => ServerState<StoreState, Uint8Array, KvQuery>
  readonly stop: Effect.Effect<void>
}

export class StoreCluster {
  readonly ids = ["A", "B", "C"].map(ReplicaId)
  readonly disks = new Map(this.ids.map((id) => [id, MemoryStorage.make()]))
  readonly lines: Array<string> = []
  private readonly network = MemoryNetwork.make({ seed: 7 })
  private readonly running = new Map<ReplicaId, StoreReplica>()
  private readonly raft: Partial<Options>

  constructor(raft: Partial<Options> = {}) {
    this.raft = raft
  }

  /** What replicas log is in `lines`, not on the screen. */
  readonly logger = Logger.layer([
    Logger.make(({ logLevel, message }) => {
      this.lines.push(`${logLevel} ${String(message)}`)
    })
  ])

  readonly start = (id: ReplicaId, program: Program): Effect.Effect<StoreReplica, StorageError, Scope.Scope> =>
    Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.fork(yield* Scope.Scope)
      const around = yield* Layer.build(Layer.mergeAll(this.disks.get(id)!.layer, this.network.layer(id))).pipe(
        Scope.provide(scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      const made = yield* Replicated.make({
        ...program,
        id,
        configuration: Configurations.of(this.ids),
        raft: this.raft
      }).pipe(
        Effect.provide(around),
        Random.withSeed(1000 + this.ids.indexOf(id)),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      const fiber = yield* Effect.forkIn(made.run, scope, { startImmediately: true })
      const stop = Effect.andThen(Fiber.interrupt(fiber), Scope.close(scope, Exit.void))
      const replica = { id, replicated: made.replicated, state: made.state, stop }
      this.running.set(id, replica)
      return replica
    })

  readonly stop = (id: ReplicaId): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { stop } = this.get(id)
      this.running.delete(id)
      return stop
    })

  get(id: ReplicaId): StoreReplica {
    return this.running.get(id)!
  }

  all(): ReadonlyArray<StoreReplica> {
    return [...this.running.values()]
  }

  readonly until = (what: string, condition: () => boolean, millis = 20_000): Effect.Effect<void> =>
    Effect.gen({ self: this }, function* () {
      for (let passed = 0; passed <= millis; passed += 10) {
        if (condition()) return
        yield* TestClock.adjust(10)
      }
      const states = this.all().map(({ replicated }) => replicated.status())
      return yield* Effect.die(new Error(`${what}: not within ${millis} ms; ${JSON.stringify(states)}`))
    })

  readonly leader: Effect.Effect<StoreReplica> = Effect.suspend(() => {
    const leading = () => {
      const led = this.all().map(({ replicated }) => replicated.status().leader)
      const leader = led.find((id) => id !== undefined && led.filter((other) => other === id).length >= 2)
      const found = leader === undefined ? undefined : this.running.get(leader)
      return found?.replicated.status().role === "Leader" ? found : undefined
    }
    return this.until("a leader", () => leading() !== undefined).pipe(Effect.map(() => leading()!))
  })

  /** Waits for the end of a request, whatever it is. */
  readonly ended = <B>(request: Effect.Effect<B, RequestError>): Effect.Effect<Pending<B>> =>
    Effect.gen({ self: this }, function* () {
      const pending = yield* begin(request)
      yield* this.until("the end of a request", () => pending.settled())
      return pending
    })

  /** All that run have applied all, and the chain over all that they applied is the same. */
  readonly assertSame: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const applied = () => this.all().map(({ replicated }) => replicated.status())
    yield* this.until("all have applied the same", () =>
      applied().every(
        ({ lastApplied, lastIndex }) => lastApplied === lastIndex && lastIndex === applied()[0]!.lastIndex
      )
    )
    const chains = this.all().map(({ state }) => state().stateMachine.hash)
    assert.strictEqual(new Set(chains).size, 1)
    const stored = this.all().map(({ state }) => Buffer.concat([...StoreStateCodec.encode(state().stateMachine.value)]))
    for (const one of stored) assert.isTrue(one.equals(stored[0]!))
    for (const { replicated } of this.all()) assert.isUndefined(replicated.status().divergedAt)
  })

  /** The versions that all that run have agreed on. */
  versions(): ReadonlyArray<number> {
    return this.all().map(({ replicated }) => replicated.status().commandVersion)
  }
}
