/**
 * Whole replicas on memory disks and a memory network, under `TestClock`: the real
 * interpreter, core, key-value machine and codecs, and time that moves when a test says so.
 */
import * as Configurations from "../../src/raft/Configuration.ts"
import { Cause, Effect, Exit, Fiber, Layer, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import { KvCommandCodec } from "../../src/codec/KvCommandCodec.ts"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import type { KvCommand, KvResult } from "../../src/kv/KvCommand.ts"
import { KvMachine, unknownCommand } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import type { KvAnswer, KvQuery } from "../../src/kv/KvQuery.ts"
import { type ClusterTime, ReplicaId } from "../../src/raft/LogEntry.ts"
import type { Options } from "../../src/raft/Options.ts"
import type { ServerState } from "../../src/raft/ServerState.ts"
import type * as Interpreter from "../../src/runtime/Interpreter.ts"
import * as Replicated from "../../src/runtime/Replicated.ts"
import type { ReplicatedLimits } from "../../src/runtime/Submitting.ts"
import type { RequestError } from "../../src/runtime/RequestError.ts"
import * as MemoryStorage from "../../src/storage/MemoryStorage.ts"
import type { Storage, StorageError } from "../../src/storage/Storage.ts"
import { MemoryNetwork } from "../../src/transport/MemoryTransport.ts"
import type { Transport, TransportError } from "../../src/transport/Transport.ts"

export interface Running {
  readonly id: ReplicaId
  readonly replicated: Replicated.Replicated<KvCommand, KvResult, KvQuery, KvAnswer>
  readonly state: () => ServerState<KvState, Uint8Array, KvQuery>
  readonly clusterTime: () => ClusterTime | undefined
  readonly fiber: Fiber.Fiber<never, StorageError | TransportError>
  readonly stop: Effect.Effect<void>
}

export type Step = Interpreter.CarriedOut<KvState, KvResult, KvQuery, KvAnswer>

export interface ClusterOptions {
  readonly raft?: Partial<Options>
  readonly limits?: Partial<ReplicatedLimits>
  readonly requestTimeoutMillis?: number
  /** The seed of a replica's timeouts, by the replica's number from 0. */
  readonly seedOf?: (number: number) => number
  readonly networkSeed?: number
  /** With whom the cluster begins, if not with all; the others have joined it. */
  readonly founders?: ReadonlyArray<string>
  /** Where replicas are reached, as each of them is told. */
  readonly addresses?: ReadonlyMap<ReplicaId, string>
  /** The machine of a replica, if not the real one. */
  readonly machineOf?: (id: ReplicaId) => typeof KvMachine
  /** How time passes: by `TestClock`, unless a test brings its own. */
  readonly pass?: (millis: number) => Effect.Effect<void>
  /** Told of each step that may be shown. */
  readonly onCarriedOut?: (id: ReplicaId, step: Step) => void
  /** What stands around a replica, if not just its disk and its place in the network. */
  readonly around?: (place: Place) => Layer.Layer<Storage | Transport, StorageError>
}

export interface Place {
  readonly id: ReplicaId
  readonly disk: MemoryStorage.MemoryDisk
  readonly network: MemoryNetwork
}

/** The store with plain puts and deletes alone: a cluster that has no versions to agree on logs what its clients say. */
export const plainMachine: typeof KvMachine = { ...KvMachine, version: 1 }

export class TestCluster {
  readonly ids: ReadonlyArray<ReplicaId>
  readonly network: MemoryNetwork
  readonly disks: ReadonlyMap<ReplicaId, MemoryStorage.MemoryDisk>
  private readonly running = new Map<ReplicaId, Running>()
  private readonly options: ClusterOptions

  constructor(names: string, options: ClusterOptions = {}) {
    this.ids = names.split(" ").map(ReplicaId)
    this.disks = new Map(this.ids.map((id) => [id, MemoryStorage.make()]))
    this.options = options
    this.network = MemoryNetwork.make({ seed: options.networkSeed ?? 7 })
  }

  /** Starts a replica in the test's scope; it ends with the test, by `stop`, or by failing. */
  readonly start = (id: ReplicaId): Effect.Effect<Running, StorageError, Scope.Scope> =>
    Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.fork(yield* Scope.Scope)
      return yield* Effect.onError(this.startIn(id, scope), () => Scope.close(scope, Exit.void))
    })

  private startIn(id: ReplicaId, scope: Scope.Closeable): Effect.Effect<Running, StorageError> {
    return Effect.gen({ self: this }, function* () {
      const { raft, limits, requestTimeoutMillis, seedOf = (number) => 1000 + number } = this.options
      // Built in the replica's own scope: its disk and its place in the network end with it.
      const place: Place = { id, disk: this.disk(id), network: this.network }
      const around = yield* Layer.build(
        this.options.around?.(place) ?? Layer.mergeAll(place.disk.layer, place.network.layer(id))
      ).pipe(Scope.provide(scope))
      const made = yield* Replicated.make({
        machine: this.options.machineOf?.(id) ?? plainMachine,
        codec: KvCommandCodec,
        state: KvStateCodec,
        unknownCommand,
        id,
        configuration: Configurations.of(this.founders),
        joined: !this.founders.includes(id),
        onCarriedOut: (step) => this.options.onCarriedOut?.(id, step),
        ...(this.options.addresses === undefined ? {} : { addresses: this.options.addresses }),
        raft: { appliesLater: true, ...raft },
        ...(limits === undefined ? {} : { limits }),
        ...(requestTimeoutMillis === undefined ? {} : { requestTimeoutMillis })
      }).pipe(Effect.provide(around), Random.withSeed(seedOf(this.ids.indexOf(id))))
      // At once: a run that is interrupted before it begins could not tell anybody that it ended.
      const fiber = yield* Effect.forkIn(made.run, scope, { startImmediately: true })
      const stop = Effect.andThen(Fiber.interrupt(fiber), Scope.close(scope, Exit.void))
      const { replicated, state, clusterTime } = made
      const running: Running = { id, replicated, state, clusterTime, fiber, stop }
      this.running.set(id, running)
      return running
    })
  }

  readonly startAll = Effect.suspend(() => Effect.forEach(this.ids, this.start))

  private get founders(): ReadonlyArray<ReplicaId> {
    return this.options.founders?.map(ReplicaId) ?? this.ids
  }

  disk(id: ReplicaId): MemoryStorage.MemoryDisk {
    return this.disks.get(id)!
  }

  get(id: ReplicaId): Running {
    return this.running.get(id)!
  }

  /** `undefined` before its first start. */
  find(id: ReplicaId): Running | undefined {
    return this.running.get(id)
  }

  leaders(): ReadonlyArray<Running> {
    return [...this.running.values()].filter(({ state }) => state()._tag === "Leader")
  }

  /** Moves time in small steps until `condition` holds; fails when it does not within `millis`. */
  readonly until = (what: string, condition: () => boolean, millis = 10_000): Effect.Effect<number> =>
    Effect.gen({ self: this }, function* () {
      for (let passed = 0; passed <= millis; passed += 10) {
        if (condition()) return passed
        yield* (this.options.pass ?? TestClock.adjust)(10)
      }
      return yield* Effect.die(new Error(`${what}: not within ${millis} ms; ${this.describe()}`))
    })

  /** The one leader that a majority follows. */
  readonly leader: Effect.Effect<Running> = Effect.suspend(() =>
    this.until("a leader that a majority follows", () => this.followed() !== undefined)
  ).pipe(Effect.map(() => this.followed()!))

  private followed(): Running | undefined {
    const majority = Math.floor(this.ids.length / 2) + 1
    return this.leaders().find((leader) => {
      const { term } = leader.replicated.status()
      const following = [...this.running.values()].filter(({ replicated }) => {
        const status = replicated.status()
        return status.leader === leader.id && status.term === term
      })
      return following.length >= majority
    })
  }

  describe(): string {
    return [...this.running.values()]
      .map(({ replicated }) => {
        const { id, role, term, leader, lastIndex, commitIndex, available } = replicated.status()
        const ended = this.get(id).fiber.pollUnsafe()
        const how = ended === undefined ? "" : ` ended: ${Exit.isFailure(ended) ? Cause.pretty(ended.cause) : ""}`
        return `${id}: ${role} term ${term} leader ${leader} last ${lastIndex} commit ${commitIndex} available ${available}${how}`
      })
      .join("; ")
  }
}

