/**
 * Keeps the replicas of a cluster running while they are crashed and their disks fail: starts
 * them, ends them, and notes how each ended. The one end that a replica may come to by itself
 * is a failed disk; any other is an objection.
 */
import { Cause, Effect, Exit, type Scope } from "effect"
import type { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { InFlight } from "../../src/storage/MemoryStorage.ts"
import type { StorageError } from "../../src/storage/Storage.ts"
import type { TestCluster } from "./TestCluster.ts"
import type { Witness } from "./Witness.ts"

export class Caretaker {
  /** Crashes and failed disks so far. */
  ends = 0
  private readonly up = new Set<ReplicaId>()
  private readonly cluster: TestCluster
  private readonly witness: Witness

  constructor(cluster: TestCluster, witness: Witness) {
    this.cluster = cluster
    this.witness = witness
  }

  /** The run is over: replicas end with it, and nobody minds. */
  leave(): void {
    this.up.clear()
  }

  isUp(id: ReplicaId): boolean {
    return this.up.has(id)
  }

  readonly start = (id: ReplicaId): Effect.Effect<void, StorageError, Scope.Scope> =>
    Effect.gen({ self: this }, function* () {
      if (this.up.has(id)) return
      this.up.add(id)
      // One that has lost its snapshots writes before it is started, and whoever starts it would wait for room here.
      this.cluster.disk(id).room(true)
      const running = yield* this.cluster
        .start(id)
        .pipe(Effect.catch(({ message }) => Effect.sync(() => this.witness.note(`${id} does not start: ${message}`))))
      if (running === undefined) {
        this.up.delete(id)
        this.ends++
        return
      }
      running.fiber.addObserver((exit) => {
        this.witness.onEnd(id)
        if (!this.up.delete(id)) return
        this.ends++
        const failed = Exit.isFailure(exit) && exit.cause.reasons.every(Cause.isFailReason)
        if (failed) this.witness.note(`${id} ends: its disk failed`)
        else this.witness.object(`${id} ended by itself: ${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "done"}`)
      })
      // Ended before it has begun it could not tell anybody: what `run` promises holds once it runs.
      while (!this.witness.hasBegun(id) && running.fiber.pollUnsafe() === undefined) yield* Effect.yieldNow
    })

  /** Ends a replica now, wherever it is, from outside of all fibers. With `inFlight` its disk's process ends as well. */
  kill(id: ReplicaId, inFlight: InFlight | undefined): void {
    if (!this.up.delete(id)) return
    this.ends++
    this.witness.note(`${id} ${inFlight === undefined ? "is shut down" : `crashes: ${inFlight}`}`)
    if (inFlight !== undefined) this.cluster.disk(id).crash(inFlight)
    this.cluster.get(id).fiber.interruptUnsafe()
  }

  /** The same, and waits until nothing of it is left. */
  readonly crash = (id: ReplicaId, inFlight: InFlight): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.kill(id, inFlight)
      return this.cluster.get(id).stop
    })

  /** Starts a replica that is down, when what is left of it is gone. */
  readonly restart = (id: ReplicaId): Effect.Effect<void, StorageError, Scope.Scope> =>
    Effect.suspend(() => (this.up.has(id) ? Effect.void : Effect.andThen(this.cluster.get(id).stop, this.start(id))))
}
