/**
 * Gives the pure core a body: takes all that waits, reduces it as one batch, and carries out
 * the effects from left to right. `Persist` is the one that waits; whatever stands
 * right of it happens when it is on disk, or never: a failed `Persist` ends the loop, and
 * with it the replica. What is done with snapshots is only begun here (see SnapshotJobs).
 *
 * Per batch this costs a few Effect calls; per command, plain functions only.
 */
import { Clock, Effect } from "effect"
import type { StateCodec } from "../codec/StateCodec.ts"
import { Instant, type ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import type { RaftEvent } from "../raft/RaftEvent.ts"
import type { Replica } from "../raft/Replica.ts"
import { leaderOf, type ServerState } from "../raft/ServerState.ts"
import type { Storage, StorageError } from "../storage/Storage.ts"
import type { Transport } from "../transport/Transport.ts"
import * as Succession from "../raft/Succession.ts"
import { Mailbox, type MailboxLimits } from "./Mailbox.ts"
import * as Notices from "./Notices.ts"
import { divergedMessage } from "./Refusals.ts"
import * as Membership from "./Membership.ts"
import type { Requests, Resubmission } from "./Requests.ts"
import * as RoleChange from "./RoleChange.ts"
import * as SnapshotJobs from "./SnapshotJobs.ts"

type Bytes = Uint8Array

/** A sole voter has no deadline at all, and timers have a longest time. */
const longestWaitMillis = 60_000

export interface Interpreter<S, Q> {
  readonly state: () => ServerState<S, Bytes, Q>
  /** The same, once its effects are carried out: what local reads may show, for it rests on what is on disk. */
  readonly carriedOut: () => ServerState<S, Bytes, Q>
  readonly mailbox: Mailbox<RaftEvent<Bytes, Q, S>>
  /** The replica's monotonic clock. */
  readonly now: () => Instant
  /** Runs until interrupted; fails when the disk does. Call it once. */
  readonly run: Effect.Effect<never, StorageError>
}

/** Who keeps the requests that wait: what the interpreter tells and asks it. */
export type RequestBook<R, A> = Pick<
  Requests<R, A>,
  "take" | "onReply" | "onSubmitted" | "commands" | "abandon" | "onInstalled"
>

export interface InterpreterOptions<S, R, Q, A> {
  readonly replica: Replica<S, Bytes, R, Q, A>
  readonly start: (at: Instant) => ServerState<S, Bytes, Q>
  readonly requests: RequestBook<R, A>
  readonly storage: Storage["Service"]
  readonly transport: Transport["Service"]
  /** How snapshots are written and read. */
  readonly codec: StateCodec<S>
  readonly limits: MailboxLimits
  /** Where members are reached that the log does not tell it of. */
  readonly addresses: Membership.Addresses
  /** Told of each step once its effects are carried out, to show what came of it. */
  readonly onCarriedOut?: ((step: CarriedOut<S, R, Q, A>) => void) | undefined
}

/** A step whose effects are carried out: what it did rests on what is on disk. */
export interface CarriedOut<S, R, Q, A> {
  readonly before: ServerState<S, Bytes, Q>
  readonly after: ServerState<S, Bytes, Q>
  readonly effects: ReadonlyArray<RaftEffect<Bytes, R, A, S>>
}

export const make = Effect.fnUntraced(function* <S, R, Q, A>(options: InterpreterOptions<S, R, Q, A>) {
  const { replica, requests, storage, transport } = options
  const clock = yield* Clock.Clock
  const now = (): Instant => Instant(Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
  const mailbox = new Mailbox<RaftEvent<Bytes, Q, S>>(options.limits)
  const jobs = yield* SnapshotJobs.make({
    store: storage.snapshots,
    transport,
    codec: options.codec,
    report: (news: SnapshotJobs.SnapshotNews<S>) => mailbox.put({ ...news, at: now() })
  })
  let state = options.start(now())
  /** The last state whose effects are all carried out. Until then a sole voter's newest entries are not on disk. */
  let shown = state
  // Of those with whom the cluster began the transport knows already.
  if (Succession.last(state.configurations).index > 0) {
    transport.setMembers(Membership.addressesOf(state.configuration, options.addresses, transport))
  }

  /** A client that has been told that nothing was done, while its request lay in the mailbox, must be right. */
  const isWanted = (event: RaftEvent<Bytes, Q, S>): boolean => !("request" in event) || requests.take(event.request)

  /** All that waits, and the news that a deadline has passed: after it, for what waits may have moved the deadline. */
  const nextBatch = Effect.fnUntraced(function* () {
    while (true) {
      const deadline = replica.nextDeadline(state)
      if (mailbox.size === 0 && deadline > now()) {
        yield* mailbox.wait(Math.min(Math.ceil(deadline - now()), longestWaitMillis))
      }
      // Sockets get their turn between two batches; and what woke the loop is seldom alone: the
      // rest of its packet makes one batch with it.
      yield* Effect.yieldNow
      const events = mailbox.takeAll()
      if (deadline <= now()) events.push({ _tag: "DeadlineReached", at: now() })
      if (events.length > 0) return events
    }
  })

  const carryOut = Effect.fnUntraced(function* (effects: ReadonlyArray<RaftEffect<Bytes, R, A, S>>) {
    let outgoing = new Map<ReplicaId, Array<Message<Bytes>>>()
    for (const effect of effects) {
      switch (effect._tag) {
        case "Persist":
          flush(transport, outgoing)
          outgoing = new Map()
          yield* storage.persist(effect)
          break
        case "Send": {
          if (effect.message._tag === "InstallSnapshotReply") {
            jobs.afterStored(() => transport.send(effect.to, [effect.message]))
            break
          }
          const messages = outgoing.get(effect.to)
          if (messages === undefined) outgoing.set(effect.to, [effect.message])
          else messages.push(effect.message)
          break
        }
        case "Reply": {
          const again = requests.onReply(effect.request, effect.outcome)
          if (again !== undefined) submit(again)
          break
        }
        case "LeaderChanged":
          for (const request of requests.commands(now())) submit(request)
          break
        case "QuorumLost":
          requests.abandon("this replica reaches no majority of its cluster")
          break
        case "DivergenceFound":
          requests.abandon(divergedMessage)
          break
        case "TakeSnapshot":
        case "SendChunk":
        case "StoreChunk":
          yield* jobs.begin(effect)
          break
        case "SnapshotInstalled":
          requests.onInstalled(effect.upTo)
          yield* Effect.logInfo("a snapshot of the leader has taken the place of what was applied")
          break
      }
    }
    flush(transport, outgoing)
  })

  const submit = ({ request, command }: Resubmission): void =>
    mailbox.put(
      command instanceof Uint8Array
        ? { _tag: "CommandSubmitted", at: now(), request, command }
        : { _tag: "AmendmentSubmitted", at: now(), request, amendment: command }
    )

  const step = Effect.fnUntraced(function* () {
    const events = (yield* nextBatch()).filter(isWanted)
    const before = state
    const [after, effects] = replica.reduceAll(before, events)
    state = after
    // Refusals rest on nothing that must be durable. They go first, for whatever else was submitted is with a leader now.
    for (const effect of effects) {
      if (effect._tag === "Reply" && effect.outcome._tag === "Refused") requests.onReply(effect.request, effect.outcome)
    }
    // A leader that is removed logs what has come, and leads no more at the end of the very same step.
    if (leaderOf(after) !== undefined || before._tag === "Leader") {
      for (const event of events) {
        if (event._tag === "CommandSubmitted" || event._tag === "AmendmentSubmitted")
          requests.onSubmitted(event.request)
      }
    }
    if (after.configuration !== before.configuration) {
      transport.setMembers(Membership.addressesOf(after.configuration, options.addresses, transport))
    }
    const role = RoleChange.describe(before, after, events)
    if (role !== undefined) yield* Effect.logInfo(role)
    for (const { level, text } of Notices.describe(before, after)) yield* Effect.logWithLevel(level)(text)
    yield* carryOut(effects)
    shown = after
    options.onCarriedOut?.({ before, after, effects })
  })

  const result: Interpreter<S, Q> = {
    state: () => state,
    carriedOut: () => shown,
    mailbox,
    now,
    run: Effect.all([Effect.forever(step()), jobs.run], { concurrency: "unbounded" }).pipe(Effect.andThen(Effect.never))
  }
  return result
})

const flush = (
  transport: Transport["Service"],
  outgoing: ReadonlyMap<ReplicaId, ReadonlyArray<Message<Bytes>>>
): void => {
  for (const [to, messages] of outgoing) transport.send(to, messages)
}