export const put = (key: string, value: string): KvCommand => ({
  _tag: "Put",
  key,
  value: Buffer.from(value),
  prevKv: false
})

export const get = (key: string): KvQuery => ({
  _tag: "Range",
  key,
  rangeEnd: undefined,
  limit: 0,
  revision: 0,
  keysOnly: false,
  countOnly: false
})

/** The value in a range's answer, `undefined` where there is none. */
export const valueIn = (answer: KvAnswer): string | undefined => {
  const kv = answer._tag === "Range" ? answer.kvs[0] : undefined
  return kv === undefined ? undefined : Buffer.from(kv.value).toString()
}

/** A request that is under way, and what has become of it so far. */
export interface Pending<B> {
  readonly result: () => B | undefined
  readonly error: () => RequestError | undefined
  readonly settled: () => boolean
}

export const begin = <B>(request: Effect.Effect<B, RequestError>): Effect.Effect<Pending<B>> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkDetach(request, { startImmediately: true })
    // The replicas take it in and pass it on before the test moves the clock.
    for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
    const exit = () => fiber.pollUnsafe()
    return {
      settled: () => exit() !== undefined,
      result: () => {
        const done = exit()
        return done !== undefined && Exit.isSuccess(done) ? done.value : undefined
      },
      error: () => {
        const done = exit()
        if (done === undefined || Exit.isSuccess(done)) return undefined
        return done.cause.reasons.find(Cause.isFailReason)?.error
      }
    }
  })
