/** Marks about elections: who stood, who refused whom and why, and how it ended. */
import * as Logs from "../raft/Log.ts"
import { answerTo, onlyMessage, type Taken } from "./Taken.ts"

export const marks = [
  "a sole voter elected itself",
  "a leader elected",
  "a leader elected with inherited entries",
  "a leader stepped down for want of a quorum",
  "a pre-candidacy without result",
  "a candidacy without result",
  "a candidate conceded to a leader of its term",
  "a pre-candidate conceded to a leader",
  "a PreVote denied for the log",
  "a PreVote denied out of trust in a leader",
  "a PreVoteReply to an earlier question",
  "a vote denied for the log",
  "a vote denied, given to another",
  "a vote denied, a leader is known",
  "a vote granted again to the same candidate",
  "a RequestVote ignored out of trust in a leader",
  "a vote that came twice",
  "a vote that came after the election"
] as const

type Marker = (name: (typeof marks)[number]) => void

export const onStep = (step: Taken, mark: Marker): void => {
  onRole(step, mark)
  const received = onlyMessage(step)
  if (received !== undefined) onMessage(step, received, mark)
}

const onRole = ({ before, after }: Taken, mark: Marker): void => {
  if (before === after) return
  const sameTerm = before.currentTerm === after.currentTerm
  switch (after._tag) {
    case "Leader": {
      if (before._tag === "Leader" && sameTerm) return
      mark("a leader elected")
      if (after.progress.size === 0) mark("a sole voter elected itself")
      const { commitIndex, log } = before.stateMachine
      if (commitIndex < Logs.lastIndex(log)) mark("a leader elected with inherited entries")
      return
    }
    case "PreCandidate":
      if (before._tag === "PreCandidate" && before.electionDeadline !== after.electionDeadline) {
        mark("a pre-candidacy without result")
      }
      if (before._tag === "Candidate") mark("a candidacy without result")
      return
    case "Follower":
      if (!sameTerm) return
      if (before._tag === "Leader") mark("a leader stepped down for want of a quorum")
      if (before._tag === "Candidate") mark("a candidate conceded to a leader of its term")
      if (before._tag === "PreCandidate") mark("a pre-candidate conceded to a leader")
      return
    case "Candidate":
      return
  }
}

const onMessage = (step: Taken, { from, message }: NonNullable<ReturnType<typeof onlyMessage>>, mark: Marker): void => {
  const { before, after } = step
  switch (message._tag) {
    case "PreVote": {
      const answer = answerTo(step, from)
      if (answer?._tag !== "PreVoteReply" || answer.granted || message.term < before.currentTerm) return
      const behind = !Logs.upToDate(message.last, Logs.last(before.stateMachine.log))
      mark(behind ? "a PreVote denied for the log" : "a PreVote denied out of trust in a leader")
      return
    }
    case "PreVoteReply":
      if (before._tag === "PreCandidate" && message.askedIn !== before.currentTerm) {
        mark("a PreVoteReply to an earlier question")
      }
      return
    case "RequestVote": {
      if (message.term > before.currentTerm && after === before) {
        mark("a RequestVote ignored out of trust in a leader")
        return
      }
      const answer = answerTo(step, from)
      if (answer?._tag !== "RequestVoteReply" || message.term < before.currentTerm) return
      if (answer.granted) {
        if (before.votedFor === from && message.term === before.currentTerm)
          mark("a vote granted again to the same candidate")
        return
      }
      if (after._tag !== "Follower" || after.leader !== undefined) mark("a vote denied, a leader is known")
      if (after.votedFor === undefined) mark("a vote denied for the log")
      else if (after.votedFor !== from) mark("a vote denied, given to another")
      return
    }
    case "RequestVoteReply": {
      const current = message.term === before.currentTerm && message.granted
      if (current && before._tag === "Candidate" && after === before) mark("a vote that came twice")
      if (current && before._tag === "Leader") mark("a vote that came after the election")
      return
    }
    default:
      return
  }
}
