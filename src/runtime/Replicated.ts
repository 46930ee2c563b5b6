/**
 * A replicated machine, as its users see it: any replica takes commands and queries, and
 * finding the leader is its business, not theirs.
 */
import { Effect, Random } from "effect"
import type { CommandCodec } from "../codec/CommandCodec.ts"
import type { Configuration } from "../raft/Configuration.ts"
import * as Logs from "../raft/Log.ts"
import type { Index, ReplicaId, Term } from "../raft/LogEntry.ts"
import type { Machine } from "../raft/Machine.ts"
import type { Options } from "../raft/Options.ts"
import * as Replica from "../raft/Replica.ts"
import { leaderOf, quorumLost } from "../raft/ServerState.ts"
import { Storage, type StorageError } from "../storage/Storage.ts"
import { type PeerConnection, Transport, type TransportError } from "../transport/Transport.ts"
import * as Interpreter from "./Interpreter.ts"
import { defaultLimits, type MailboxLimits } from "./Mailbox.ts"
import { type RequestError, ResourceExhausted, Unavailable } from "./RequestError.ts"
import { defaultWaitingLimits, Requests, type Waiter, type WaitingLimits } from "./Requests.ts"

export interface Replicated<C, R, Q, A> {
  /** Applies a command through the log; succeeds when it is committed and applied here. */
  readonly propose: (command: C) => Effect.Effect<R, RequestError>
  /** A linearizable answer: it sees every write that was acknowledged before it was asked. */
  readonly query: (query: Q) => Effect.Effect<A, RequestError>
  /** Answers from what this replica has applied so far, at once, perhaps stale. */
  readonly queryLocal: (query: Q) => A
  readonly status: () => ReplicaStatus
}

export interface ReplicaStatus {
  readonly id: ReplicaId
  readonly role: "Follower" | "PreCandidate" | "Candidate" | "Leader"
  readonly term: Term
  readonly leader: ReplicaId | undefined
  /** False while no majority is in reach, as far as this replica can tell. */
  readonly available: boolean
  readonly lastIndex: Index
  readonly commitIndex: Index
  readonly lastApplied: Index
  readonly voters: ReadonlyArray<ReplicaId>
  /** Requests of this replica's clients that have no answer yet. */
  readonly waiting: number
  readonly connections: ReadonlyArray<PeerConnection>
}

export interface ReplicatedLimits extends MailboxLimits, WaitingLimits {
  /** A longer command is refused: it must fit into one message between replicas with room to spare. */
  readonly maxCommandBytes: number
}

const defaultReplicatedLimits: ReplicatedLimits = {
  ...defaultLimits,
  ...defaultWaitingLimits,
  maxCommandBytes: 16 * 1024 * 1024
}

export interface ReplicatedOptions<S, C, R, Q, A> {
  readonly machine: Machine<S, C, R, Q, A>
  readonly codec: CommandCodec<C>
  /** What applying gives for bytes that are no command of this version; they change nothing. */
  readonly unknownCommand: (state: S) => R
  readonly id: ReplicaId
  readonly configuration: Configuration
  readonly raft?: Partial<Options>
  readonly limits?: Partial<ReplicatedLimits>
  /** How long a request may take before its client is told that it took too long. */
  readonly requestTimeoutMillis?: number
}

/** How often requests are looked over for ones that have waited too long: so much later may they hear of it. */
export const sweepMillis = 250

/**
 * A replica, from its disk. Nothing happens until `run` is run, which returns only by
 * failing; when it ends, however it ends, requests that wait are told, and so are later ones.
 */
