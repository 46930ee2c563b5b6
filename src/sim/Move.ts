/**
 * What may happen next in a situation: any message arrives, any patience ends, a client asks,
 * a replica dies.
 *
 * Time is only what has passed: nothing, a moment (heartbeats), or long enough for every
 * deadline. Of a follower that trusts its leader, long enough matters to a request for its vote.
 */
import type { ReplicaId } from "../raft/LogEntry.ts"
import { leaderOf } from "../raft/ServerState.ts"
import * as Configurations from "../raft/Configuration.ts"
import * as Narration from "./Narration.ts"
import type { Flying, Member, Reaction } from "./Reaction.ts"
import * as Reactions from "./Reaction.ts"
import type { Budget, Memory, Situation } from "./Situation.ts"
import * as Situations from "./Situation.ts"
import { inWords } from "./Subject.ts"

export type Move =
  | { readonly _tag: "Deliver"; readonly id: ReplicaId; readonly flying: Flying; readonly late: boolean }
  | { readonly _tag: "Wake"; readonly id: ReplicaId; readonly after: "moment" | "long" }
  | { readonly _tag: "Submit"; readonly id: ReplicaId; readonly kind: "Command" | "Query" }
  | { readonly _tag: "Resubmit"; readonly id: ReplicaId }
  /** One that is no voter becomes one, or one that is leaves; by force, for time hardly passes here. */
  | { readonly _tag: "Amend"; readonly id: ReplicaId; readonly of: ReplicaId }
  | { readonly _tag: "Transfer"; readonly id: ReplicaId; readonly to: ReplicaId }
  | { readonly _tag: "Crash"; readonly id: ReplicaId }

/** Milliseconds of a model: they only have to be far apart. */
export const times = { moment: 1, electionTimeout: 1000, long: 10_000 } as const

export const enabled = (situation: Situation, terms: number): ReadonlyArray<Move> => {
  const { members, flight, left } = situation
  const moves: Array<Move> = []
  for (const flying of flight) {
    const { to: id } = flying
    moves.push({ _tag: "Deliver", id, flying, late: false })
    if (trusts(Situations.memberOf(situation, id), flying)) moves.push({ _tag: "Deliver", id, flying, late: true })
  }
  for (const { id, state, waiting } of members) {
    // In the last term nobody stands any more.
    if (left.elections > 0 && state.currentTerm < terms) moves.push({ _tag: "Wake", id, after: "long" })
    const beats = state._tag === "Leader" || state.reads.asked.length > 0
    if (left.beats > 0 && beats) moves.push({ _tag: "Wake", id, after: "moment" })
    // Without a leader a request only waits: it is the same as one that comes when there is one.
    const open = leaderOf(state) !== undefined
    if (left.commands > 0 && open) moves.push({ _tag: "Submit", id, kind: "Command" })
    if (left.queries > 0 && open) moves.push({ _tag: "Submit", id, kind: "Query" })
    const again = waiting.some(({ kind }) => kind === "Command")
    if (left.resubmissions > 0 && open && again) moves.push({ _tag: "Resubmit", id })
    if (state._tag === "Leader") {
      for (const { id: of } of members) {
        if (left.amendments > 0) moves.push({ _tag: "Amend", id, of })
        if (left.transfers > 0 && of !== id) moves.push({ _tag: "Transfer", id, to: of })
      }
    }
    if (left.crashes > 0) moves.push({ _tag: "Crash", id })
  }
  return moves
}

/** Whether it makes a difference how long ago it heard its leader. */
const trusts = ({ state, now }: Member, { message }: Flying): boolean =>
  (message._tag === "PreVote" || message._tag === "RequestVote") &&
  state._tag === "Follower" &&
  state.leader !== undefined &&
  now < state.leaderHeardAt + times.electionTimeout

/** What comes of a move: nothing, one situation, or a second one, in which the replica dies before its `Persist`. */
export const play = (memory: Memory, situation: Situation, move: Move): ReadonlyArray<Situation> => {
  if (move._tag === "Crash") return [Situations.crash(memory, spend(situation, { crashes: 1 }), move.id)]
  const { next, reaction } = reactionOf(memory, situation, move)
  if (reaction === undefined) return next === situation ? [] : [next]
  if (next.left === situation.left && reaction.member === Situations.memberOf(situation, move.id) && isSilent(reaction))
    return []
  const whole = Situations.after(next, reaction)
  if (reaction.cut === undefined || situation.left.crashes === 0) return [whole]
  return [whole, Situations.after(spend(next, { crashes: 1 }), reaction.cut)]
}

/** What it says is in flight already (see `settled`). */
const isSilent = ({ stages }: Reaction): boolean => stages.every(({ replies }) => replies.length === 0)

