/**
 * A replicated machine, as its users see it: any replica takes commands and queries, and
 * finding the leader is its business, not theirs.
 */
import { Effect, Random } from "effect"
import type { StateCodec } from "../codec/StateCodec.ts"
import type { Configuration } from "../raft/Configuration.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import * as Replica from "../raft/Replica.ts"
import { leaderOf } from "../raft/ServerState.ts"
import type { Image } from "../raft/Snapshot.ts"
import * as StateMachines from "../raft/StateMachine.ts"
import * as Succession from "../raft/Succession.ts"
import { Storage, type StorageError } from "../storage/Storage.ts"
import { Transport, type TransportError } from "../transport/Transport.ts"
import * as ByteMachine from "./ByteMachine.ts"
import * as DiskWatch from "./DiskWatch.ts"
import * as Interpreter from "./Interpreter.ts"
import { defaultLimits, type MailboxLimits } from "./Mailbox.ts"
import * as Notices from "./Notices.ts"
import * as ReplicaStatus from "./ReplicaStatus.ts"
import { diskFull, diskStuck, divergedMessage } from "./Refusals.ts"
import { type RequestError, ResourceExhausted, Unavailable } from "./RequestError.ts"
import { defaultWaitingLimits, Requests, type Waiter, type WaitingLimits } from "./Requests.ts"
import * as StartingPoint from "./StartingPoint.ts"

export interface Replicated<C, R, Q, A> {
  /** Applies a command through the log; succeeds when it is committed and applied here. */
  readonly propose: (command: C) => Effect.Effect<R, RequestError>
  /** A linearizable answer: it sees every write that was acknowledged before it was asked. */
  readonly query: (query: Q) => Effect.Effect<A, RequestError>
  /** Answers from what this replica has applied so far, at once, perhaps stale. Fails only where that differs from the others. */
  readonly queryLocal: (query: Q) => Effect.Effect<A, Unavailable>
  readonly status: () => ReplicaStatus.ReplicaStatus
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

export interface ReplicatedOptions<S, C, R, Q, A> extends ByteMachine.ByteMachineOptions<S, C, R, Q, A> {
  /** How snapshots of the machine's state are written and read. */
  readonly state: StateCodec<S>
  readonly id: ReplicaId
  readonly configuration: Configuration
  readonly raft?: Partial<Options>
  readonly limits?: Partial<ReplicatedLimits>
  /** How long a request may take before its client is told that it took too long. */
  readonly requestTimeoutMillis?: number
  readonly onCarriedOut?: (step: Interpreter.CarriedOut<S, R, Q, A>) => void
}

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
  const from = yield* StartingPoint.find({ storage, codec: options.state, alone })
  if (from.admitted === false) yield* Effect.logWarning(Notices.notAdmitted.text)
  const seed = yield* Random.nextInt
  const timeoutMillis = options.requestTimeoutMillis ?? 5000
  const { electionTimeoutMillis: patienceMillis } = replica.options
  const limits = { ...defaultReplicatedLimits, ...options.limits }
  const requests = new Requests<R, A>({ replica: id, incarnation, timeoutMillis, patienceMillis, limits })
  const interpreter = yield* Interpreter.make({
    replica,
    start: (at) => replica.init({ id, incarnation, configuration, at, seed, hardState, ...from }),
    requests,
    storage,
    transport,
    codec: options.state,
    limits,
    onCarriedOut: options.onCarriedOut
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
      // The loop may be waiting for room just now, and could not refuse it.
      if (command === undefined && disk.isStuck()) return waiter.fail(diskStuck())
      if (command !== undefined && disk.isFull()) return waiter.fail(diskFull("this replica"))
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

  const watchDisk = disk.run((full) => mailbox.put({ _tag: "DiskSpaceChanged", at: now(), full }))

  const status = (): ReplicaStatus.ReplicaStatus =>
    ReplicaStatus.of(interpreter.state(), { disk, waiting: requests.size, connections: transport.connections() })

  const queryLocal = (query: Q): Effect.Effect<A, Unavailable> =>
    Effect.suspend(() => {
      const { value } = interpreter.carriedOut().stateMachine
      return interpreter.state().diverged === undefined
        ? Effect.succeed(options.machine.query(value, query))
        : Effect.fail(new Unavailable({ message: divergedMessage, outcomeUnknown: false }))
    })

  const replicated: Replicated<C, R, Q, A> = {
    propose: (command) => Effect.suspend(() => admit<R>(codec.encode(command), undefined)),
    query: (query) => admit<A>(undefined, query),
    queryLocal,
    status
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
  return { replicated, run, state: interpreter.state, image }
})

const exhausted = (message: string, limit: string): ResourceExhausted =>
  new ResourceExhausted({ message: `${message} (${limit})`, limit, outcomeUnknown: false })
