/**
 * What a replica applies, told to whoever subscribes. The core says nothing of it: what was applied is
 * found by applying the same entries once more to the state before, which is still there, being immutable.
 * So it costs nothing while nobody listens.
 *
 * Told is only what is carried out: an entry that this replica shows is on a majority's disks, and on its
 * own where it is the only one.
 */
import { Cause, Effect, Queue, Schema, Stream } from "effect"
import * as ByteMachine from "../runtime/ByteMachine.ts"
import { Index } from "../raft/LogEntry.ts"
import * as Logs from "../raft/Log.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import type { ServerState } from "../raft/ServerState.ts"
import type { Image } from "../raft/Snapshot.ts"
import * as StateMachines from "../raft/StateMachine.ts"
import { isUnknown, type SchemaMachine } from "./SchemaMachine.ts"

export type Change<S, C, R> =
  /** The state as of `index`: first of all, and again when a snapshot of the leader has taken the place of what was applied. */
  | { readonly _tag: "Reset"; readonly index: number; readonly state: S }
  | { readonly _tag: "Applied"; readonly index: number; readonly command: C; readonly result: R }

/** No further change can be told without leaving one out; what was told before is complete. Subscribe again for a `Reset`. */
export class ChangesLost extends Schema.TaggedError<ChangesLost>()("ChangesLost", {
  reason: Schema.Literals([
    "Behind", // it took changes more slowly than they came, beyond `maxChangesBehind`
    "Ended", // the replica has ended
    "Diverged", // the replica differs from the others, and serves nobody any more
    "UnknownCommand" // a command of a later version was applied
  ]),
  message: Schema.String
}) {}

export interface ChangesLimits {
  /** A subscriber that is more changes behind than this loses its subscription. */
  readonly maxChangesBehind: number
}

export const defaultChangesLimits: ChangesLimits = { maxChangesBehind: 16_384 }

/** One turn of the replica's loop, once its effects are carried out. */
export interface Step<S> {
  readonly before: ServerState<S, Uint8Array, unknown>
  readonly after: ServerState<S, Uint8Array, unknown>
  readonly effects: ReadonlyArray<RaftEffect<Uint8Array, unknown, unknown, S>>
}

type Applying<S, C, R> = Pick<SchemaMachine<S, C, R, never, unknown>, "machine" | "codec" | "unknownCommand">

export class Changes<S, C, R> {
  private readonly subscribers = new Set<Queue.Queue<Change<S, C, R>, ChangesLost>>()
  private readonly machine: Applying<S, C, R>
  private readonly limits: ChangesLimits
  private ended: ChangesLost | undefined

  constructor(machine: Applying<S, C, R>, limits: ChangesLimits) {
    this.machine = machine
    this.limits = limits
  }

  /** How many are subscribed just now. */
  get size(): number {
    return this.subscribers.size
  }

  /** `now` is what is carried out when somebody subscribes. */
  stream(now: () => Image<S>): Stream.Stream<Change<S, C, R>, ChangesLost> {
    const subscribe = Effect.acquireRelease(
      Effect.gen({ self: this }, function* () {
        const queue = yield* Queue.dropping<Change<S, C, R>, ChangesLost>(this.limits.maxChangesBehind + 1)
        if (this.ended !== undefined) Queue.failCauseUnsafe(queue, Cause.fail(this.ended))
        else {
          const { last, value } = now()
          Queue.offerUnsafe(queue, { _tag: "Reset", index: last.index, state: value })
          this.subscribers.add(queue)
        }
        return queue
      }),
      (queue) =>
        Effect.andThen(
          Effect.sync(() => this.subscribers.delete(queue)),
          Queue.shutdown(queue)
        )
    )
    return Stream.unwrap(Effect.map(subscribe, (queue) => Stream.fromQueue(queue)))
  }

  onCarriedOut(step: Step<S>): void {
    if (this.subscribers.size === 0) return
    const { before, after, effects } = step
    if (after.diverged !== undefined) return this.lose("Diverged", "this replica differs from the others")
    const { lastApplied, value } = after.stateMachine
    if (lastApplied === before.stateMachine.lastApplied) return
    // A step may install a snapshot and apply more: the state after it tells both.
    if (effects.some(({ _tag }) => _tag === "SnapshotInstalled")) {
      return this.tell({ _tag: "Reset", index: lastApplied, state: value })
    }
    this.applyAgain(step)
  }

  /** The replica takes no further step. */
  end(): void {
    this.ended = new ChangesLost({ reason: "Ended", message: "this replica has ended" })
    for (const queue of this.subscribers) Queue.failCauseUnsafe(queue, Cause.fail(this.ended))
    this.subscribers.clear()
  }

  private applyAgain({ before, after }: Step<S>): void {
    const { codec } = this.machine
    const bytes = ByteMachine.make(this.machine)
    const { log, lastApplied } = after.stateMachine
    let stateMachine: StateMachines.StateMachine<S, Uint8Array> = { ...before.stateMachine, log }
    for (let at = stateMachine.lastApplied + 1; at <= lastApplied; at++) {
      const index = Index(at)
      stateMachine = StateMachines.apply<S, Uint8Array, R>(
        { ...stateMachine, commitIndex: index },
        bytes,
        (_, outcome) => {
          if (outcome._tag !== "Applied") return
          const payload = Logs.get(log, index)?.payload
          const command = payload?._tag === "Command" ? codec.decode(payload.command)?.command : undefined
          if (command === undefined || isUnknown(outcome.result)) {
            this.lose("UnknownCommand", `entry ${index} is a command of a later version`)
          } else this.tell({ _tag: "Applied", index, command, result: outcome.result })
        }
      )
    }
  }

  private tell(change: Change<S, C, R>): void {
    const { maxChangesBehind } = this.limits
    for (const queue of this.subscribers) {
      if (Queue.offerUnsafe(queue, change)) continue
      const message = `more than ${maxChangesBehind} changes were not taken yet (maxChangesBehind)`
      this.drop(queue, new ChangesLost({ reason: "Behind", message }))
    }
  }

  private lose(reason: ChangesLost["reason"], message: string): void {
    for (const queue of this.subscribers) this.drop(queue, new ChangesLost({ reason, message }))
  }

  /** It is told all that it was given before, then this. */
  private drop(queue: Queue.Queue<Change<S, C, R>, ChangesLost>, lost: ChangesLost): void {
    this.subscribers.delete(queue)
    Queue.failCauseUnsafe(queue, Cause.fail(lost))
  }
}
