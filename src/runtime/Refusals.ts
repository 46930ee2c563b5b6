/** What a refusal comes to for whoever waits: nothing yet, or which error, in words that say what to do. */
import type { Outcome, Refusal } from "../raft/RaftEffect.ts"
import { AmendmentRefused, type RequestError, ResourceExhausted, Unavailable } from "./RequestError.ts"

/**
 * Whoever waits goes on waiting: a copy that an earlier leader was given may be logged though this one was refused,
 * and then its outcome will come. What a leader declined is told at once, with an outcome that nobody knows: a client
 * that is kept waiting at a limit only makes it worse.
 */
export const saysNothing = (outcome: Outcome<unknown, unknown>, mayBeLogged: boolean): boolean => {
  switch (outcome._tag) {
    case "Applied":
    case "Answered":
    case "Superseded":
    case "Amended":
      return false
    case "Refused":
      return mayBeLogged && (outcome.reason === "UncommittedBytes" || outcome.reason === "NoSpace")
    case "Declined":
      return false
  }
}

/** `diskSpace` is the limit that a full disk is: the name by which clients know it. */
export const diskFull = (whose: string, outcomeUnknown = false): ResourceExhausted =>
  new ResourceExhausted({
    message:
      `the disk of ${whose} is full: no writes until there is room, reads still work (diskSpace)` +
      (outcomeUnknown ? "; the write may still be applied" : ""),
    limit: "diskSpace",
    outcomeUnknown
  })

/** Nothing is answered here meanwhile; the other replicas go on. */
export const diskStuck = (): Unavailable =>
  new Unavailable({
    message: "the disk of this replica is full, and a write waits for room: ask another replica (diskSpace)",
    outcomeUnknown: false
  })

export const refusal = (reason: Refusal, outcomeUnknown: boolean): RequestError => {
  switch (reason) {
    case "NoQuorum":
      return new Unavailable({ message: "this replica reaches no majority of its cluster", outcomeUnknown })
    case "UncommittedBytes":
      return new ResourceExhausted({
        message: "too much is written and not yet committed; try later (maxUncommittedBytes)",
        limit: "maxUncommittedBytes",
        outcomeUnknown
      })
    case "WaitingReads":
      return new ResourceExhausted({
        message: "too many reads wait for an answer; try later (maxWaitingReads)",
        limit: "maxWaitingReads",
        outcomeUnknown: false
      })
    case "NoSpace":
      return diskFull(outcomeUnknown ? "the leader" : "this replica", outcomeUnknown)
    case "Diverged":
      return new Unavailable({ message: divergedMessage, outcomeUnknown })
    case "Removed":
      return new Unavailable({ message: outsideMessage, outcomeUnknown })
    case "Outdated":
      return new Unavailable({ message: outdatedMessage, outcomeUnknown })
    case "NotAMember":
    case "LastVoter":
    case "ChangePending":
    case "NotJoint":
    case "NotReady":
    case "WouldLoseQuorum":
    case "NotCaughtUp":
    case "UnknownVersion":
      return new AmendmentRefused({ reason, message: objections[reason], outcomeUnknown: false })
  }
}

export const objections = {
  NotAMember: "there is no such member; see them with: balsa member list",
  LastVoter: "it is the last voter, and nobody would be left to decide anything",
  ChangePending: "another change of the cluster is under way; try again when it is done",
  NotJoint: "there is no joint configuration to leave",
  NotReady: "the leader is new, or hands over just now; try again in a moment",
  WouldLoseQuorum:
    "of the voters that there would be then, too few are in reach: the cluster would stand still. " +
    "Bring them back first, or insist with --force",
  NotCaughtUp: "the learner has not caught up yet; wait until it has, or let it be promoted by itself",
  UnknownVersion: "there is no such version"
} as const

export const outsideMessage =
  "this replica is not a member of the cluster: it was removed, or not added yet; ask another one. " +
  "See the members with: balsa member list"

export const outdatedMessage =
  "the cluster has agreed on a version of its commands that this replica does not understand; start a newer " +
  "version of Balsa here, and ask another replica meanwhile"

export const divergedMessage =
  "this replica has come to differ from the others and serves nobody; ask another one. It is repaired, while it is " +
  'stopped, by "balsa storage repair --from-peers --diverged"'
