/**
 * A whole cluster in this process, on disks and a network in memory: for tests and for trying things. Nothing of it
 * is kept when the process ends; time is Effect's, so under `TestClock` it moves as a test says.
 */
import { Effect, Exit, Layer, Scope } from "effect"
import { ReplicaId } from "../raft/LogEntry.ts"
import * as MemoryStorage from "../storage/MemoryStorage.ts"
import type { StorageError } from "../storage/Storage.ts"
import { MemoryNetwork } from "../transport/MemoryTransport.ts"
import type { Definition } from "./Definition.ts"
import * as EmbeddedReplica from "./EmbeddedReplica.ts"
import { check, countOf, type InvalidOptions } from "./Options.ts"

export interface ClusterOptions extends EmbeddedReplica.Tuning {
  /** How many replicas, named A, B, C ...; 3 if nothing is said. */
  readonly replicas?: number
  /** Of the network's chances, where a test gives its links faults. */
  readonly networkSeed?: number
}

/** As many as there are letters. */
const maxReplicas = 26

interface Running<S, C, R, Q, A> {
  readonly replica: EmbeddedReplica.EmbeddedReplica<S, C, R, Q, A>
  readonly scope: Scope.Closeable
}

export class MemoryCluster<S, C, R, Q, A> {
  readonly ids: ReadonlyArray<string>
  /** Its links can be cut and given faults. */
  readonly network: MemoryNetwork
  private readonly definition: Definition<S, C, R, Q, A>
  private readonly options: ClusterOptions
  private readonly scope: Scope.Scope
  private readonly disks: ReadonlyMap<string, MemoryStorage.MemoryDisk>
  private readonly started = new Map<string, Running<S, C, R, Q, A>>()

  /** Nobody runs yet; whoever is started ends with the scope at the latest. */
  constructor(definition: Definition<S, C, R, Q, A>, options: ClusterOptions, scope: Scope.Scope) {
    this.definition = definition
    this.options = options
    this.scope = scope
    this.ids = Array.from({ length: options.replicas ?? 3 }, (_, number) => String.fromCharCode(65 + number))
    this.network = MemoryNetwork.make({ seed: options.networkSeed ?? 1 })
    this.disks = new Map(this.ids.map((id) => [id, MemoryStorage.make()]))
  }

  /** Those that run just now; one that has failed counts until it is stopped. */
  get running(): ReadonlyArray<string> {
    return this.ids.filter((id) => this.started.has(id))
  }

  /** One that runs. */
  replica(id: string): EmbeddedReplica.EmbeddedReplica<S, C, R, Q, A> {
    const running = this.started.get(id)
    if (running === undefined) throw new Error(`replica ${id} does not run; ${this.running.join(", ")} do`)
    return running.replica
  }

  /** It can be told to fail, to be slow, to be full. */
  disk(id: string): MemoryStorage.MemoryDisk {
    const disk = this.disks.get(id)
    if (disk === undefined) throw new Error(`there is no replica ${id}; there are ${this.ids.join(", ")}`)
    return disk
  }

  /** Starts it on its disk, as it was left. */
  start(id: string): Effect.Effect<EmbeddedReplica.EmbeddedReplica<S, C, R, Q, A>, StorageError> {
    return Effect.gen({ self: this }, function* () {
      const already = this.started.get(id)
      if (already !== undefined) return already.replica
      const place = { ...this.options, id: ReplicaId(id), voters: this.ids.map(ReplicaId) }
      const scope = yield* Scope.fork(this.scope)
      const made = Effect.gen({ self: this }, function* () {
        const around = yield* Layer.build(Layer.mergeAll(this.disk(id).layer, this.network.layer(place.id)))
        return yield* EmbeddedReplica.make(this.definition, place).pipe(Effect.provide(around))
      }).pipe(Scope.provide(scope))
      const { replica } = yield* Effect.onError(made, () => Scope.close(scope, Exit.void))
      this.started.set(id, { replica, scope })
      return replica
    })
  }

  /** Ends it as a crash would: nothing is said to anybody, and what its disk holds stays. */
  stop(id: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const running = this.started.get(id)
      this.started.delete(id)
      return running === undefined ? Effect.void : Scope.close(running.scope, Exit.void)
    })
  }

  /** Waits until one of those that run leads, and a majority follows it. */
  get leader(): Effect.Effect<string> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        const found = yield* this.followed
        if (found !== undefined) return found
        yield* Effect.sleep(pollMillis)
      }
    })
  }

  private get followed(): Effect.Effect<string | undefined> {
    return Effect.map(
      Effect.forEach([...this.started.values()], ({ replica }) => replica.status),
      (all) => {
        const leads = all.find(({ id, role, term }) => {
          const followers = all.filter((one) => one.leader === id && one.term === term)
          return role === "Leader" && followers.length * 2 > this.ids.length
        })
        return leads?.id
      }
    )
  }
}

const pollMillis = 10

/** All of its replicas run, until the scope closes. */
export const make = Effect.fnUntraced(function* <S, C, R, Q, A>(
  definition: Definition<S, C, R, Q, A>,
  options: ClusterOptions = {}
): Effect.fn.Return<MemoryCluster<S, C, R, Q, A>, StorageError | InvalidOptions, Scope.Scope> {
  yield* check(options)
  yield* countOf(options.replicas ?? 3, maxReplicas)
  const cluster = new MemoryCluster(definition, options, yield* Scope.Scope)
  yield* Effect.forEach(cluster.ids, (id) => cluster.start(id), { discard: true })
  return cluster
})
