/**
 * A replicated machine, as its users see it: any replica takes commands and queries, and
 * finding the leader is its business, not theirs.
 */
import { Effect, Random } from "effect"
import type { StateCodec } from "../codec/StateCodec.ts"
import type { Amendment } from "../raft/Amendment.ts"
import type { Configuration } from "../raft/Configuration.ts"
import type { ClusterTime, ReplicaId } from "../raft/LogEntry.ts"
import { versionOf } from "../raft/Machine.ts"
import type { Options } from "../raft/Options.ts"
import * as Proposing from "../raft/Proposing.ts"
import * as Replica from "../raft/Replica.ts"
import { isOutside, leaderOf, type ServerState } from "../raft/ServerState.ts"
import type { Image } from "../raft/Snapshot.ts"
import * as StateMachines from "../raft/StateMachine.ts"
import * as Succession from "../raft/Succession.ts"
import { Storage, type StorageError } from "../storage/Storage.ts"
import { Transport, type TransportError } from "../transport/Transport.ts"
import * as Amendments from "./Amendments.ts"
import type { Direct } from "./Direct.ts"
import * as ByteMachine from "./ByteMachine.ts"
import * as DiskWatch from "./DiskWatch.ts"
import * as Interpreter from "./Interpreter.ts"
import * as Membership from "./Membership.ts"
import * as Notices from "./Notices.ts"
import * as ReplicaStatus from "./ReplicaStatus.ts"
import { divergedMessage, outdatedMessage, outsideMessage } from "./Refusals.ts"
import { NotUnderstood, type RequestError, Unavailable } from "./RequestError.ts"
import { Requests, type Submission, type Waiter } from "./Requests.ts"
import * as Submitting from "./Submitting.ts"
import * as StartingPoint from "./StartingPoint.ts"

export interface Replicated<C, R, Q, A> {
  /** Applies a command through the log; succeeds when it is committed and applied here. */
  readonly propose: (command: C) => Effect.Effect<R, RequestError>
  /**
   * The same two without an Effect around each, for who has very many of them: `waiter` hears of it once, perhaps before the
   * call returns, and must not throw.
   */
  readonly direct: Direct<C, R, Q, A>
  /** A linearizable answer: it sees every write that was acknowledged before it was asked. */
  readonly query: (query: Q) => Effect.Effect<A, RequestError>
  /**
   * Answers from what this replica has applied so far, at once, perhaps stale. Fails only where that differs from the
   * others, and where this replica may never hear of anything again: it is no member, or stays behind for good.
   */
  readonly queryLocal: (query: Q) => Effect.Effect<A, Unavailable>
  /** How stale such an answer may be. */
  readonly staleness: () => Membership.Staleness
  readonly status: () => ReplicaStatus.ReplicaStatus
  readonly members: () => Membership.MembersStatus
  /**
   * Changes the cluster itself. Succeeds when that is committed, and a joint configuration that it led to is left.
   * Asking again for what is so already succeeds.
   */
  readonly amend: (amendment: Amendment) => Effect.Effect<void, RequestError>
  /** What a change of members would come to; nothing is done. Only the leader can tell. */
  readonly plan: (amendment: Amendments.MembersAmendment) => Effect.Effect<Amendments.Plan, RequestError>
  /** Has the leader hand over, to `to` or to whoever is best placed. Gives who leads then. */
  readonly transferLeadership: (to?: ReplicaId) => Effect.Effect<ReplicaId, RequestError>
}

export interface ReplicatedOptions<S, C, R, Q, A> extends ByteMachine.ByteMachineOptions<S, C, R, Q, A> {
  /** How snapshots of the machine's state are written and read. */
  readonly state: StateCodec<S>
  readonly id: ReplicaId
  readonly configuration: Configuration
  readonly raft?: Partial<Options>
  readonly limits?: Partial<Submitting.ReplicatedLimits>
  /** How long a request may take before its client is told that it took too long. */
  readonly requestTimeoutMillis?: number
  readonly onCarriedOut?: (step: Interpreter.CarriedOut<S, R, Q, A>) => void
  /** Where the members are reached, this one included, as far as it has been told: the log may know better. */
  readonly addresses?: Membership.Addresses
  /** It was added to a cluster that there was: whatever its disk says, this is no beginning. */
  readonly joined?: boolean
}

