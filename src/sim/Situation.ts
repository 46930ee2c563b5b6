/**
 * A small cluster as an immutable value: its replicas, every message that was ever sent, and
 * what has ever been. One move gives the next situation and leaves this one as it is, so a
 * search may go on from any of them.
 *
 * Nothing leaves the network: each message may arrive at any time, any number of times, or
 * never. So a message more never makes less possible. What is answered without any change of
 * who answers is therefore taken as answered at once, and those answers are in flight already.
 */
import { leaderOf } from "../raft/ServerState.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Chronicle } from "./Chronicle.ts"
import * as Chronicles from "./Chronicle.ts"
import type { Fingerprints } from "./Fingerprint.ts"
import type { Arrival } from "./Host.ts"
import type { Flying, Member, Reaction, Rig } from "./Reaction.ts"
import * as Reactions from "./Reaction.ts"

export interface Situation {
  readonly members: ReadonlyArray<Member>
  readonly flight: ReadonlyArray<Flying>
  readonly chronicle: Chronicle
  readonly left: Budget
}

/** How often each of these may still happen. */
export interface Budget {
  /** A replica's patience ends: an election, or a leader that hears no majority. */
  readonly elections: number
  /** A leader's heartbeat, or a follower that repeats its question. */
  readonly beats: number
  readonly commands: number
  readonly queries: number
  readonly resubmissions: number
  readonly crashes: number
  /** Somebody joins or leaves. */
  readonly amendments: number
  readonly transfers: number
}

/** Equal replicas and equal messages are one object each, and what they make of each other is known once. */
export interface Memory {
  readonly rig: Rig
  readonly fingerprints: Fingerprints
  readonly members: Map<number, Member>
  readonly flying: Map<number, Flying>
  readonly reactions: WeakMap<Member, Map<Flying | string, Reaction | undefined>>
}

export const remember = (rig: Rig, fingerprints: Fingerprints): Memory => ({
  rig,
  fingerprints,
  members: new Map(),
  flying: new Map(),
  reactions: new WeakMap()
})

/** All have the term of the last entry that there is; a replica without a log begins with none. */
export const make = (memory: Memory, logs: ReadonlyArray<ReadonlyArray<number>>, left: Budget): Situation => {
  const term = Math.max(0, ...logs.flat())
  return {
    members: memory.rig.all.map((id, place) => Reactions.boot(memory.rig, id, { term, entries: logs[place] ?? [] })),
    flight: [],
    chronicle: Chronicles.empty,
    left
  }
}

export const memberOf = ({ members }: Pick<Situation, "members">, id: ReplicaId): Member =>
  members.find((member) => member.id === id)!

export const withMember = (members: ReadonlyArray<Member>, changed: Member): ReadonlyArray<Member> =>
  members.map((member) => (member.id === changed.id ? changed : member))

/** `name` stands for the arrivals and the time, with the replica as it is. */
export const reactionTo = (
  memory: Memory,
  member: Member,
  name: Flying | string,
  happens: () => { readonly now: number; readonly arrivals: ReadonlyArray<Arrival> }
): Reaction | undefined => {
  let known = memory.reactions.get(member)
  if (known === undefined) memory.reactions.set(member, (known = new Map()))
  if (known.has(name)) return known.get(name)
  const { now, arrivals } = happens()
  const reaction = Reactions.react(memory.rig, member, now, arrivals)
  const kept = reaction && {
    ...interned(memory, reaction),
    cut: reaction.cut && interned(memory, reaction.cut)
  }
  known.set(name, kept)
  return kept
}

const interned = <R extends Pick<Reaction, "member" | "sent">>(memory: Memory, reaction: R): R => ({
  ...reaction,
  member: intern(memory.members, memory.fingerprints.ofMember(reaction.member), reaction.member),
  sent: reaction.sent.map((flying) => intern(memory.flying, memory.fingerprints.ofFlying(flying), flying))
})

const intern = <T>(known: Map<number, T>, key: number, value: T): T => {
  const one = known.get(key)
  if (one !== undefined) return one
  known.set(key, value)
  return value
}

export const onMessage = (memory: Memory, member: Member, flying: Flying): Reaction | undefined =>
  reactionTo(memory, member, flying, () => ({ now: member.now, arrivals: [arrivalOf(flying)] }))

export const arrivalOf = ({ from, message }: Flying): Arrival => ({ _tag: "MessageReceived", from, message })

/** The cluster after a replica has reacted. Every rule about all of it is checked here. */
export const after = (
  situation: Situation,
  { stages, member, sent }: Pick<Reaction, "stages" | "member" | "sent">
): Situation => {
  let { chronicle, members } = situation
  for (const stage of stages) {
    if (!isRecorded(stage)) continue
    chronicle = Chronicles.onStep(chronicle, withMember(members, stage.reduced), stage.reduced.state)
    for (const told of stage.replies) chronicle = Chronicles.onReply(chronicle, member.id, told)
    members = withMember(members, stage.carried)
    Chronicles.checkDisks(chronicle, members)
  }
  const fresh = sent.filter((flying, at) => !situation.flight.includes(flying) && sent.indexOf(flying) === at)
  return {
    members: withMember(situation.members, member),
    flight: fresh.length === 0 ? situation.flight : [...situation.flight, ...fresh],
    chronicle,
    left: situation.left
  }
}

/** Whether history has anything to note: another leader, log, commit or answer. */
const isRecorded = ({ before, reduced, carried, replies }: Reaction["stages"][number]): boolean =>
  replies.length > 0 ||
  before.stateMachine !== reduced.state.stateMachine ||
  reduced.disk.log !== carried.disk.log ||
  (reduced.state._tag === "Leader" && leaderOf(before) !== reduced.id)

/** All that dies with a replica; its disk must be enough. */
export const crash = (memory: Memory, situation: Situation, id: ReplicaId): Situation => {
  const member = Reactions.start(memory.rig, memberOf(situation, id))
  const members = withMember(situation.members, intern(memory.members, memory.fingerprints.ofMember(member), member))
  Chronicles.checkDisks(situation.chronicle, members)
  return { ...situation, members }
}

/**
 * With the answers of all whom a message does not change. In `before` they are there already, so
 * only who has changed since, and what is new in flight, is asked.
 */
export const settled = (memory: Memory, situation: Situation, before: Situation): Situation => {
  const { members } = situation
  const changed = members.filter((member, at) => member !== before.members[at]).map(({ id }) => id)
  const flight = [...situation.flight]
  const old = before.flight.length
  for (let at = 0; at < flight.length; at++) {
    const flying = flight[at]!
    if (at < old && !changed.includes(flying.to)) continue
    const member = memberOf(situation, flying.to)
    const reaction = onMessage(memory, member, flying)
    if (reaction === undefined || reaction.member !== member) continue
    for (const answer of reaction.sent) if (!flight.includes(answer)) flight.push(answer)
  }
  return flight.length === situation.flight.length ? situation : { ...situation, flight }
}
