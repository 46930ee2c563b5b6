/** Bugs in handing over, leases, versions, the cluster's time, and heartbeats beside appends. */
import { type Mutant, mutant } from "./Mutant.ts"

export const handoverMutants: ReadonlyArray<Mutant> = [
  mutant(
    "who hands over logs on",
    ["etcd, tikv#4688", "[133]"],
    ["Proposing.ts", "batch.commands.length === 0 || state.transfer !== undefined", "batch.commands.length === 0"]
  ),
  mutant(
    "members change while handing over",
    ["own", "[133]"],
    [
      "Amending.ts",
      "Logs.termAt(log, commitIndex) === currentTerm && transfer === undefined",
      "Logs.termAt(log, commitIndex) === currentTerm"
    ]
  ),
  mutant(
    "the target is told before it holds all",
    ["thesis §3.10", "[131]"],
    ["Transferring.ts", "if (!holdsAll || !progress.admitted) {", "if (!progress.admitted) {"]
  ),
  mutant(
    "handing over is never given up",
    ["etcd", "I20 [132]"],
    ["Transferring.ts", "at >= transfer.deadline || progress === undefined", "progress === undefined"]
  ),
  mutant(
    "a target that votes no more is waited for",
    ["etcd", "[134]"],
    [
      "Transferring.ts",
      " || progress === undefined || !Configurations.isVoter(state.configuration, transfer.to)\n",
      " || progress === undefined\n"
    ]
  ),
  mutant(
    "a learner is handed over to",
    ["etcd", "[131]"],
    ["Transferring.ts", "to !== state.id && Configurations.isVoter(state.configuration, to)", "to !== state.id"]
  ),
  mutant(
    "who is told once is not told again",
    ["own", "I20 [132]"],
    [
      "Transferring.ts",
      "transfer.askedAt === undefined || at >= transfer.askedAt + core.options.heartbeatMillis",
      "transfer.askedAt === undefined"
    ]
  ),
  mutant(
    "the same request begins handing over anew",
    ["etcd", "[134]"],
    ["Transferring.ts", "if (!isPossible || to === state.transfer?.to) return state", "if (!isPossible) return state"]
  ),
  mutant(
    "a second request to hand over is not heard",
    ["etcd", "[134]"],
    [
      "Transferring.ts",
      "if (!isPossible || to === state.transfer?.to) return state",
      "if (!isPossible || state.transfer !== undefined) return state"
    ]
  ),
  mutant(
    "nobody hears that handing over came to nothing",
    ["own", "I20 [132]"],
    ["Durability.ts", "(isNew || goesOn)", "isNew"]
  ),
  mutant(
    "a TimeoutNow of an earlier term is obeyed",
    ["CCF late_nomination", "[135]"],
    [
      "Receiving.ts",
      `    case "HeartbeatReply":\n    case "TimeoutNow":\n    case "ForwardTransfer":\n    case "ForwardAmendment":\n      return state`,
      `    case "TimeoutNow":\n      return Election.onTimeoutNow(core, { ...state, leader: from } as typeof state, { from, message, at }, batch)\n    case "HeartbeatReply":\n    case "ForwardTransfer":\n    case "ForwardAmendment":\n      return state`
    ]
  ),
  mutant(
    "a TimeoutNow of anybody is obeyed",
    ["CCF", "[135]"],
    [
      "Election.ts",
      `state._tag !== "Follower" || state.leader !== from || !state.admitted`,
      `state._tag !== "Follower" || !state.admitted`
    ]
  ),
  mutant(
    "who may not vote stands when it is told to",
    ["own", "I4 [134]"],
    ["Election.ts", "state.leader !== from || !state.admitted || !Admission.mayStand(state)", "state.leader !== from"]
  ),
  mutant(
    "a vote that the leader asked for is refused out of loyalty",
    ["thesis §4.2.3", "I20 [131]"],
    ["Receiving.ts", `message._tag === "RequestVote" && !message.transfer`, `message._tag === "RequestVote"`]
  ),
  mutant(
    "every candidate claims that its leader asked it to stand",
    ["own", "[25]"],
    [
      "Election.ts",
      '{ _tag: "RequestVote", term, last, transfer }',
      '{ _tag: "RequestVote", term, last, transfer: true }'
    ]
  ),
  mutant(
    "a lease is measured from the acknowledgement",
    ["sofa-jraft#34", "I17 [142]"],
    [
      "Lease.ts",
      "return from === undefined ? 0 : from + progress.patienceMillis * share",
      "return from === undefined ? 0 : progress.heardAt + progress.patienceMillis * share"
    ]
  ),
  mutant(
    "a lease counts a heartbeat that is not acknowledged",
    ["own", "I17 [142]"],
    ["Lease.ts", "if (round <= progress.confirmedRound) from = at", "from = at + 0 * round"]
  ),
  mutant(
    "a lease is kept while handing over",
    ["etcd", "I17 [136]"],
    ["Transferring.ts", "return state.lease.void ? state : Lease.giveUp(state)", "return state"],
    ["Lease.ts", "    state.transfer === undefined &&\n", ""]
  ),
  mutant(
    "a lease comes back when handing over has failed",
    ["own", "I17 [136]"],
    ["Lease.ts", "lease: { ...none, void: true }", "lease: none"]
  ),
  mutant(
    "a lease rests on the members of before",
    ["own", "I17 [145]"],
    [
      "Lease.ts",
      "if (!options.leaseReads || state.lease.void) return state\n",
      "if (!options.leaseReads || state.lease.void || state.lease.until > 0) return state\n"
    ]
  ),
  mutant(
    "clocks are taken to be all alike",
    ["own", "I17 [142]"],
    ["Lease.ts", "(1 - maxClockDrift) / (1 + maxClockDrift)", "1 + 0 * maxClockDrift"]
  ),
  mutant(
    "only half of the drift is reckoned with",
    ["own", "I17 [142]"],
    ["Lease.ts", "(1 - maxClockDrift) / (1 + maxClockDrift)", "1 - maxClockDrift"]
  ),
  mutant(
    "a lease does not end",
    ["etcd#20418", "I17 [143]"],
    ["Lease.ts", "    at < state.lease.until &&\n", "    at > 0 && state.lease.until > 0 &&\n"]
  ),
  mutant(
    "leases are used where nobody opted for them",
    ["own", "[142]"],
    [
      "Lease.ts",
      "const last = lease.sent.at(-1)",
      "options = { ...options, leaseReads: true }\n  const last = lease.sent.at(-1)"
    ],
    ["Lease.ts", "if (!options.leaseReads || state.lease.void) return state\n", "if (state.lease.void) return state\n"],
    ["Lease.ts", "    options.leaseReads &&\n    !state.lease.void &&", "    !state.lease.void &&"],
    ["Lease.ts", "  options.leaseReads && !lease.void && at >=", "  !lease.void && at >="]
  ),
  mutant(
    "who promised patience votes",
    ["thesis §6.4.1", "I17"],
    ["Election.ts", "  at < state.patientUntil ||\n", ""]
  ),
  mutant(
    "patience is forgotten on a restart",
    ["own", "I17"],
    ["Replica.ts", "core.options.leaseReads && !alone ? Instant(at + core.options.electionTimeoutMillis) : at", "at"]
  ),
  mutant(
    "patience is promised and not kept",
    ["own", "I17"],
    [
      "ServerState.ts",
      "as.leader !== undefined && options.leaseReads",
      "as.leader !== undefined && options.leaseReads && as.quorumLost"
    ]
  ),
  mutant(
    "a lease remembers all rounds of a term",
    ["own", "I21"],
    ["Lease.ts", "one.at + 2 * options.electionTimeoutMillis > at", "one.at <= at"]
  ),
  mutant(
    "the version is raised without who is silent",
    ["own", "[158]"],
    ["Version.ts", "state.progress.get(peer)?.version ?? 0", "state.progress.get(peer)?.version || most"]
  ),
  mutant(
    "the version is raised beyond its ceiling",
    ["own", "[158]"],
    [
      "Version.ts",
      "Math.min(versionOf(machine), ceiling ?? Number.POSITIVE_INFINITY)",
      "versionOf(machine) + 0 * (ceiling ?? 0)"
    ]
  ),
  mutant(
    "two words about the version are under way",
    ["own", "[158]"],
    ["Amending.ts", `return { ...logged, announced: entries[0]!.index }`, "return logged"]
  ),
  mutant(
    "a new leader does not wait for what it inherited about the version",
    ["own", "[158]"],
    ["Election.ts", "announced: noOp.index", "announced: Index(0)"]
  ),
  mutant(
    "a limited version does not come down",
    ["own", "[158]"],
    ["Version.ts", "const version = Math.min(present, ceiling ?? present)", "const version = present"]
  ),
  mutant(
    "who does not understand a version applies on",
    ["own", "I5 [158]"],
    [
      "StateMachine.ts",
      "          outdated = payload.version\n          end = Index(index - 1)\n          continue\n",
      ""
    ]
  ),
  mutant(
    "who is outdated stands",
    ["own", "I20 [158]"],
    ["Admission.ts", "  state.stateMachine.outdated === undefined &&\n", ""]
  ),
  mutant(
    "who is outdated leads on",
    ["own", "I20 [158]"],
    ["Settling.ts", `!(isOutdated || Amending.isDeposed(state))`, "!Amending.isDeposed(state)"]
  ),
  mutant(
    "who is outdated is handed over to",
    ["own", "I20 [158]"],
    [
      "Transferring.ts",
      "isInReach(options, state, id, at) && Versions.isUnderstoodBy(state, id)",
      "isInReach(options, state, id, at)"
    ]
  ),
  mutant(
    "who is outdated comes to vote",
    ["own", "I20 [158]"],
    ["Amending.ts", " && Versions.isUnderstoodBy(state, id)", ""]
  ),
  mutant(
    "a snapshot of a later version is taken for understood",
    ["own", "I5 [158]"],
    [
      "StateMachine.ts",
      "outdated: image.version > understood ? image.version : undefined",
      "outdated: image.version > understood + 9 ? image.version : undefined"
    ]
  ),
  mutant(
    "time falls with a new leader",
    ["own", "I19"],
    ["Election.ts", "clock: { time: lastTime(state.stateMachine), at }", "clock: { time: ClusterTime(0), at }"]
  ),
  mutant(
    "a new leader forgets stamps that are not applied",
    ["own", "I19"],
    ["Election.ts", `if (payload?._tag === "Command") return ClusterTime(Math.max(payload.time, time))`, ""]
  ),
  mutant(
    "time falls while applying",
    ["own", "I19"],
    ["StateMachine.ts", "if (payload.time > time) time = payload.time", "time = payload.time"]
  ),
  mutant(
    "a snapshot forgets the time",
    ["own", "I19 [106]"],
    [
      "StateMachine.ts",
      "  time: image.time,\n  version: image.version,",
      "  time: ClusterTime(0),\n  version: image.version,"
    ]
  ),
  mutant(
    "a sign of life waits behind the data",
    ["own", "I20"],
    [
      "Replication.ts",
      "Progresses.inflightBytes(progress) > core.options.heartbeatBesideBytes",
      "Progresses.inflightBytes(progress) < 0"
    ]
  ),
  mutant(
    "a heartbeat beside appends is no sign of life",
    ["own", "I20"],
    [
      "Heartbeats.ts",
      "{ term, leader: from, at, quorumLost: false })",
      '{ term, leader: from, at: state._tag === "Follower" ? state.leaderHeardAt : at, quorumLost: false })'
    ]
  ),
  mutant(
    "an answer to a heartbeat confirms what was not asked",
    ["own", "I16"],
    ["Heartbeats.ts", " || message.round > state.round) return state", ") return state"]
  ),
  mutant(
    "an earlier start of a follower is heard through a heartbeat",
    ["own", "I7"],
    ["Heartbeats.ts", "  if (message.sender.incarnation < before.incarnation) return state\n", ""]
  ),
  mutant(
    "patience ends with a term that was learnt elsewhere",
    ["own", "I17 [142]"],
    ["Election.ts", "    (message.transfer || at >= state.patientUntil) &&\n", ""]
  ),
  mutant(
    "a sole voter is not patient while another may lead",
    ["own", "I17 [142]"],
    ["Replica.ts", "new Set([id])) && !isBound", "new Set([id])) || (isBound && false)"]
  )
]
