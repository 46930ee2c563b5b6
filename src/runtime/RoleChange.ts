/** What a step meant for the replica's role, as one line for its log: term, votes and reason. */
import type { RaftEvent } from "../raft/RaftEvent.ts"
import { isOutside, type ServerState } from "../raft/ServerState.ts"

type State = ServerState<unknown, unknown, unknown>

/** `undefined` where role, term and leader stay as they were. */
export const describe = (
  before: State,
  after: State,
  events: ReadonlyArray<RaftEvent<unknown, unknown>>
): string | undefined => {
  switch (after._tag) {
    case "Follower":
      return describeFollower(before, after)
    case "PreCandidate":
      if (before._tag === "PreCandidate") return undefined
      return `asks for votes: ${reasonToAsk(before)}, term ${after.currentTerm}`
    case "Candidate":
      if (before._tag === "Candidate" && before.currentTerm === after.currentTerm) return undefined
      return `candidate in term ${after.currentTerm}: a majority of ${after.configuration.voters.length} would vote for it`
    case "Leader":
      if (before._tag === "Leader" && before.currentTerm === after.currentTerm) return undefined
      return `leader of term ${after.currentTerm}: ${votes(before, after, events)}`
  }
}

const describeFollower = (before: State, after: Extract<State, { _tag: "Follower" }>): string | undefined => {
  const { currentTerm, leader } = after
  const same = before._tag === "Follower" && before.currentTerm === currentTerm && before.leader === leader
  if (same) return undefined
  const was = before._tag === "Follower" ? "" : `, was ${roleName(before)} in term ${before.currentTerm}`
  if (leader !== undefined) return `follows ${leader} in term ${currentTerm}: heard its AppendEntries${was}`
  if (after.quorumLost && isOutside(after))
    return `no longer leads or follows in term ${currentTerm}: it is no member${was}`
  if (after.quorumLost && before._tag === "Leader")
    return `steps down as leader of term ${currentTerm}: no majority answered for an election timeout`
  if (after.quorumLost) return `follower in term ${currentTerm}: ${reasonToAsk(before)}, and it may not stand${was}`
  if (currentTerm === before.currentTerm) return `follower in term ${currentTerm}${was}`
  const vote = after.votedFor === undefined ? "no vote yet" : `voted for ${after.votedFor}`
  return `follower in term ${currentTerm}: heard of a later term, ${vote}${was}`
}

const roleName = (state: State): string => {
  switch (state._tag) {
    case "Follower":
      return "follower"
    case "PreCandidate":
    case "Candidate":
      return "candidate"
    case "Leader":
      return "leader"
  }
}

const reasonToAsk = (before: State): string => {
  switch (before._tag) {
    case "Follower":
      return before.leader === undefined ? "no leader known" : `leader ${before.leader} went silent`
    case "PreCandidate":
    case "Candidate":
      return "the election was not decided"
    case "Leader":
      return "no majority answered"
  }
}

/** Whose votes: those counted before, and those that came with this batch. */
const votes = (before: State, after: State, events: ReadonlyArray<RaftEvent<unknown, unknown>>): string => {
  const granted = new Set(before._tag === "Candidate" ? before.votes : [])
  granted.add(after.id)
  for (const event of events) {
    if (event._tag !== "MessageReceived" || event.message._tag !== "RequestVoteReply") continue
    if (event.message.granted && event.message.term === after.currentTerm) granted.add(event.from)
  }
  return `votes of ${[...granted].join(", ")} (${granted.size} of ${after.configuration.voters.length})`
}
