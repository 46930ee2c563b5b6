/** Bugs in terms, votes and pre-votes, and in what makes a leader give up. */
import { type Mutant, mutant } from "./Mutant.ts"

export const electionMutants: ReadonlyArray<Mutant> = [
  mutant(
    "the vote outlives its term",
    ["classic", "I20"],
    [
      "ServerState.ts",
      "votedFor: as.term === state.currentTerm ? state.votedFor : undefined",
      "votedFor: state.votedFor"
    ]
  ),
  mutant(
    "the vote is forgotten within its term",
    ["classic", "I9, I1"],
    ["ServerState.ts", "votedFor: as.term === state.currentTerm ? state.votedFor : undefined", "votedFor: undefined"]
  ),
  mutant(
    "a doubled vote counts twice",
    ["SandTable", "I1 [15]"],
    [
      "Election.ts",
      "new Set(state.votes).add(from)",
      "new Set(state.votes).add(`${from} ${state.votes.size}` as ReplicaId)"
    ],
    ["Configuration.ts", "return count >= majority(voters.length)", "return ids.size >= majority(voters.length)"]
  ),
  mutant(
    "a vote of an earlier term counts",
    ["classic, CCF", "I1 [16]"],
    [
      "Receiving.ts",
      `    case "RequestVoteReply":\n    case "AppendEntriesReply":\n    case "Forward":`,
      `    case "RequestVoteReply":\n      return Election.onRequestVoteReply(state, { from, message, at })\n    case "AppendEntriesReply":\n    case "Forward":`
    ]
  ),
  mutant(
    "a vote is granted without a look at the log",
    ["classic", "I4 [9]"],
    [
      "Election.ts",
      "(state.votedFor === undefined || state.votedFor === from) &&\n    Logs.upToDate(message.last, Logs.last(state.stateMachine.log))",
      "(state.votedFor === undefined || state.votedFor === from)"
    ]
  ),
  mutant(
    "neither vote nor pre-vote looks at the log",
    ["classic", "I4 [9]"],
    ["Log.ts", "candidate.term !== own.term ? candidate.term > own.term : candidate.index >= own.index", "true"]
  ),
  mutant(
    "logs are compared by index before term",
    ["classic", "I4 [9]"],
    [
      "Log.ts",
      "candidate.term !== own.term ? candidate.term > own.term : candidate.index >= own.index",
      "candidate.index !== own.index ? candidate.index > own.index : candidate.term >= own.term"
    ]
  ),
  mutant(
    "an equal log is not good enough",
    ["classic", "I20 [9]"],
    ["Log.ts", "candidate.index >= own.index", "candidate.index > own.index"]
  ),
  mutant(
    "the vote is not stored",
    ["classic", "I9 [20]"],
    [
      "Durability.ts",
      "before.currentTerm === after.currentTerm && before.votedFor === after.votedFor",
      "before.currentTerm === after.currentTerm"
    ]
  ),
  mutant(
    "the vote is forgotten on a restart",
    ["classic", "I9 [20]"],
    ["Replica.ts", "votedFor: start.hardState.votedFor", "votedFor: undefined"]
  ),
  mutant(
    "vote and term are stored in two writes",
    ["hashicorp#661", "I9 [77]"],
    [
      "Durability.ts",
      "if (hardState !== undefined || admitted !== undefined || isAhead) return [persist, ...effects]",
      "if (hardState !== undefined) return [{ ...persist, base: undefined, log: undefined, hardState: { ...hardState, currentTerm: before.currentTerm } }, persist, ...effects]"
    ]
  ),
  mutant(
    "votes leave before they are stored",
    ["hashicorp#661", "I10"],
    [
      "Durability.ts",
      "if (hardState !== undefined || admitted !== undefined || isAhead) return [persist, ...effects]",
      "if (hardState !== undefined) return [...effects, persist]"
    ]
  ),
  mutant(
    "a candidate ignores the leader of its term",
    ["classic", "I20 [10]"],
    [
      "Replication.ts",
      "if (hasAnotherLeader(state, from))",
      `if (hasAnotherLeader(state, from) || state._tag === "Candidate")`
    ]
  ),
  mutant(
    "a pre-vote raises the term",
    ["thesis §9.6", "[24]"],
    [
      "Election.ts",
      `_tag: "PreCandidate",\n    reads`,
      `_tag: "PreCandidate",\n    currentTerm: Term(state.currentTerm + 1),\n    votedFor: undefined,\n    reads`
    ]
  ),
  mutant(
    "there is no pre-vote",
    ["thesis §9.6", "[25]"],
    [
      "Election.ts",
      "if (Configurations.isQuorum(state.configuration, self)) return becomeCandidate(core, candidate, at, batch)",
      "return becomeCandidate(core, candidate, at, batch)"
    ]
  ),
  mutant(
    "a pre-vote does not ask whether there is a leader",
    ["etcd", "[26]"],
    ["Election.ts", "!trustsLeader(state, core.options.electionTimeoutMillis, at) &&", ""]
  ),
  mutant(
    "a vote does not ask whether there is a leader",
    ["thesis §4.2.3", "[25]"],
    [
      "Receiving.ts",
      "if (isDisturbing && Election.trustsLeader",
      'if (isDisturbing && state._tag === "Leader" && Election.trustsLeader'
    ]
  ),
  mutant(
    "a leader once heard is trusted for ever",
    ["own", "I20"],
    [
      "Election.ts",
      "state.leader !== undefined && at < state.leaderHeardAt + electionTimeoutMillis",
      "state.leader !== undefined"
    ]
  ),
  mutant(
    "a willingness of an earlier term counts",
    ["etcd, CockroachDB", "[28]"],
    [
      "Election.ts",
      `state._tag !== "PreCandidate" || message.askedIn !== state.currentTerm`,
      `state._tag !== "PreCandidate"`
    ]
  ),
  mutant(
    "a leader that hears nobody stays",
    ["Cloudflare 2020", "[32] [34]"],
    ["Replication.ts", 'Progresses.counted(progress.get(id), "heardAt")', "Number.POSITIVE_INFINITY"]
  ),
  mutant(
    "whatever a leader sends counts as heard",
    ["own", "[34]"],
    [
      "Replication.ts",
      "progress = { ...progress, sentAt: at, unanswered, sentCommit",
      "progress = { ...progress, sentAt: at, heardAt: at, unanswered, sentCommit"
    ]
  ),
  mutant(
    "the election timeout is fixed",
    ["classic", "[3] [6]"],
    ["ServerState.ts", "options.electionTimeoutMillis * (1 + draw)", "options.electionTimeoutMillis * 1.5"]
  ),
  mutant(
    "every attempt draws the same timeout",
    ["own", "[3]"],
    [
      "ServerState.ts",
      "electionTimeoutMillis * (1 + draw)), seed: next }",
      "electionTimeoutMillis * (1 + draw)), seed }"
    ]
  ),
  mutant(
    "an answer of a later term does not bring a leader down",
    ["classic", "[11]"],
    [
      "Receiving.ts",
      `message._tag !== "PreVote") {`,
      `message._tag !== "PreVote" && message._tag !== "AppendEntriesReply") {`
    ]
  ),
  mutant(
    "half of the members are a majority",
    ["classic", "I1, I6 [4]"],
    ["Configuration.ts", "Math.floor(voters / 2) + 1", "Math.ceil(voters / 2)"]
  ),
  mutant(
    "one less than half is a majority",
    ["classic", "I1, I6 [4]"],
    ["Configuration.ts", "Math.floor(voters / 2) + 1", "Math.floor(voters / 2)"]
  ),
  mutant(
    "a majority is one more than a majority",
    ["own", "I20 [4]"],
    ["Configuration.ts", "Math.floor(voters / 2) + 1", "Math.min(voters, Math.floor(voters / 2) + 2)"]
  ),
  mutant(
    "who is no member is heard",
    ["hashicorp, CockroachDB", "[19]"],
    [
      "Receiving.ts",
      "if (from === before.id || !isHeard(before, from, message)) return before",
      "if (from === before.id) return before"
    ]
  ),
  mutant(
    "a vote is no reason to wait",
    ["own", "[13]"],
    [
      "Election.ts",
      "{ ...state, ...drawElectionDeadline(core.options, state.seed, at), votedFor: from, admitted: true }",
      "{ ...state, votedFor: from, admitted: true }"
    ]
  ),
  mutant(
    "a leader obeys whoever claims its term",
    ["own", "[10]"],
    ["Replication.ts", "hasAnotherLeader(state, from)", "false"]
  )
]