/**
 * A cluster that has just begun agrees on a version of its commands a moment after it has a leader: for so long after a start, who asks for
 * more than is agreed on waits for that instead of being refused.
 */
const settlingMillis = 3000
const settledPollMillis = 20

/** How often requests are looked over for ones that have waited too long: so much later may they hear of it. */
export const sweepMillis = 250

/**
 * A replica, from its disk; reading a large snapshot there takes a while. Nothing else happens until `run`
 * is run, which returns only by failing; when it ends, however it ends, requests that wait are
 * told, and so are later ones.
 */
export const make = Effect.fnUntraced(function* <S, C, R, Q, A>(options: ReplicatedOptions<S, C, R, Q, A>) {
  const storage = yield* Storage
  const transport = yield* Transport
  const { hardState, incarnation } = storage.recovered
  const { id, configuration, codec } = options
  const replica = Replica.make(ByteMachine.make(options), options.raft)
  const disk = yield* DiskWatch.make(storage)
  const alone = ReplicaStatus.isAlone(id, configuration)
  const understood = versionOf(options.machine)
  const from = yield* StartingPoint.find({
    storage,
    codec: options.state,
    alone,
    joined: options.joined === true,
    understood
  })
  if (from.admitted === false) {
    const isNew = options.joined === true && from.entries.length === 0 && from.image === undefined
    yield* isNew ? Effect.logInfo(Notices.newHere) : Effect.logWarning(Notices.notAdmitted.text)
  }
  const seed = yield* Random.nextInt
  const timeoutMillis = options.requestTimeoutMillis ?? 5000
  const { electionTimeoutMillis: patienceMillis } = replica.options
  const limits = { ...Submitting.defaultReplicatedLimits, ...options.limits }
  const addresses = options.addresses ?? new Map()
  const requests = new Requests<R, A>({ replica: id, incarnation, timeoutMillis, patienceMillis, limits })
  const interpreter = yield* Interpreter.make({
    replica,
    start: (at) => replica.init({ id, incarnation, configuration, at, seed, hardState, ...from }),
    requests,
    storage,
    transport,
    codec: options.state,
    limits,
    addresses,
    onCarriedOut: options.onCarriedOut
  })
  const { mailbox, now } = interpreter
  const startedAt = now()
  let ended = false

  const admit = <B extends R | A>(
    command: Submission | undefined,
    query: Q | undefined
  ): Effect.Effect<B, RequestError> =>
    Effect.callback((resume) => {
      const request = submit(command, query, {
        succeed: (value) => resume(Effect.succeed(value as B)),
        fail: (error) => resume(Effect.fail(error))
      })
      return request === undefined ? undefined : Effect.sync(() => requests.remove(request))
    })

  const submit = Submitting.make<R, Q, A, S>({ requests, mailbox, disk, limits, now, hasEnded: () => ended })

  const sweep = Effect.gen(function* () {
    yield* Effect.sleep(sweepMillis)
    const at = now()
    requests.expire(at)
    const leader = leaderOf(interpreter.state())
    // A leader has its own clients' commands in its log; only a message can be lost.
    if (leader === undefined || leader === id) return
    for (const { request, command } of requests.overdue(at)) {
      mailbox.put(
        command instanceof Uint8Array
          ? { _tag: "CommandSubmitted", at, request, command }
          : { _tag: "AmendmentSubmitted", at, request, amendment: command }
      )
    }
  }).pipe(Effect.forever)

  const receive = transport.receive((from, message) =>
    mailbox.offerMessage({ _tag: "MessageReceived", at: now(), from, message })
  )

  const watchDisk = disk.run((full) => mailbox.put({ _tag: "DiskSpaceChanged", at: now(), full }))

  const status = (): ReplicaStatus.ReplicaStatus =>
    ReplicaStatus.of(interpreter.state(), { disk, waiting: requests.size, connections: transport.connections() })

  const queryLocal = (query: Q): A | Unavailable => {
    const message = silenceOf(interpreter.state())
    return message === undefined
      ? options.machine.query(interpreter.carriedOut().stateMachine.value, query)
      : new Unavailable({ message, outcomeUnknown: false })
  }

  /** As all members understand it by now. Where they go back to an earlier version meanwhile, it means nothing to any of them. */
  const encode = (command: C): Uint8Array | NotUnderstood => {
    const { version } = interpreter.state().stateMachine
    const bytes = codec.encode(command, version)
    if (bytes !== undefined) return bytes
    const message =
      `the cluster has agreed on version ${version} of its commands, which does not have this one: not all replicas ` +
      "understand it yet, or the version is limited; nothing was done"
    return new NotUnderstood({ message, version, outcomeUnknown: false })
  }

  const propose = (command: C): Effect.Effect<R, RequestError> =>
    Effect.suspend(() => {
      const bytes = encode(command)
      if (!(bytes instanceof NotUnderstood)) return admit<R>(bytes, undefined)
      if (now() - startedAt < settlingMillis) return Effect.andThen(Effect.sleep(settledPollMillis), propose(command))
      return Effect.fail(bytes)
    })

  const direct: Direct<C, R, Q, A> = {
    propose: (command, waiter) => {
      const bytes = encode(command)
      if (!(bytes instanceof NotUnderstood)) return submit(bytes, undefined, waiter as Waiter<R, A>)
      if (now() - startedAt >= settlingMillis) waiter.fail(bytes)
      // Rare enough for an Effect.
      else Effect.runFork(Effect.match(propose(command), { onSuccess: waiter.succeed, onFailure: waiter.fail }))
      return undefined
    },
    query: (query, waiter) => submit(undefined, query, waiter as Waiter<R, A>),
    queryLocal,
    forget: (request) => requests.remove(request),
    currentTerm: () => interpreter.state().currentTerm
  }

  const amendments = Amendments.make({
    state: interpreter.state,
    now,
    options: replica.options,
    addresses,
    submit: (amendment) => admit<never>(amendment, undefined),
    requestTransfer: (to) => mailbox.put({ _tag: "TransferRequested", at: now(), to }),
    hasEnded: () => ended,
    connected: () => new Set(transport.connections().flatMap(({ id, connected }) => (connected ? [id] : [])))
  })

  const replicated: Replicated<C, R, Q, A> = {
    propose,
    direct,
    query: (query) => admit<A>(undefined, query),
    queryLocal: (query) =>
      Effect.suspend(() => {
        const answer = queryLocal(query)
        return answer instanceof Unavailable ? Effect.fail(answer) : Effect.succeed(answer)
      }),
    staleness: () => Membership.staleness(interpreter.carriedOut(), now()),
    status,
    members: () => Membership.of(interpreter.state(), addresses, replica.options, now()),
    ...amendments
  }
  const loops = [interpreter.run, receive, sweep, watchDisk]
  const run: Effect.Effect<never, StorageError | TransportError> = Effect.all(loops, {
    concurrency: "unbounded",
    discard: true
  }).pipe(
    Effect.andThen(Effect.never),
    Effect.ensuring(
      Effect.sync(() => {
        ended = true
        requests.abandon("this replica is shutting down")
      })
    )
  )
  /** All that is applied and carried out, for backups. */
  const image = (): Image<S> => {
    const { stateMachine, configurations } = interpreter.carriedOut()
    return StateMachines.image(stateMachine, Succession.at(configurations, stateMachine.lastApplied))
  }
  /** The cluster's time while this replica leads, and logs what is proposed: what a leader does by itself goes by it. */
  const clusterTime = (): ClusterTime | undefined => {
    const current = interpreter.state()
    return current._tag === "Leader" && current.transfer === undefined
      ? Proposing.clusterTime(current, now())
      : undefined
  }
  return { replicated, run, state: interpreter.state, image, clusterTime }
})

/** Why what it has applied is not to be shown to anybody; `undefined` where it is. */
export const silenceOf = (state: ServerState<unknown, unknown, unknown>): string | undefined => {
  if (state.diverged !== undefined) return divergedMessage
  if (state.stateMachine.outdated !== undefined) return outdatedMessage
  return isOutside(state) ? outsideMessage : undefined
}
