/** Bugs in how members change: joint consensus, learners, and who was removed. */
import { type Mutant, mutant } from "./Mutant.ts"

export const memberMutants: ReadonlyArray<Mutant> = [
  mutant(
    "one majority of a joint configuration is enough",
    ["classic, RedisRaft#17", "I11 [73] [124]"],
    [
      "Configuration.ts",
      "isMajority(voters, ids) && (outgoing.length === 0 || isMajority(outgoing, ids))",
      "isMajority(voters, ids)"
    ]
  ),
  mutant(
    "of a joint configuration the old voters alone commit",
    ["own", "I11 [73]"],
    [
      "Configuration.ts",
      "? value : Math.min(value, majorityValue(outgoing, valueOf))",
      "? value : majorityValue(outgoing, valueOf)"
    ]
  ),
  mutant(
    "a learner is counted",
    ["etcd", "I11 [64]"],
    [
      "Configuration.ts",
      "const value = majorityValue(voters, valueOf)",
      "const value = majorityValue([...voters, ...learners.map(({ id }) => id)], valueOf)"
    ],
    [
      "Configuration.ts",
      "{ voters, outgoing }: Configuration, valueOf",
      "{ voters, outgoing, learners }: Configuration, valueOf"
    ]
  ),
  mutant(
    "a learner stands",
    ["own", "[64] [37]"],
    [
      "Succession.ts",
      "configuration }) => Configurations.isVoter(configuration, id))",
      "configuration }) => Configurations.isMember(configuration, id))"
    ]
  ),
  mutant(
    "a learner's vote counts",
    ["CockroachDB", "I1 [19]"],
    [
      "Configuration.ts",
      "  voters.includes(id) || outgoing.includes(id)",
      '  voters.includes(id) || outgoing.includes(id) || id === ("D" as ReplicaId)'
    ]
  ),
  mutant(
    "a configuration is used only when it is committed",
    ["camunda", "I11 [121]"],
    [
      "ServerState.ts",
      "configuration: configurations.at(-1)!.configuration",
      "configuration: configurations.at(-2)?.configuration ?? configurations[0]!.configuration"
    ]
  ),
  mutant(
    "a configuration is not rolled back with its entry",
    ["camunda, dqlite#250", "I11 [121]"],
    [
      "Replication.ts",
      "Successions.append(Successions.truncate(configurations, change.from), change.entries)",
      "Successions.append(configurations, change.entries)"
    ]
  ),
  mutant(
    "a rollback takes one configuration too many",
    ["own", "I11 [121]"],
    [
      "Succession.ts",
      "succession.filter(({ index }) => index < from)",
      "succession.filter(({ index }) => index < from - 1)"
    ]
  ),
  mutant(
    "an uncommitted configuration is forgotten on a restart",
    ["camunda", "I11 [122]"],
    [
      "Replica.ts",
      "return Succession.restore(image?.configuration ?? configuration, from, later)",
      "return Succession.restore(image?.configuration ?? configuration, from, later.slice(0, 0))"
    ]
  ),
  mutant(
    "the log's later configuration is kept when a snapshot replaces it",
    ["openraft#1808", "I11 [108]"],
    [
      "Snapshotting.ts",
      "...withConfigurations(state, Succession.restore(image.configuration, snapshot.last.index, kept)),",
      "...withConfigurations(state, state.configurations.length > 1 ? state.configurations : Succession.restore(image.configuration, snapshot.last.index, kept)),"
    ]
  ),
  mutant(
    "what follows a snapshot in the log is not in force",
    ["own", "I11 [108]"],
    [
      "Succession.ts",
      "): Succession => append(begin(configuration, index), entries)",
      "): Succession => append(begin(configuration, index), entries.slice(0, 0))"
    ]
  ),
  mutant(
    "a snapshot has a configuration that is not committed",
    ["dqlite#250", "I11 [107]"],
    [
      "Durability.ts",
      "Succession.at(configurations, stateMachine.lastApplied)",
      "Succession.last(configurations).configuration"
    ]
  ),
  mutant(
    "members change before an entry of the own term is committed",
    ["Ongaro, raft-dev 2015", "I11 [120]"],
    ["Amending.ts", "Logs.termAt(log, commitIndex) === currentTerm && transfer === undefined", "transfer === undefined"]
  ),
  mutant(
    "two changes are under way at once",
    ["etcd", "I11 [119]"],
    ["Amending.ts", `if (isPending(state)) return refused("ChangePending")`, ""]
  ),
  mutant(
    "a change goes on before it is committed",
    ["own", "I11 [119]"],
    ["Amending.ts", "  if (isPending(state)) return state\n", ""]
  ),
  mutant(
    "a joint configuration is not left",
    ["etcd", "I20 [119]"],
    ["Amending.ts", "if (!configuration.autoLeave) return state", "if (configuration.autoLeave) return state"]
  ),
  mutant(
    "one is left that is to stay",
    ["etcd", "[119]"],
    ["Amending.ts", "if (!configuration.autoLeave) return state", ""]
  ),
  mutant(
    "voters change without a joint configuration",
    ["classic", "I11 [124]"],
    ["Amendment.ts", "outgoing: before.voters, autoLeave, addresses }", "outgoing: [], autoLeave: false, addresses }"]
  ),
  mutant(
    "a removed leader counts itself",
    ["etcd, LogCabin commitCfgWithoutSelf", "I6 [118]"],
    [
      "Proposing.ts",
      "Configurations.quorumValue(state.configuration, (id)",
      "Configurations.quorumValue({ ...state.configuration, voters: [...new Set([...state.configuration.voters, state.id])] }, (id)"
    ]
  ),
  mutant(
    "a removed leader never steps down",
    ["etcd", "[118]"],
    ["Amending.ts", "!Configurations.isVoter(state.configuration, state.id) && !isPending(state)", "false"]
  ),
  mutant(
    "a removed leader steps down before that is committed",
    ["etcd", "I20 [118]"],
    [
      "Amending.ts",
      "!Configurations.isVoter(state.configuration, state.id) && !isPending(state)",
      "!Configurations.isVoter(state.configuration, state.id)"
    ]
  ),
  mutant(
    "who leaves tells nobody to stand",
    ["own", "[118]"],
    ["Settling.ts", `if (next !== undefined) send(batch, next, { _tag: "TimeoutNow", term: state.currentTerm })`, ""]
  ),
  mutant(
    "who is removed does not stand, though that is not committed",
    ["thesis §4.2.2", "I20 [118]"],
    [
      "Admission.ts",
      "Succession.isVoter(state.configurations, state.id)",
      "Configurations.isVoter(state.configuration, state.id)"
    ]
  ),
  mutant(
    "a new member is not supplied",
    ["own", "I20 [117]"],
    [
      "Amending.ts",
      "state.progress.get(peer) ?? Progresses.initial({ lastIndex, at })",
      "state.progress.get(peer) ?? state.progress.values().next().value!"
    ]
  ),
  mutant(
    "who has gone is supplied for ever",
    ["own", "[118]"],
    [
      "Amending.ts",
      "const progress = new Map<ReplicaId, Progresses.Progress>()\n",
      "const progress = new Map(state.progress)\n"
    ]
  ),
  mutant(
    "a learner votes before it has caught up",
    ["LogCabin", "[117]"],
    ["Amending.ts", "state.catchUps.get(id)?.done === true && isInReach", "isInReach"]
  ),
  mutant(
    "a round of catching up may take for ever",
    ["thesis §4.2.1", "[117]"],
    ["Amending.ts", "if (at - known.since < electionTimeoutMillis) return", "if (at >= known.since) return"]
  ),
  mutant(
    "a round ends before its end",
    ["thesis §4.2.1", "[117]"],
    ["Amending.ts", "if (known.done || matchIndex < known.target) return known", "if (known.done) return known"]
  ),
  mutant(
    "a learner that fell silent is caught up still",
    ["own", "[117]"],
    ["Amending.ts", "known === undefined || (known.done && isSilent)", "known === undefined"]
  ),
  mutant(
    "promoted by hand, nobody asks whether it has caught up",
    ["LogCabin", "[117]"],
    ["Amending.ts", `isBehind ? "NotCaughtUp" : undefined`, "undefined"]
  ),
  mutant(
    "nobody asks whether a majority is in reach after a change",
    ["own", "I20"],
    ["Amending.ts", `losesQuorum ? "WouldLoseQuorum" : isBehind`, "isBehind"]
  ),
  mutant(
    "force forces nothing",
    ["own", "-"],
    ["Amending.ts", "next.warning !== undefined && !amendment.force", "next.warning !== undefined"]
  ),
  mutant(
    "a demoted voter is forgotten",
    ["etcd", "[128]"],
    [
      "Amendment.ts",
      'draft.learners = [...others, { id, promote: false }]\n      return undefined\n    case "Remove"',
      'draft.learners = others\n      return undefined\n    case "Remove"'
    ]
  ),
  mutant(
    "nobody may be left to vote",
    ["etcd", "I20"],
    ["Amendment.ts", `if (draft.voters.length === 0) return object("LastVoter")`, ""]
  ),
  mutant(
    "early commits leave before the disk where there is a learner",
    ["etcd 14370", "I6, I10 [127]"],
    [
      "Durability.ts",
      "const isAhead = after.stateMachine.commitIndex > Logs.lastIndex(before.stateMachine.log)",
      "const isAhead = after.configuration.voters.length + after.configuration.learners.length === 1"
    ]
  ),
  mutant(
    "a sole voter that is to be one of two speaks before the disk",
    ["own", "I6, I10 [127]"],
    [
      "Durability.ts",
      "const isAhead = after.stateMachine.commitIndex > Logs.lastIndex(before.stateMachine.log)",
      "const isAhead = after.configuration.outgoing.length === 0 && after.configuration.voters.length === 1"
    ]
  ),
  mutant(
    "who waits hears of a change before it is over",
    ["own", "[119]"],
    [
      "StateMachine.ts",
      "payload.request !== undefined && !goesOn(payload.configuration)",
      "payload.request !== undefined"
    ]
  ),
  mutant(
    "it is believed to be no member on an old word",
    ["own", "[126]"],
    ["Election.ts", `message.index >= Succession.last(state.configurations).index`, "message.index > 0"]
  ),
  mutant(
    "it is believed to be no member though a leader speaks",
    ["own", "[38]"],
    [
      "Election.ts",
      "if (!isNews || isMistrusted) return state\n  const removed",
      "if (!isNews) return state\n  const removed"
    ]
  ),
  mutant(
    "who was removed is never told",
    ["hashicorp, openraft", "[38]"],
    ["Election.ts", "if (!granted) tellOutsider(state, from, batch)", ""]
  ),
  mutant(
    "who may yet stay is told that it was removed",
    ["own", "[38]"],
    ["Election.ts", " || index > state.stateMachine.commitIndex || index === 0", " || index === 0"]
  ),
  mutant(
    "who was removed stands all the same",
    ["own", "[38]"],
    ["Admission.ts", "  state.removedAt === undefined &&\n", ""]
  ),
  mutant(
    "who was added again is removed for ever",
    ["own", "I20 [126]"],
    ["ServerState.ts", "as.leader === undefined ? state.removedAt : undefined", "state.removedAt"]
  ),
  mutant(
    "who is not known is not heard",
    ["thesis §4.1", "I20 [19]"],
    [
      "Receiving.ts",
      '    case "AppendEntries":\n    case "Heartbeat":\n    case "InstallSnapshot":\n    case "Introduce":',
      '    case "Introduce":'
    ],
    [
      "Receiving.ts",
      '    case "PreVoteReply":\n    case "RequestVoteReply":\n    case "AppendEntriesReply":\n    case "InstallSnapshotReply":\n    case "HeartbeatReply":',
      '    case "AppendEntries":\n    case "Heartbeat":\n    case "InstallSnapshot":\n    case "PreVoteReply":\n    case "RequestVoteReply":\n    case "AppendEntriesReply":\n    case "InstallSnapshotReply":\n    case "HeartbeatReply":'
    ]
  ),
  mutant(
    "a doubled amendment is made again",
    ["own", "[128]"],
    ["Amending.ts", "if (state.amended.some((known) => isSame(known, request))) continue", ""]
  ),
  mutant(
    "a removed learner is not told",
    ["own", "[38]"],
    ["Settling.ts", "  Amending.tellWhoIsGone(before, settled, batch)\n", ""]
  ),
  mutant(
    "who is removed is told before that is committed",
    ["own", "I11 [38]"],
    ["Amending.ts", "index <= known || index > commitIndex ? undefined", "index <= known ? undefined"]
  ),
  mutant(
    "a leader that hears all voters gives up because one is not admitted",
    ["own", "I20"],
    ["Replication.ts", "Math.max(heardAt, allHeardAt)", "heardAt"]
  )
]
