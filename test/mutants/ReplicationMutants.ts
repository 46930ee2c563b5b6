/** Bugs in AppendEntries, in what followers keep, what leaders believe of them, and in what counts as committed. */
import { type Mutant, mutant } from "./Mutant.ts"

export const replicationMutants: ReadonlyArray<Mutant> = [
  mutant(
    "old entries are committed by counting",
    ["Figure 8, LogCabin#44, PySyncObj#169", "I4, I6 [66]"],
    [
      "Proposing.ts",
      "if (replicated <= commitIndex || Logs.termAt(log, replicated) !== state.currentTerm) return state",
      "if (replicated <= commitIndex) return state"
    ]
  ),
  mutant(
    "an old append shortens the log",
    ["Students' Guide to Raft, WRaft", "I13, I7 [43]"],
    [
      "Replication.ts",
      "const first = entries.findIndex((entry) => Logs.termAt(log, entry.index) !== entry.term)",
      "const first = entries.length === 0 ? -1 : 0"
    ],
    ["Replication.ts", "fresh.length > 0 && fresh[0]!.index <= commitIndex", "false"]
  ),
  mutant(
    "a heartbeat cuts the log off behind it",
    ["Students' Guide to Raft", "I13, I7 [43]"],
    [
      "Replication.ts",
      "const next = fresh.length === 0 ? log :",
      "const next = fresh.length === 0 ? Logs.truncate(log, Index(matchIndex + 1)) :"
    ]
  ),
  mutant(
    "a conflicting entry is kept",
    ["classic", "I3 [42]"],
    [
      "Replication.ts",
      "(entry) => Logs.termAt(log, entry.index) !== entry.term",
      "(entry) => Logs.termAt(log, entry.index) === undefined"
    ]
  ),
  mutant(
    "overlapping entries are appended at the end",
    ["classic", "I3 [42]"],
    ["Replication.ts", "Logs.append(Logs.truncate(log, fresh[0]!.index), fresh)", "Logs.append(log, fresh)"]
  ),
  mutant(
    "prevLogTerm is not compared",
    ["classic", "I3 [41]"],
    ["Replication.ts", "if (term !== prev.term) {", "if (term === undefined) {"]
  ),
  mutant(
    "a follower commits all that the leader has",
    ["classic", "I5 [69]"],
    ["Replication.ts", "Index(Math.min(leaderCommit, matchIndex))", "leaderCommit"]
  ),
  mutant(
    "a follower claims its whole log",
    ["classic", "I6 [69]"],
    [
      "Replication.ts",
      `result: { _tag: "Matched", matchIndex }, change }`,
      `result: { _tag: "Matched", matchIndex: Logs.lastIndex(next) }, change }`
    ]
  ),
  mutant(
    "matchIndex is what was sent, not what was answered",
    ["SandTable", "I6 [46]"],
    [
      "Replication.ts",
      "Progresses.onMatched(progress, result.matchIndex, log.base.index)",
      "Progresses.onMatched(progress, Index(progress.nextIndex - 1), log.base.index)"
    ]
  ),
  mutant(
    "an old answer lowers matchIndex",
    ["SandTable", "I8 [46]"],
    ["Progress.ts", "Index(Math.max(progress.matchIndex, matchIndex))", "matchIndex"]
  ),
  mutant(
    "an acknowledgement of an earlier term counts",
    ["CCF", "I6 [12]"],
    [
      "Receiving.ts",
      `    case "RequestVoteReply":\n    case "AppendEntriesReply":\n    case "Forward":\n`,
      `    case "AppendEntriesReply":\n      return Replication.onAppendEntriesReply(state, { from, message, at }, batch)\n    case "RequestVoteReply":\n    case "Forward":\n`
    ]
  ),
  mutant(
    "an append of an earlier term is taken",
    ["classic", "I3, I7 [12]"],
    [
      "Receiving.ts",
      `    case "AppendEntries": {`,
      `    case "AppendEntries": {\n      if (state.currentTerm > 0) return Replication.onAppendEntries(core, state, { from, message, at }, batch)`
    ]
  ),
  mutant(
    "followers acknowledge before they store",
    ["tikv#994, NATS", "I10, I7 [78]"],
    ["Durability.ts", `effect.message._tag === "AppendEntries"`, `effect.message._tag.startsWith("AppendEntries")`]
  ),
  mutant(
    "everything leaves before it is stored",
    ["tikv#994, d-engine#329", "I10 [78]"],
    [
      "Durability.ts",
      "return [...effects.filter(isEarly), persist, ...effects.filter((effect) => !isEarly(effect))]",
      "return [...effects, persist]"
    ]
  ),
  mutant(
    "clients are answered before their write is stored",
    ["etcd#14370", "I10 [68]"],
    [
      "Durability.ts",
      "if (hardState !== undefined || admitted !== undefined || isAhead) return [persist, ...effects]",
      `if (isAhead && hardState === undefined && admitted === undefined) return [...effects.filter((effect) => effect._tag === "Reply"), persist, ...effects.filter((effect) => effect._tag !== "Reply")]\n  if (hardState !== undefined || admitted !== undefined || isAhead) return [persist, ...effects]`
    ]
  ),
  mutant(
    "clients are answered early, whatever is being stored",
    ["own, etcd#14370", "I10 [68]"],
    ["Durability.ts", `(isDurable && effect._tag === "Reply")`, `effect._tag === "Reply"`]
  ),
  mutant(
    "what replaces the end of a log is shown before it is stored",
    ["own", "I10"],
    ["Durability.ts", "stateMachine.commitIndex < log.from", "stateMachine.commitIndex > 0"]
  ),
  mutant(
    "the first entry that is being stored is shown",
    ["own", "I10"],
    ["Durability.ts", "stateMachine.commitIndex < log.from", "stateMachine.commitIndex <= log.from"]
  ),
  mutant(
    "what was applied is shown in a term that is not stored",
    ["own", "I10"],
    ["Durability.ts", "  hardState === undefined &&\n  admitted === undefined &&", "  admitted === undefined &&"]
  ),
  mutant(
    "what was applied is shown before it is stored who may vote",
    ["own", "I10"],
    ["Durability.ts", "  hardState === undefined &&\n  admitted === undefined &&", "  hardState === undefined &&"]
  ),
  mutant(
    "what a snapshot has brought is shown before the log begins behind it",
    ["own", "I10"],
    ["Durability.ts", "  base === undefined &&\n", ""]
  ),
  mutant(
    "a leader counts what its disk has not got, when acknowledgements overtake it",
    ["own, thesis §10.2.1", "I6"],
    ["Overtaking.ts", "isSameReign && showsWhatIsDurable(writing, after) &&", "isSameReign &&"]
  ),
  mutant(
    "what must be stored is lost when it overtakes what is being stored",
    ["own", "I10"],
    [
      "Overtaking.ts",
      "showsWhatIsDurable(writing, after) && effects.every(waitsForNothing)",
      "showsWhatIsDurable(writing, after)"
    ]
  ),
  mutant(
    "a leader speaks before its term is stored",
    ["own, thesis §10.2.1", "I10"],
    [
      "Durability.ts",
      "if (hardState !== undefined || admitted !== undefined || isAhead) return [persist, ...effects]",
      "if (isAhead) return [persist, ...effects]"
    ]
  ),
  mutant(
    "a log that changed is not stored with a new term",
    ["own", "I7"],
    [
      "Durability.ts",
      "if (hardState !== undefined || admitted !== undefined || isAhead) return [persist, ...effects]",
      "if (hardState !== undefined) return [{ ...persist, log: undefined }, ...effects]"
    ]
  ),
  mutant(
    "the smaller half of an even cluster commits",
    ["own", "I6 [65]"],
    ["Configuration.ts", ".sort((a, b) => b - a)", ".sort((a, b) => a - b)"]
  ),
  mutant(
    "a leader commits what it alone holds",
    ["own", "I6 [65]"],
    [
      "Proposing.ts",
      "if (replicated <= commitIndex || Logs.termAt(log, replicated)",
      "if (last <= commitIndex || Logs.termAt(log, last)"
    ],
    [
      "Proposing.ts",
      "StateMachines.commitTo(state.stateMachine, replicated)",
      "StateMachines.commitTo(state.stateMachine, last)"
    ]
  ),
  mutant(
    "only the last entry is tried for commit",
    ["RaftOS", "[72]"],
    ["Proposing.ts", "if (replicated <= commitIndex ||", "if (replicated <= commitIndex || replicated !== last ||"]
  ),
  mutant(
    "an old heartbeat takes the commit back",
    ["PySyncObj#166", "I8 [70] [71]"],
    ["StateMachine.ts", "index > machine.commitIndex\n", "index !== machine.commitIndex\n"]
  ),
  mutant(
    "after a restart the whole log counts as committed",
    ["own", "I5, I6 [63]"],
    ["StateMachine.ts", "commitIndex: Index(0),", "commitIndex: Logs.lastIndex(log),"]
  ),
  mutant(
    "what is committed may be replaced",
    ["own", "I13"],
    ["Replication.ts", "fresh.length > 0 && fresh[0]!.index <= commitIndex", "false"]
  ),
  mutant(
    "a term begins without a no-op",
    ["classic", "I16, I20 [22] [67]"],
    ["Election.ts", "log: Logs.append(log, [noOp])", "log"]
  ),
  mutant(
    "an old refusal leads back to Probe",
    ["etcd, CCF", "[47]"],
    ["Replication.ts", "if (stale) return progress", ""]
  ),
  mutant(
    "a refusal takes back what has matched",
    ["own", "I8 [47]"],
    ["Replication.ts", "Index(Math.max(progress.matchIndex + 1, next))", "Index(next)"]
  ),
  mutant(
    "a refusal is asked again at the same place",
    ["own", "I20 [45]"],
    [
      "Replication.ts",
      "const next = Math.max(1, Math.min(agree + 1, result.prevIndex))",
      "const next = result.prevIndex + 1"
    ]
  ),
  mutant(
    "the hint is not used",
    ["own", "[45] [61]"],
    [
      "Replication.ts",
      "const next = Math.max(1, Math.min(agree + 1, result.prevIndex))",
      "const next = Math.max(1, Math.min(agree + 9999, result.prevIndex))"
    ]
  ),
  mutant(
    "a match beyond the end of the log is believed",
    ["toyDB", "I8 [48]"],
    [
      "Replication.ts",
      "return result.matchIndex > Logs.lastIndex(log)\n        ? progress\n        : Progresses",
      "return Progresses"
    ]
  ),
  mutant(
    "the window in messages is not kept",
    ["own", "I21 [53]"],
    ["Progress.ts", "progress.inflight.length < limits.appends && ", ""]
  ),
  mutant(
    "the window in bytes is not kept",
    ["own", "I21 [53]"],
    ["Progress.ts", " && inflightBytes(progress) < limits.bytes", ""]
  ),
  mutant(
    "what was answered stays in the window",
    ["own", "I20 [53]"],
    ["Progress.ts", "progress.inflight.filter((append) => append.last > match)", "progress.inflight"]
  ),
  mutant(
    "a probe does not wait for its answer",
    ["own", "[52]"],
    ["Replication.ts", "progress = { ...progress, asked: true }", "progress = { ...progress, asked: false }"]
  ),
  mutant(
    "a lost append is never sent again",
    ["own", "I20 [55]"],
    [
      "Replication.ts",
      "return Progresses.becomeProbe(progress, Index(",
      `return progress._tag === "Replicate" ? progress : Progresses.becomeProbe(progress, Index(`
    ]
  ),
  mutant(
    "one append may be of any length",
    ["own", "I21 [54]"],
    ["Replication.ts", "entries.length < core.options.maxAppendEntries", "true"]
  ),
  mutant(
    "a follower is supplied before the commit is known",
    ["own: the order of settle", "[50]"],
    [
      "Settling.ts",
      "const committed = Proposing.commit(confirmRounds(core, opened, batch), core.machine)",
      "const told = Replication.replicate(core, confirmRounds(core, opened, batch), at, batch)\n  const committed = Proposing.commit(told, core.machine)"
    ],
    ["Settling.ts", "const supplied = Replication.replicate(core, settled, at, batch)", "const supplied = settled"]
  ),
  mutant(
    "what is packed is taken for what it was",
    ["own", "I7"],
    ["Log.ts", ": termIn(before, offset) === termIn(after, offset)", ": offset >= 0"]
  ),
  mutant(
    "nothing is ever packed",
    ["own", "-"],
    ["Log.ts", "if (packer !== undefined && at >= 0) sealed[at] =", "if (packer !== undefined && at < 0) sealed[0] ="],
    ["Log.ts", "packer === undefined ? whole :", "packer !== undefined ? whole :"]
  ),
  mutant(
    "a packed block that is cut loses its last entry",
    ["own", "I2"],
    ["Block.ts", "Array.from({ length: count }", "Array.from({ length: count - 1 }"]
  )
]