interface Played {
  /** The situation as it is when the replica begins to reduce. */
  readonly next: Situation
  readonly reaction: Reaction | undefined
}

const reactionOf = (memory: Memory, situation: Situation, move: Exclude<Move, { _tag: "Crash" }>): Played => {
  const member = Situations.memberOf(situation, move.id)
  const { now } = member
  switch (move._tag) {
    case "Deliver": {
      const { flying, late } = move
      if (!late) return { next: situation, reaction: Situations.onMessage(memory, member, flying) }
      const name = `late ${memory.fingerprints.ofFlying(flying)}`
      const reaction = Situations.reactionTo(memory, member, name, () => ({
        now: now + times.long,
        arrivals: [Situations.arrivalOf(flying)]
      }))
      return { next: situation, reaction }
    }
    case "Wake": {
      const { after } = move
      const reaction = Situations.reactionTo(memory, member, after, () => ({
        now: now + times[after],
        arrivals: [{ _tag: "DeadlineReached" }]
      }))
      return { next: spend(situation, after === "long" ? { elections: 1 } : { beats: 1 }), reaction }
    }
    case "Submit": {
      const { kind } = move
      const spent = spend(situation, kind === "Command" ? { commands: 1 } : { queries: 1 })
      const floor = situation.chronicle.acknowledged
      const input = kind === "Command" ? `c${situation.left.commands}` : "all"
      const asked = Reactions.submit(member, { kind, input, floor, again: false })
      return submitted(memory, spent, asked.member, [asked.arrival])
    }
    case "Amend": {
      const sequence = member.sequence + 1
      const request = { replica: move.id, incarnation: member.disk.incarnation, sequence }
      const changes = Configurations.isVoter(member.state.configuration, move.of)
        ? [{ _tag: "Remove" as const, id: move.of }]
        : [
            { _tag: "Add" as const, id: move.of, address: undefined, promote: false },
            { _tag: "Promote" as const, id: move.of }
          ]
      const amendment = { _tag: "Members" as const, changes, autoLeave: true, force: true }
      const arrivals: Parameters<typeof Reactions.react>[3] = [{ _tag: "AmendmentSubmitted", request, amendment }]
      const reaction = Situations.reactionTo(memory, member, `amend ${move.of}`, () => ({ now, arrivals }))
      return { next: spend(situation, { amendments: 1 }), reaction }
    }
    case "Transfer": {
      const arrivals: Parameters<typeof Reactions.react>[3] = [{ _tag: "TransferRequested", to: move.to }]
      const reaction = Situations.reactionTo(memory, member, `transfer ${move.to}`, () => ({ now, arrivals }))
      return { next: spend(situation, { transfers: 1 }), reaction }
    }
    case "Resubmit":
      return submitted(
        memory,
        spend(situation, { resubmissions: 1 }),
        Reactions.twice(member),
        Reactions.resubmissions(member)
      )
  }
}

/** That a client waits is a change, even if its replica does nothing yet. */
const submitted = (
  memory: Memory,
  situation: Situation,
  member: Member,
  arrivals: Parameters<typeof Reactions.react>[3]
): Played => ({
  next: { ...situation, members: Situations.withMember(situation.members, member) },
  reaction: Situations.reactionTo(memory, member, "submission", () => ({ now: member.now, arrivals }))
})

const spend = (situation: Situation, by: Partial<Record<keyof Budget, number>>): Situation => {
  const left: Record<keyof Budget, number> = { ...situation.left }
  for (const [name, count] of Object.entries(by) as ReadonlyArray<[keyof Budget, number]>) left[name] -= count
  return { ...situation, left }
}

/** The reductions behind a move, to put it into words. */
export const stagesOf = (memory: Memory, situation: Situation, move: Move): Reaction["stages"] =>
  move._tag === "Crash" ? [] : (reactionOf(memory, situation, move).reaction?.stages ?? [])

export const inOneLine = (move: Move): string => {
  switch (move._tag) {
    case "Deliver": {
      const { flying, late } = move
      const how = late ? ", after a long time" : ""
      return `${flying.from} -> ${flying.to} ${Narration.message(flying.message, inWords)}${how}`
    }
    case "Wake":
      return `${move.id} wakes after ${move.after === "long" ? "a long time" : "a moment"}`
    case "Submit":
      return `a client asks ${move.id}: ${move.kind}`
    case "Resubmit":
      return `the runtime of ${move.id} submits again`
    case "Amend":
      return `${move.id} is asked to let ${move.of} join or leave`
    case "Transfer":
      return `${move.id} is asked to hand over to ${move.to}`
    case "Crash":
      return `${move.id} dies and starts again`
  }
}
