/**
 * Gives the pure core a body: takes all that waits, reduces it as one batch, and carries out
 * the effects from left to right. `Persist` is the one that waits; whatever stands
 * right of it happens when it is on disk, or never: a failed `Persist` ends the loop, and
 * with it the replica. What stands left of it rests on nothing that it writes, so clients are answered
 * while the disk works. What is done with snapshots is only begun here (see SnapshotJobs).
 *
 * Per batch this costs a few Effect calls; per command, plain functions only.
 */
import { Clock, Effect, Fiber } from "effect"
import type { StateCodec } from "../codec/StateCodec.ts"
import * as Durability from "../raft/Durability.ts"
import type { Instant, ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import * as Overtaking from "../raft/Overtaking.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import type { RaftEvent } from "../raft/RaftEvent.ts"
import type { Replica } from "../raft/Replica.ts"
import { leaderOf, type ServerState } from "../raft/ServerState.ts"
import type { Storage, StorageError } from "../storage/Storage.ts"
import type { Transport } from "../transport/Transport.ts"
import * as Succession from "../raft/Succession.ts"
import { Alarm } from "./Alarm.ts"
import { Meanwhile, type TakeStep } from "./Meanwhile.ts"
import { Mailbox, type MailboxLimits } from "./Mailbox.ts"
import * as Notices from "./Notices.ts"
import { divergedMessage } from "./Refusals.ts"
import * as Membership from "./Membership.ts"
import type { Requests, Resubmission } from "./Requests.ts"
import * as RoleChange from "./RoleChange.ts"
import * as SnapshotJobs from "./SnapshotJobs.ts"

type Bytes = Uint8Array

export interface Interpreter<S, Q> {
  readonly state: () => ServerState<S, Bytes, Q>
  /** The same, once all that it has applied is on disk: what local reads may show. A client that was answered finds its write there. */
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
  /** Told of each step, in order, once what it has applied is on disk, to show what came of it. */
  readonly onCarriedOut?: ((step: CarriedOut<S, R, Q, A>) => void) | undefined
}

/** A step that may be shown: what it has applied is on disk. Of its effects some may be still to come. */
export interface CarriedOut<S, R, Q, A> {
  readonly before: ServerState<S, Bytes, Q>
  readonly after: ServerState<S, Bytes, Q>
  readonly effects: ReadonlyArray<RaftEffect<Bytes, R, A, S>>
}

export const make = Effect.fnUntraced(function* <S, R, Q, A>(options: InterpreterOptions<S, R, Q, A>) {
  const { replica, requests, storage, transport } = options
  const alarm = new Alarm(yield* Clock.Clock, yield* Effect.context<never>())
  const now = (): Instant => alarm.now()
  const mailbox = new Mailbox<RaftEvent<Bytes, Q, S>>(options.limits)
  const jobs = yield* SnapshotJobs.make({
    store: storage.snapshots,
    transport,
    codec: options.codec,
    report: (news: SnapshotJobs.SnapshotNews<S>) => mailbox.put({ ...news, at: now() })
  })
  let state = options.start(now())
  /** The last state that has applied only what is on disk: a sole voter's newest entries are not, at first. */
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
      if (mailbox.size === 0 && deadline > now()) yield* mailbox.wait(deadline, alarm)
      // Sockets get their turn between two batches; and what woke the loop is seldom alone: the
      // rest of its packet makes one batch with it.
      yield* Effect.yieldNow
      const events = mailbox.takeAll()
      if (deadline <= now()) events.push({ _tag: "DeadlineReached", at: now() })
      if (events.length > 0) return events
    }
  })

  const carryOut = Effect.fnUntraced(function* (step: CarriedOut<S, R, Q, A>) {
    const { after, effects } = step
    let outgoing = new Map<ReplicaId, Array<Message<Bytes>>>()
    const answers: Array<Reply<R, A>> = []
    let isWritten = effects.every(({ _tag }) => _tag !== "Persist")
    // Whoever is answered may look at once for what it was told of.
    if (isWritten) show(step)
    for (const effect of effects) {
      switch (effect._tag) {
        case "Persist": {
          flush(transport, outgoing)
          outgoing = new Map()
          // The disk first: it works while clients are told what was on it before.
          const persist = Effect.ensuring(storage.persist(effect), endMeanwhile)
          const writing = yield* Effect.forkChild(persist, { startImmediately: true })
          // A disk that fails at once ends the replica before it says another word.
          const isWorking = writing.pollUnsafe() === undefined
          if (!isWorking) yield* Fiber.join(writing)
          const isDurable = Durability.showsWhatIsDurable(effect, after)
          if (isDurable) show(step)
          for (const answer of answers) reply(answer)
          if (isDurable && isWorking) {
            const { commitIndex, lastApplied } = after.stateMachine
            if (lastApplied < commitIndex) takeMeanwhile([{ _tag: "DeadlineReached", at: now() }], effect)
            meanwhile.begin(effect)
          }
          yield* Fiber.join(writing)
          if (meanwhile.defect !== undefined) return yield* Effect.die(meanwhile.defect)
          isWritten = true
          if (!isDurable) show(step)
          break
        }
        case "Send": {
          if (effect.message._tag === "InstallSnapshotReply") {
            jobs.afterStored(() => transport.send(effect.to, [effect.message]))
            break
          }
          gather(outgoing, effect)
          break
        }
        case "Reply":
          if (isWritten) reply(effect)
          else answers.push(effect)
          break
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

  const takeMeanwhile: TakeStep<Q, S> = (events, writing) => {
    const before = state
    const taken = Overtaking.attempt(replica, before, events, writing)
    if (taken === undefined) return false
    const [after, effects] = taken
    // To tell of it is the loop's business.
    if (Notices.describe(before, after).length > 0) return false
    state = after
    const outgoing = new Map<ReplicaId, Array<Message<Bytes>>>()
    for (const effect of effects) if (effect._tag === "Send") gather(outgoing, effect)
    flush(transport, outgoing)
    show({ before, after, effects })
    for (const effect of effects) if (effect._tag === "Reply") reply(effect)
    return true
  }
  const meanwhile = new Meanwhile<Q, S>(mailbox, takeMeanwhile)
  const endMeanwhile = Effect.sync(() => meanwhile.end())

  const reply = ({ request, outcome }: Reply<R, A>): void => {
    const again = requests.onReply(request, outcome)
    if (again !== undefined) submit(again)
  }

  /** What the step has come to is there to be seen. Once a step. */
  const show = (step: CarriedOut<S, R, Q, A>): void => {
    shown = step.after
    options.onCarriedOut?.(step)
  }

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
    yield* carryOut({ before, after, effects })
  })

  const result: Interpreter<S, Q> = {
    state: () => state,
    carriedOut: () => shown,
    mailbox,
    now,
    run: Effect.all([Effect.forever(step()), jobs.run], { concurrency: "unbounded" }).pipe(
      Effect.andThen(Effect.never),
      Effect.ensuring(Effect.sync(() => alarm.stop()))
    )
  }
  return result
})

type Reply<R, A> = Extract<RaftEffect<Bytes, R, A>, { readonly _tag: "Reply" }>

const gather = (
  outgoing: Map<ReplicaId, Array<Message<Bytes>>>,
  { to, message }: { readonly to: ReplicaId; readonly message: Message<Bytes> }
): void => {
  const messages = outgoing.get(to)
  if (messages === undefined) outgoing.set(to, [message])
  else messages.push(message)
}

const flush = (
  transport: Transport["Service"],
  outgoing: ReadonlyMap<ReplicaId, ReadonlyArray<Message<Bytes>>>
): void => {
  for (const [to, messages] of outgoing) transport.send(to, messages)
}
