/**
 * A replica of the course's network as a process: the core in the interpreter that all of Balsa's replicas have, a disk in
 * memory, a transport of datagrams, and the policy as what clients are served by. Ends when its socket does, or when it is
 * interrupted.
 */
import { Effect, Latch, Random, type Scope } from "effect"
import * as Configurations from "../raft/Configuration.ts"
import { ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import * as Interpreter from "../runtime/Interpreter.ts"
import * as Mailbox from "../runtime/Mailbox.ts"
import { Storage } from "../storage/Storage.ts"
import type { Transport } from "../transport/Transport.ts"
import { actOf } from "./Acting.ts"
import { stateCodec, type State } from "./CourseMachine.ts"
import { makeReplica, startsAdmitted } from "./CourseOptions.ts"
import * as DatagramLink from "./DatagramLink.ts"
import { observe, standingOf } from "./Observation.ts"
import * as PeerPayload from "./PeerPayload.ts"
import * as Policy from "./Policy.ts"
import * as PolicyStates from "./PolicyState.ts"
import * as Wire from "./Wire.ts"

export interface ServerOptions {
  /** Where the network is, on this machine. */
  readonly port: number
  readonly id: string
  readonly peers: ReadonlyArray<string>
}

type Deliver = (from: ReplicaId, message: Message<Uint8Array>) => void

/** A timer has a longest time. */
const longestWaitMillis = 60_000

export const run = ({
  port,
  id,
  peers
}: ServerOptions): Effect.Effect<never, DatagramLink.LinkError | Error, Scope.Scope | Storage> =>
  Effect.gen(function* () {
    const link = yield* DatagramLink.make(port)
    const storage = yield* Storage
    const { hardState, incarnation, base, entries } = storage.recovered
    const replica = makeReplica()
    const seed = yield* Random.nextInt
    const replicaId = ReplicaId(id)
    const configuration = Configurations.of([id, ...peers].sort().map(ReplicaId))
    let deliverToCore: Deliver = () => undefined
    let taken: Array<number> = []
    let policy: PolicyStates.PolicyState
    const changed = Latch.makeUnsafe(false)

    const envelope = (): Wire.Envelope => ({ id, leader: policy.standing.leader })

    const transport: Transport["Service"] = {
      send: (to, messages) => {
        const commitIndex = Math.max(Policy.knownCommit(policy), interpreter.state().stateMachine.commitIndex)
        for (const payload of PeerPayload.encode(messages)) link.send(Wire.peer(envelope(), to, payload, commitIndex))
      },
      receive: (deliver) => {
        deliverToCore = deliver
        return Effect.never
      },
      setMembers: () => undefined,
      connections: () => []
    }

    const interpreter = yield* Interpreter.make<State, void, string, string>({
      replica,
      start: (at) =>
        replica.init({
          id: replicaId,
          incarnation,
          configuration,
          at,
          seed,
          hardState,
          admitted: startsAdmitted,
          image: undefined,
          base,
          entries,
          snapshots: []
        }),
      // The policy hears of everything once it is carried out, and submits again by itself.
      requests: {
        take: ({ sequence }) => {
          taken.push(sequence)
          return true
        },
        onReply: () => undefined,
        onSubmitted: () => undefined,
        commands: () => [],
        abandon: () => undefined,
        onInstalled: () => undefined
      },
      storage,
      transport,
      codec: stateCodec,
      limits: Mailbox.defaultLimits,
      addresses: new Map(),
      onCarriedOut: ({ before, after, effects }) => {
        const of = taken
        taken = []
        const at = interpreter.now()
        decide({ _tag: "Stepped", observation: observe({ at, before, after, effects, taken: of }) })
      }
    })
    policy = PolicyStates.initial(standingOf(interpreter.state()))

    const decide = (event: PolicyStates.PolicyEvent): void => {
      const [next, actions] = Policy.decide(PolicyStates.defaults, policy, event)
      policy = next
      const commitIndex = Policy.knownCommit(policy)
      const actor = { ...envelope(), replica: replicaId, incarnation, at: interpreter.now(), commitIndex }
      for (const action of actions) {
        const act = actOf(action, actor)
        if (act._tag === "Tell") link.send(act.message)
        else interpreter.mailbox.put(act.event)
      }
      if (Policy.nextDeadline(PolicyStates.defaults, policy) < Number.POSITIVE_INFINITY) changed.openUnsafe()
    }

    const deliver = (datagram: Uint8Array): void => {
      const arrived = Wire.parse(datagram)
      const at = interpreter.now()
      switch (arrived._tag) {
        case "Request":
          return decide({ _tag: "RequestArrived", at, request: arrived.request })
        case "Peer": {
          const { from, payload, commitIndex } = arrived
          decide({ _tag: "PeerHeard", at, commitIndex })
          if (payload !== undefined) for (const message of PeerPayload.decode(payload)) deliverToCore(from, message)
          return
        }
        case "Unusable":
          return link.send(Wire.fail(envelope(), arrived))
        case "Unknown":
          return
      }
    }

    /** Early news of a deadline changes nothing, so the wait need not be cut short for one that has moved. */
    const watch = Effect.gen(function* () {
      yield* changed.await
      changed.closeUnsafe()
      const deadline = Policy.nextDeadline(PolicyStates.defaults, policy)
      if (deadline === Number.POSITIVE_INFINITY) return
      yield* Effect.sleep(Math.min(longestWaitMillis, Math.max(1, Math.ceil(deadline - interpreter.now()))))
      decide({ _tag: "DeadlineReached", at: interpreter.now() })
    }).pipe(Effect.forever)

    const receive = transport.receive((from, message) =>
      interpreter.mailbox.offerMessage({ _tag: "MessageReceived", at: interpreter.now(), from, message })
    )
    link.send(Wire.hello(id))
    return yield* Effect.all([link.run(deliver), interpreter.run, receive, watch], {
      concurrency: "unbounded",
      discard: true
    }).pipe(Effect.andThen(Effect.never))
  })
