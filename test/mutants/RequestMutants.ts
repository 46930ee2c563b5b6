/** Bugs in what becomes of a client's request: applied once, answered where it was asked, refused or unknown; and where a disk is full. */
import { type Mutant, mutant } from "./Mutant.ts"

export const requestMutants: ReadonlyArray<Mutant> = [
  mutant(
    "a retry is applied again",
    ["RedisRaft", "I15 [146]"],
    [
      "StateMachine.ts",
      "if (isLater(request, (applied ?? stateMachine.applied).get(request.replica))) {",
      "if (isLater(request, undefined)) {"
    ]
  ),
  mutant(
    "a retry is applied again if nothing came between",
    ["own", "I15 [146]"],
    ["StateMachine.ts", "request.sequence > other.sequence)", "request.sequence >= other.sequence)"]
  ),
  mutant(
    "a retry within one batch of applies is applied again",
    ["own", "I15 [146]"],
    ["StateMachine.ts", "(applied ?? stateMachine.applied).get", "stateMachine.applied.get"]
  ),
  mutant(
    "what was applied is forgotten after each batch",
    ["own", "I15 [146]"],
    ["StateMachine.ts", "applied: applied ?? stateMachine.applied,", "applied: applied ?? new Map(),"]
  ),
  mutant(
    "a request that was skipped is answered as applied",
    ["RedisRaft: rolled back", "I14, I15 [148]"],
    [
      "StateMachine.ts",
      "onApplied(request, superseded)",
      `onApplied(request, { _tag: "Applied", result: undefined as never })`
    ]
  ),
  mutant(
    "a request is answered when it is logged",
    ["RedisRaft: rolled back", "I14 [148]"],
    [
      "Proposing.ts",
      "    uncommittedBytes += bytes\n",
      `    uncommittedBytes += bytes\n    if (request.replica === state.id) batch.said.push({ _tag: "Reply", request, outcome: { _tag: "Applied", result: core.machine.apply(state.stateMachine.value, command)[1] } })\n`
    ]
  ),
  mutant(
    "the names of requests do not count restarts",
    ["own", "I20 [146]"],
    [
      "StateMachine.ts",
      "request.incarnation > other.incarnation ||\n  (request.incarnation === other.incarnation && request.sequence > other.sequence)",
      "request.sequence > other.sequence"
    ]
  ),
  mutant(
    "a late request of an earlier start is applied",
    ["own", "I15 [146]"],
    ["StateMachine.ts", "request.incarnation > other.incarnation ||", "request.incarnation !== other.incarnation ||"]
  ),
  mutant(
    "a request of the replica's earlier start is answered",
    ["own", "[146]"],
    [
      "Settling.ts",
      "request.replica === state.id && request.incarnation === state.incarnation",
      "request.replica === state.id"
    ]
  ),
  mutant(
    "every replica answers every request",
    ["own", "[146]"],
    ["Settling.ts", "request.replica === state.id && request.incarnation === state.incarnation", "request.sequence > 0"]
  ),
  mutant(
    "others' requests are passed on",
    ["own", "[56]"],
    ["Settling.ts", "batch.commands.filter((command) => isOwn(state, command))", "batch.commands"]
  ),
  mutant(
    "what was refused is logged all the same",
    ["own", "I14 [58]"],
    ["Proposing.ts", `"UncommittedBytes" })\n      continue`, `"UncommittedBytes" })`]
  ),
  mutant(
    "a leader refuses others' requests in its own name",
    ["own", "I14 [58]"],
    ["Refusing.ts", "if (request.replica === state.id) here(", 'if (request.replica !== "") here(']
  ),
  mutant(
    "what is uncommitted has no limit",
    ["etcd", "I21 [58]"],
    [
      "Proposing.ts",
      "uncommittedBytes > 0 && uncommittedBytes + bytes > core.options.maxUncommittedBytes",
      "uncommittedBytes < 0"
    ]
  ),
  mutant(
    "what is committed still counts as uncommitted",
    ["etcd, rabbitmq/ra", "I20 [58]"],
    ["Proposing.ts", "if (entry.term === state.currentTerm) uncommittedBytes -= sizeOf(entry, machine)", ""]
  ),
  mutant(
    "what was inherited makes room",
    ["own", "I21 [58]"],
    ["Proposing.ts", "if (entry.term === state.currentTerm) uncommittedBytes", "uncommittedBytes"]
  ),
  mutant(
    "a request larger than the limit is never taken",
    ["own", "I20 [58]"],
    ["Proposing.ts", "= uncommittedBytes > 0 && uncommittedBytes + bytes", "= uncommittedBytes + bytes"]
  ),
  mutant(
    "commands are forwarded in the wrong order",
    ["own", "I20 [59]"],
    ["Settling.ts", "piece.push(request)", "piece.unshift(request)"]
  ),
  mutant(
    "whoever forwarded is not told of the commit",
    ["own", "[56]"],
    [
      "Proposing.ts",
      "for (const origin of origins) progress = Progresses.awaitCommit(progress, origin, Index(index))",
      ""
    ]
  ),
  mutant(
    "who waits for a commit is told when it is too early",
    ["own", "[50]"],
    [
      "Replication.ts",
      "const owesCommit = Math.min(progress.awaits, commitIndex) > progress.sentCommit",
      "const owesCommit = progress.awaits > progress.sentCommit && progress.sentCommit < commitIndex - 1"
    ]
  ),
  mutant(
    "nobody is told that there is a leader",
    ["own", "[57]"],
    ["Durability.ts", `return [{ _tag: "LeaderChanged", leader, term }]`, "return []"]
  ),
  mutant(
    "nobody is told that the majority is lost",
    ["own", "[32]"],
    ["Durability.ts", `return quorumLost(after) && !quorumLost(before) ? [{ _tag: "QuorumLost" }] : []`, "return []"]
  ),
  mutant(
    "a leader that steps down does not know that it is alone",
    ["own", "[32]"],
    [
      "Replica.ts",
      ": becomeFollower(state, core.options, { term: state.currentTerm, leader: undefined, at, quorumLost: true })",
      ": becomeFollower(state, core.options, { term: state.currentTerm, leader: undefined, at, quorumLost: false })"
    ]
  ),
  mutant(
    "a replica never finds out that no majority is in reach",
    ["own", "[35]"],
    ["Election.ts", "return !Configurations.isQuorum(state.configuration, state.heard)", "return false"]
  ),
  mutant(
    "a majority that answers again goes unnoticed",
    ["own", "[35]"],
    [
      "Election.ts",
      "quorumLost: state.quorumLost && !Configurations.isQuorum(state.configuration, heard)",
      "quorumLost: state.quorumLost"
    ]
  ),
  mutant(
    "a replica without a majority lets its clients wait",
    ["own", "[32]"],
    [
      "Settling.ts",
      "  if (quorumLost(state)) {\n    return refuseAll(applyAll(core, state, batch),",
      "  if (false) {\n    return refuseAll(applyAll(core, state, batch),"
    ]
  ),
  mutant(
    "a replica without a majority refuses others' requests",
    ["own", "[56]"],
    [
      "Settling.ts",
      "if (isOwn(state, command)) Refusing.here(batch, command, why)",
      "Refusing.here(batch, command, why)"
    ]
  ),
  mutant(
    "a full disk is no reason",
    ["dqlite#309", "I21 [90]"],
    ["Proposing.ts", "if (isTooMuch || state.diskFull) {", "if (isTooMuch) {"]
  ),
  mutant(
    "a disk is full for ever",
    ["CockroachDB: noSpaceResolved", "I20 [90]"],
    ["Replica.ts", "{ ...state, diskFull: event.full }", "{ ...state, diskFull: true }"]
  ),
  mutant(
    "a full disk is called something else",
    ["own", "[90]"],
    ["Proposing.ts", `state.diskFull ? "NoSpace" : "UncommittedBytes"`, `"UncommittedBytes"`]
  ),
  mutant(
    "a full disk keeps a leader from its first entry",
    ["own", "I20 [90]"],
    ["Election.ts", "log: Logs.append(log, [noOp])", "log: state.diskFull ? log : Logs.append(log, [noOp])"]
  ),
  mutant(
    "a full disk keeps a follower from storing",
    ["own", "I7 [90]"],
    [
      "Replication.ts",
      "const caughtUp = withConfigurations({ ...follower, stateMachine }, succeed(state.configurations, change))",
      "const caughtUp = state.diskFull ? follower : withConfigurations({ ...follower, stateMachine }, succeed(state.configurations, change))"
    ]
  ),
  mutant(
    "others do not hear that their requests were refused",
    ["own", "I20 [58] [90]"],
    ["Refusing.ts", "if (!state.progress.has(to)) continue", "continue"]
  ),
  mutant(
    "strangers hear that their requests were refused",
    ["own", "[19]"],
    ["Refusing.ts", "if (!state.progress.has(to)) continue", ""]
  ),
  mutant(
    "a refusal is passed on to anybody's client",
    ["own", "[90]"],
    ["Receiving.ts", "if (isOwn(state, { request }))", "if (request.sequence > 0)"]
  ),
  mutant(
    "a refusal by the leader is taken for one by this replica",
    ["own", "I14 [148]"],
    ["Receiving.ts", `outcome: { _tag: "Declined", reason }`, `outcome: { _tag: "Refused", reason }`]
  )
]