export const make = Effect.fnUntraced(function* <S, C, R, Q, A>(options: ReplicatedOptions<S, C, R, Q, A>) {
  const storage = yield* Storage
  const transport = yield* Transport
  const { hardState, entries, incarnation } = storage.recovered
  const { id, configuration, codec } = options
  const replica = Replica.make(onBytes(options), options.raft)
  const seed = yield* Random.nextInt
  const timeoutMillis = options.requestTimeoutMillis ?? 5000
  const { electionTimeoutMillis: patienceMillis } = replica.options
  const limits = { ...defaultReplicatedLimits, ...options.limits }
  const requests = new Requests<R, A>({ replica: id, incarnation, timeoutMillis, patienceMillis, limits })
  const interpreter = yield* Interpreter.make({
    replica,
    start: (at) => replica.init({ id, incarnation, configuration, at, seed, hardState, entries }),
    requests,
    storage,
    transport,
    limits
  })
  const { mailbox, now } = interpreter
  let ended = false

  const admit = <B extends R | A>(
    command: Uint8Array | undefined,
    query: Q | undefined
  ): Effect.Effect<B, RequestError> =>
    Effect.callback((resume) => {
      const waiter: Waiter<R, A> = {
        succeed: (value) => resume(Effect.succeed(value as B)),
        fail: (error) => resume(Effect.fail(error))
      }
      // Nobody takes out of the mailbox any more, and nobody looks for requests that are late.
      if (ended) return waiter.fail(new Unavailable({ message: "this replica has ended", outcomeUnknown: false }))
      if (command !== undefined && command.length > limits.maxCommandBytes) {
        return waiter.fail(exhausted(`a command of ${command.length} bytes is longer than may be`, "maxCommandBytes"))
      }
      const full = requests.full(command)
      if (full !== undefined) return waiter.fail(exhausted("too many requests wait for an answer; try later", full))
      const at = now()
      const request = requests.add(command, waiter, at)
      const event =
        command === undefined
          ? ({ _tag: "QuerySubmitted", at, request, query: query as Q } as const)
          : ({ _tag: "CommandSubmitted", at, request, command } as const)
      if (!mailbox.offerRequest(event)) {
        requests.remove(request)
        waiter.fail(exhausted("too many requests came at once; try later", "maxMailboxRequests"))
      }
      return Effect.sync(() => requests.remove(request))
    })

  const sweep = Effect.gen(function* () {
    yield* Effect.sleep(sweepMillis)
    const at = now()
    requests.expire(at)
    const leader = leaderOf(interpreter.state())
    // A leader has its own clients' commands in its log; only a message can be lost.
    if (leader === undefined || leader === id) return
    for (const { request, command } of requests.overdue(at)) {
      mailbox.put({ _tag: "CommandSubmitted", at, request, command })
    }
  }).pipe(Effect.forever)

  const receive = transport.receive((from, message) =>
    mailbox.offerMessage({ _tag: "MessageReceived", at: now(), from, message })
  )

  const status = (): ReplicaStatus => {
    const state = interpreter.state()
    const { log, commitIndex, lastApplied } = state.stateMachine
    return {
      id,
      role: state._tag,
      term: state.currentTerm,
      leader: leaderOf(state),
      available: !quorumLost(state),
      lastIndex: Logs.lastIndex(log),
      commitIndex,
      lastApplied,
      voters: state.configuration.voters,
      waiting: requests.size,
      connections: transport.connections()
    }
  }

  const replicated: Replicated<C, R, Q, A> = {
    propose: (command) => Effect.suspend(() => admit<R>(codec.encode(command), undefined)),
    query: (query) => admit<A>(undefined, query),
    queryLocal: (query) => options.machine.query(interpreter.carriedOut().stateMachine.value, query),
    status
  }
  const run: Effect.Effect<never, StorageError | TransportError> = Effect.all([interpreter.run, receive, sweep], {
    concurrency: "unbounded"
  }).pipe(
    Effect.andThen(Effect.never),
    Effect.ensuring(
      Effect.sync(() => {
        ended = true
        requests.abandon("this replica is shutting down")
      })
    )
  )
  return { replicated, run, state: interpreter.state }
})

const exhausted = (message: string, limit: string): ResourceExhausted =>
  new ResourceExhausted({ message: `${message} (${limit})`, limit })

/** The machine over encoded commands: what the log, the disk and the peers carry. */
const onBytes = <S, C, R, Q, A>({
  machine,
  codec,
  unknownCommand
}: Pick<ReplicatedOptions<S, C, R, Q, A>, "machine" | "codec" | "unknownCommand">): Machine<
  S,
  Uint8Array,
  R,
  Q,
  A
> => ({
  initial: machine.initial,
  query: machine.query,
  sizeOf: (bytes) => bytes.length,
  apply: (state, bytes) => {
    const command = codec.decode(bytes)
    return command === undefined ? [state, unknownCommand(state)] : machine.apply(state, command)
  }
})
