/**
 * A replica of the course's network without process, socket or clock: the core and the policy, called by whoever has the
 * time. What a real process does with an interpreter is done here at once, so that whole clusters run in virtual time.
 * Nothing is kept on a disk: a replica that is killed does not come back.
 */
import * as Configurations from "../raft/Configuration.ts"
import { Instant, origin, ReplicaId, Term } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import type { ServerState } from "../raft/ServerState.ts"
import { actOf, type CourseEvent } from "./Acting.ts"
import type { State } from "./CourseMachine.ts"
import type { CourseMessage } from "./CourseMessage.ts"
import { makeReplica, startsAdmitted } from "./CourseOptions.ts"
import { observe, standingOf } from "./Observation.ts"
import * as PeerPayload from "./PeerPayload.ts"
import * as Policy from "./Policy.ts"
import * as PolicyStates from "./PolicyState.ts"
import * as Wire from "./Wire.ts"

/** What one step gives. */
export interface Step {
  /** In order; they go out at once. */
  readonly send: ReadonlyArray<CourseMessage>
  /** Absolute, on the clock of `now`: `fire` is to be called then. In place of any earlier one; infinite where there is none. */
  readonly deadline: number
}

export interface CourseReplica {
  readonly receive: (now: number, message: CourseMessage) => Step
  /** Early or repeated calls change nothing. */
  readonly fire: (now: number) => Step
}

export interface CourseOptions {
  readonly id: string
  readonly peers: ReadonlyArray<string>
  /** An integer, from which all its chance comes. */
  readonly seed: number
  /** Milliseconds since any moment. */
  readonly now: number
}

export type Start = (options: CourseOptions) => { readonly replica: CourseReplica; readonly step: Step }

type Effect = RaftEffect<Uint8Array, void, string, State>

const incarnation = 1

export const create: Start = (options) => {
  const id = ReplicaId(options.id)
  const raft = makeReplica()
  let state: ServerState<State, Uint8Array, string> = raft.init({
    id,
    incarnation,
    configuration: Configurations.of([options.id, ...options.peers].sort().map(ReplicaId)),
    at: Instant(options.now),
    seed: options.seed,
    hardState: { currentTerm: Term(0), votedFor: undefined },
    admitted: startsAdmitted,
    image: undefined,
    base: origin,
    entries: [],
    snapshots: []
  })
  let policy = PolicyStates.initial(standingOf(state))
  let sent: Array<CourseMessage> = []

  const envelope = (): Wire.Envelope => ({ id: options.id, leader: policy.standing.leader })

  /** One event of the core and all that follows from it, which may be further ones. */
  const reduce = (events: ReadonlyArray<CourseEvent>, at: number): void => {
    if (events.length === 0) return
    const before = state
    const [after, effects] = raft.reduceAll(before, events)
    state = after
    const taken = events.flatMap((event) => ("request" in event ? [event.request.sequence] : []))
    const observation = observe({ at, before, after, effects, taken })
    const [next, actions] = Policy.decide(PolicyStates.defaults, policy, { _tag: "Stepped", observation })
    policy = next
    sendAll(effects)
    carryOut(actions, at)
  }

  const sendAll = (effects: ReadonlyArray<Effect>): void => {
    const outgoing = new Map<ReplicaId, Array<Message<Uint8Array>>>()
    for (const effect of effects) {
      if (effect._tag !== "Send") continue
      const messages = outgoing.get(effect.to)
      if (messages === undefined) outgoing.set(effect.to, [effect.message])
      else messages.push(effect.message)
    }
    for (const [to, messages] of outgoing) {
      for (const payload of PeerPayload.encode(messages)) {
        sent.push(Wire.peer(envelope(), to, payload, Policy.knownCommit(policy)))
      }
    }
  }

  const carryOut = (actions: ReadonlyArray<PolicyStates.PolicyAction>, at: number): void => {
    const events: Array<CourseEvent> = []
    const actor = { ...envelope(), replica: id, incarnation, at, commitIndex: Policy.knownCommit(policy) }
    for (const action of actions) {
      const act = actOf(action, actor)
      if (act._tag === "Tell") sent.push(act.message)
      else events.push(act.event)
    }
    reduce(events, at)
  }

  const decide = (event: PolicyStates.PolicyEvent, at: number): void => {
    const [next, actions] = Policy.decide(PolicyStates.defaults, policy, event)
    policy = next
    carryOut(actions, at)
  }

  const deliver = (message: CourseMessage, now: number): void => {
    const arrived = Wire.read(message)
    switch (arrived._tag) {
      case "Request":
        return decide({ _tag: "RequestArrived", at: now, request: arrived.request }, now)
      case "Peer": {
        const { from, payload, commitIndex } = arrived
        decide({ _tag: "PeerHeard", at: now, commitIndex }, now)
        const messages = payload === undefined ? [] : PeerPayload.decode(payload)
        const at = Instant(now)
        return reduce(
          messages.map((one) => ({ _tag: "MessageReceived", at, from, message: one })),
          now
        )
      }
      case "Unusable":
        sent.push(Wire.fail(envelope(), arrived))
        return
      case "Unknown":
        return
    }
  }

  const step = (): Step => {
    const send = sent
    sent = []
    return { send, deadline: Math.min(raft.nextDeadline(state), Policy.nextDeadline(PolicyStates.defaults, policy)) }
  }

  const replica: CourseReplica = {
    receive: (now, message) => {
      deliver(message, now)
      return step()
    },
    fire: (now) => {
      if (raft.nextDeadline(state) <= now) reduce([{ _tag: "DeadlineReached", at: Instant(now) }], now)
      if (Policy.nextDeadline(PolicyStates.defaults, policy) <= now) decide({ _tag: "DeadlineReached", at: now }, now)
      return step()
    }
  }
  sent.push(Wire.hello(options.id))
  return { replica, step: step() }
}
