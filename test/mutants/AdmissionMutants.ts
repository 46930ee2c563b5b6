/** Bugs about replicas whose disk is not what it was: who may vote, and what counts. */
import { type Mutant, mutant } from "./Mutant.ts"

const forgotten = "isMeant && state.admitted ?"

export const admissionMutants: ReadonlyArray<Mutant> = [
  mutant(
    "who is not admitted votes",
    ["Viewstamped Replication Revisited §4.3", "I9, I4"],
    ["Admission.ts", "state.admitted || (mayBegin(state) && last.index === 0)", "true"]
  ),
  mutant(
    "who is not admitted votes while its log is empty",
    ["own", "I9, I4"],
    ["Admission.ts", "(mayBegin(state) && last.index === 0)", "mayBegin(state)"],
    ["Admission.ts", "return message.last.index > 0", "return false"]
  ),
  mutant(
    "who is not admitted votes for an empty log",
    ["own", "I9"],
    ["Admission.ts", "(mayBegin(state) && last.index === 0)", "last.index === 0"]
  ),
  mutant(
    "who gave up its log is taken for a beginner",
    ["own", "I9, I4"],
    ["Admission.ts", "state.pristine && isBlank(state)", "isBlank(state)"]
  ),
  mutant(
    "every start is a beginner's",
    ["own", "I9, I4"],
    ["Replica.ts", "pristine: start.admitted === undefined", "pristine: true"]
  ),
  mutant(
    "at a cluster's beginning nobody votes",
    ["own", "I20"],
    ["Admission.ts", "state.admitted || (mayBegin(state) && last.index === 0)", "state.admitted"]
  ),
  mutant(
    "who is not admitted stands",
    ["own", "I4"],
    [
      "Admission.ts",
      "isVoter(state.configurations, state.id) &&\n  (state.admitted || mayBegin(state))",
      "isVoter(state.configurations, state.id)"
    ]
  ),
  mutant(
    "at a cluster's beginning nobody stands",
    ["own", "I20"],
    ["Admission.ts", "state.id) &&\n  (state.admitted || mayBegin(state))", "state.id) &&\n  state.admitted"]
  ),
  mutant(
    "standing goes on when the log is not empty any more",
    ["own", "I4"],
    ["Snapshotting.ts", `installed._tag === "Follower" || Admission.mayStand(installed)`, "true"]
  ),
  mutant("a vote does not admit", ["own", "I20"], ["Election.ts", "votedFor: from, admitted: true", "votedFor: from"]),
  mutant(
    "standing does not admit",
    ["own", "I20"],
    ["Election.ts", "admitted: true,\n    votes: self,", "votes: self,"]
  ),
  mutant(
    "admission is not stored",
    ["own", "I9"],
    [
      "Durability.ts",
      "before.admitted === after.admitted && before.pristine === after.pristine ? undefined : after.admitted",
      "undefined as boolean | undefined"
    ]
  ),
  mutant(
    "with an empty log a majority is enough",
    ["own", "I4 [95]"],
    [
      "Admission.ts",
      "if (!isBlank(state) || Configurations.allVoters(configuration).every((id) => votes.has(id))) return true",
      "return true"
    ]
  ),
  mutant(
    "with an empty log all must answer",
    ["own", "I20"],
    ["Election.ts", `state._tag === "PreCandidate" && Admission.mayBeginWith(state)`, "false"]
  ),
  mutant(
    "with an empty log all must be for it, also where it has forgotten nothing",
    ["own", "I20"],
    ["Admission.ts", "return state.admitted && Configurations.isQuorum(", "return false && Configurations.isQuorum("]
  ),
  mutant(
    "who is not admitted begins with a majority of those who are",
    ["own", "I1"],
    ["Admission.ts", "return state.admitted && Configurations.isQuorum(", "return Configurations.isQuorum("]
  ),
  mutant(
    "who may have forgotten something is heeded like the rest",
    ["own", "I4 [95]"],
    ["Admission.ts", "!doubtful.has(id)", "true"]
  ),
  mutant(
    "everybody answers as one who is admitted",
    ["own", "I4 [95]"],
    ["Election.ts", "granted, admitted })\n  if", "granted, admitted: true })\n  if"]
  ),
  mutant(
    "at the deadline a refusal does not matter",
    ["own", "I4 [95]"],
    ["Admission.ts", "state.heard.size === state.votes.size", "true"]
  ),
  mutant(
    "at the deadline no majority is needed",
    ["own", "thesis §9.6"],
    ["Admission.ts", "  Configurations.isQuorum(state.configuration, state.votes) &&\n  state.heard", "  state.heard"]
  ),
  mutant(
    "who has heard of a history stands when the last is for it",
    ["own", "I4 [95]"],
    ["Admission.ts", "if (!mayStand(state)) return false\n", "\n"]
  ),
  mutant(
    "nobody minds that there is a history",
    ["own", "I4 [95]"],
    ["Receiving.ts", "Admission.hear(before, message)", "before"]
  ),
  mutant(
    "entries are no sign of a history",
    ["own", "I4 [95]"],
    ["Admission.ts", `    case "AppendEntries":\n    case "InstallSnapshot":`, `    case "InstallSnapshot":`]
  ),
  mutant(
    "a snapshot is no sign of a history",
    ["own", "I4 [95]"],
    ["Admission.ts", `    case "AppendEntries":\n    case "InstallSnapshot":`, `    case "AppendEntries":`]
  ),
  mutant(
    "a log is no sign of a history",
    ["own", "I4 [95]"],
    ["Admission.ts", "return message.last.index > 0", "return false"]
  ),
  mutant(
    "every question is a sign of a history",
    ["own", "I20"],
    ["Admission.ts", "return message.last.index > 0", "return true"]
  ),
  mutant(
    "who is admitted minds that there is a history",
    ["own", "a write for nothing"],
    ["Admission.ts", "state.pristine && !state.admitted && showsHistory", "state.pristine && showsHistory"]
  ),
  mutant(
    "that there is a history is not stored",
    ["own", "I9 [95]"],
    [
      "Durability.ts",
      "before.admitted === after.admitted && before.pristine === after.pristine",
      "before.admitted === after.admitted"
    ]
  ),
  mutant(
    "everybody is admitted after a restart",
    ["own", "I9"],
    ["Replica.ts", "admitted: start.admitted ?? false,", "admitted: true,"]
  ),
  mutant(
    "an acknowledgement by one that is not admitted commits",
    ["own", "I7"],
    [
      "Proposing.ts",
      `Progresses.counted(state.progress.get(id), "matchIndex")`,
      "(state.progress.get(id)?.matchIndex ?? 0)"
    ]
  ),
  mutant(
    "one that is not admitted confirms a round",
    ["own", "I16"],
    [
      "Replication.ts",
      "admitted ? Math.max(known.confirmedRound, message.round) : known.confirmedRound",
      "Math.max(known.confirmedRound, message.round)"
    ],
    [
      "Settling.ts",
      `Progresses.counted(state.progress.get(id), "confirmedRound")`,
      "(state.progress.get(id)?.confirmedRound ?? 0)"
    ]
  ),
  mutant(
    "what one confirmed before it was admitted counts later",
    ["own", "I16"],
    [
      "Replication.ts",
      "admitted ? Math.max(known.confirmedRound, message.round) : known.confirmedRound",
      "Math.max(known.confirmedRound, message.round)"
    ]
  ),
  mutant(
    "one that is not admitted keeps a leader leading",
    ["own", "[32]"],
    ["Replication.ts", `Progresses.counted(progress.get(id), "heardAt")`, "(progress.get(id)?.heardAt ?? 0)"]
  ),
  mutant(
    "one that is not admitted is taken for one that is",
    ["own", "I7"],
    ["Replication.ts", "    admitted,\n    version,", "    version,"]
  ),
  mutant(
    "admission asks not all others",
    ["own", "I9, I4"],
    [
      "Admission.ts",
      ".every((peer) => state.introductions.by.has(peer))",
      ".some((peer) => state.introductions.by.has(peer))"
    ]
  ),
  mutant(
    "admission does not wait for what was known to be committed",
    ["own", "I4"],
    ["Admission.ts", "    commitIndex >= state.introductions.floor &&\n", ""]
  ),
  mutant(
    "admission does not wait for an entry of the term",
    ["own", "I4"],
    ["Admission.ts", " &&\n    Logs.termAt(log, commitIndex) === state.currentTerm", ""]
  ),
  mutant(
    "admission does not wait for the leader's answer",
    ["own", "I4"],
    ["Admission.ts", "    state.introductions.term === state.currentTerm &&\n", ""]
  ),
  mutant(
    "any replica's answer is taken for the leader's",
    ["own", "I4"],
    ["Admission.ts", "message.leads && message.term >= known.term", "message.term >= known.term"]
  ),
  mutant(
    "everybody answers as a leader",
    ["own", "I4"],
    ["Admission.ts", `const leads = state._tag === "Leader"`, "const leads = true"]
  ),
  mutant(
    "an earlier leader's answer takes the place of a later one's",
    ["own", "I20"],
    ["Admission.ts", "message.leads && message.term >= known.term", "message.leads"]
  ),
  mutant(
    "answers to an earlier life are taken",
    ["own", "I9, I4"],
    ["Admission.ts", "state.admitted || message.incarnation !== state.incarnation", "state.admitted"]
  ),
  mutant(
    "a leader does not say what is committed",
    ["own", "I4"],
    ["Admission.ts", "incarnation, leads, commitIndex })", "incarnation, leads, commitIndex: Index(0) })"]
  ),
  mutant(
    "nobody is asked anew in a new term",
    ["own", "I20"],
    ["Admission.ts", "by.has(peer) && (peer !== leader || term === state.currentTerm)", "by.has(peer)"]
  ),
  mutant(
    "nobody is asked while nobody leads",
    ["own", "I20"],
    ["Replica.ts", "  Admission.introduce(state, batch)\n  return becomeFollower", "  return becomeFollower"]
  ),
  mutant(
    "who is asked forgets no earlier life",
    ["own", "I7"],
    [
      "Replication.ts",
      "before === undefined || message.incarnation <= before.incarnation) return state",
      "before === undefined || message.incarnation > 0) return state"
    ]
  ),
  mutant(
    "who is asked in an earlier term forgets no earlier life",
    ["own", "I7"],
    [
      "Receiving.ts",
      `held: 0 })\n      return state\n    case "Introduce":\n      return Replication.onIntroduce(state, { from, message, at }, batch)`,
      `held: 0 })\n      return state\n    case "Introduce":\n      Admission.onIntroduce(state, { from, message }, batch)\n      return state`
    ]
  ),
  mutant(
    "acknowledgements of an earlier life count",
    ["own", "I7"],
    ["Replication.ts", "if (incarnation < before.incarnation) return state\n", "\n"]
  ),
  mutant(
    "nobody notices that a follower was restarted",
    ["own", "I7"],
    [
      "Replication.ts",
      "incarnation > before.incarnation ? Progresses.restarted(before, incarnation) : before",
      "before"
    ]
  ),
  mutant(
    "what an earlier life acknowledged counts for the next",
    ["own", "I7"],
    ["Progress.ts", "    matchIndex: Index(0),\n    incarnation,", "    incarnation,"]
  ),
  mutant(
    "what an earlier life acknowledged is forgotten",
    ["own", "I9 [95]"],
    ["Progress.ts", "Index(Math.max(matchIndex, acknowledged))", "acknowledged"]
  ),
  mutant(
    "what an earlier life acknowledged is never met",
    ["own", "I20 [95]"],
    ["Progress.ts", "match >= progress.acknowledged ? Index(0) : progress.acknowledged", "progress.acknowledged"]
  ),
  mutant(
    "a comparison outlives a restart",
    ["own", "I22"],
    [
      "Progress.ts",
      "acknowledged: Index(Math.max(matchIndex, acknowledged)),\n    compared: undefined",
      "acknowledged: Index(Math.max(matchIndex, acknowledged))"
    ]
  ),
  mutant(
    "nobody is told what it has forgotten",
    ["own", "I9 [95]"],
    ["Replication.ts", "message.result.hint.index < progress.acknowledged", "message.result.hint.index < 0"]
  ),
  mutant(
    "who has forgotten nothing is told that it has",
    ["own", "I20 [95]"],
    [
      "Replication.ts",
      "message.result.hint.index < progress.acknowledged",
      "message.result.hint.index <= progress.acknowledged"
    ]
  ),
  mutant(
    "who has forgotten what it promised does not mind",
    ["own", "I9 [95]"],
    ["Admission.ts", forgotten, "isMeant && !state.admitted ?"]
  ),
  mutant(
    "who holds all is made to forget",
    ["own", "I20 [95]"],
    ["Admission.ts", " &&\n    message.index > Logs.lastIndex(state.stateMachine.log)", ""]
  ),
  mutant(
    "an earlier life's loss is this one's",
    ["own", "I20 [95]"],
    ["Admission.ts", "    message.incarnation === state.incarnation &&\n    message.index", "    message.index"]
  ),
  mutant(
    "anybody may make a follower forget",
    ["own", "I20 [95]"],
    ["Admission.ts", "    state.leader === from &&\n    message.incarnation", "    message.incarnation"]
  ),
  mutant(
    "who has forgotten still knows all others",
    ["own", "I9 [95]"],
    ["Admission.ts", "admitted: false, introductions: none }", "admitted: false }"]
  )
]
