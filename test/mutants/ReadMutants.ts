/** Bugs in linearizable reads: rounds, indexes, attempts and who waits for them. */
import { type Mutant, mutant } from "./Mutant.ts"

export const readMutants: ReadonlyArray<Mutant> = [
  mutant(
    "reads need no round",
    ["classic", "I16 [137]"],
    [
      "Settling.ts",
      "const done = state.rounds.filter((round) => round.number <= confirmed)",
      "const done = state.rounds"
    ],
    [
      "Settling.ts",
      "const rounds = state.rounds.filter((round) => round.number > confirmed)",
      "const rounds: typeof done = []"
    ]
  ),
  mutant(
    "the index of a read is the commit index, own term or not",
    ["tikv#6340", "I16 [138]"],
    [
      "Settling.ts",
      "const index = Logs.lastIndex(state.stateMachine.log)\n  const next",
      "const index = state.stateMachine.commitIndex\n  const next"
    ]
  ),
  mutant(
    "a round has the number of the one before",
    ["etcd: acknowledgements from before the request", "I16 [137]"],
    ["Settling.ts", "const round = state.round + 1", "const round = state.round"]
  ),
  mutant(
    "a round that is late is asked of nobody else",
    ["own", "[138]"],
    ["Promptness.ts", "(at >= oldest.askedAt + options.roundPatienceMillis || ", "("]
  ),
  mutant(
    "nobody wakes up for a round that is late",
    ["own", "[138]"],
    [
      "Promptness.ts",
      "if (sentRound < round) return Instant(oldest.askedAt + options.roundPatienceMillis)",
      "if (sentRound > round) return Instant(oldest.askedAt + options.roundPatienceMillis)"
    ]
  ),
  mutant(
    "a round is asked of those only who confirmed one once, be they a majority or not",
    ["own", "[138]"],
    ["Promptness.ts", " || !Configurations.isQuorum(configuration, prompt)))", "))"]
  ),
  mutant(
    "any answer confirms the latest round",
    ["etcd: acknowledgements from before the request", "I16 [137]"],
    ["Replication.ts", "Math.max(known.confirmedRound, message.round)", "state.round"]
  ),
  mutant(
    "an old answer takes a confirmation back",
    ["own", "I16, I20"],
    ["Replication.ts", "Math.max(known.confirmedRound, message.round)", "message.round"]
  ),
  mutant(
    "an answer of an earlier term confirms a round",
    ["own", "I16 [12]"],
    [
      "Receiving.ts",
      `    case "RequestVoteReply":\n    case "AppendEntriesReply":\n    case "Forward":\n`,
      `    case "AppendEntriesReply": {
      const before = state._tag === "Leader" ? state.progress.get(from) : undefined
      if (state._tag !== "Leader" || before === undefined || message.round > state.round) return state
      const confirmed = { ...before, confirmedRound: Math.max(before.confirmedRound, message.round) }
      return { ...state, progress: new Map(state.progress).set(from, confirmed) }
    }
    case "RequestVoteReply":\n    case "Forward":\n`
    ]
  ),
  mutant(
    "an answer to a round that was never opened counts",
    ["own", "[137]"],
    ["Replication.ts", "before === undefined || message.round > state.round", "before === undefined"]
  ),
  mutant(
    "reads join a round that is under way",
    ["own", "I16 [140]"],
    [
      "Settling.ts",
      "if (state.rounds.length >= core.options.maxReadRounds) return asks === state.asks ? state : { ...state, asks }",
      `if (state.rounds.length >= core.options.maxReadRounds) {
    const joined = state.rounds.map((round, at) => at < state.rounds.length - 1 ? round : { ...round, reads: [...round.reads, ...Reads.flatten(state.reads.arrived)], asks: [...round.asks, ...asks] })
    return { ...state, rounds: joined, asks: [], reads: { ...state.reads, arrived: undefined } }
  }`
    ]
  ),
  mutant(
    "a follower's reads join an attempt that is under way",
    ["etcd#20418", "I16 [140]"],
    [
      "Settling.ts",
      "if (reads.arrived === undefined || reads.asked.length >= core.options.maxReadRounds) {",
      `if (reads.arrived !== undefined && reads.asked.length > 0) {
    const joined = reads.asked.map((one, at) => at < reads.asked.length - 1 ? one : { ...one, reads: [...one.reads, ...Reads.flatten(reads.arrived)] })
    return { ...state, reads: { ...reads, arrived: undefined, asked: joined } }
  }
  if (reads.arrived === undefined || reads.asked.length >= core.options.maxReadRounds) {`
    ]
  ),
  mutant(
    "attempts are not told apart by number",
    ["etcd#20418", "I16 [140] [143]"],
    ["Reads.ts", "reads.asked.find((open) => open.number === number)", "reads.asked[0]"]
  ),
  mutant(
    "every attempt has the same number",
    ["etcd#20418", "I16 [140] [143]"],
    [
      "Reads.ts",
      "const attempt = { number: reads.number + 1, askedAt",
      "const attempt = { number: reads.number, askedAt"
    ]
  ),
  mutant(
    "numbers of attempts start anew with every start",
    ["etcd#20418", "I16 [143]"],
    ["Reads.ts", "none(incarnation * 4096)", "none(0)"]
  ),
  mutant(
    "a read does not wait until its index is applied",
    ["classic", "I16 [139]"],
    [
      "Reads.ts",
      "reads.known.filter((known) => known.index <= applied)",
      "reads.known.filter((known) => known.index > 0)"
    ],
    [
      "Reads.ts",
      "reads.known.filter((later) => later.index > applied)",
      "reads.known.filter((later) => later.index <= 0)"
    ]
  ),
  mutant(
    "a read sees the state before this batch",
    ["own: the order of settle", "I16 [139]"],
    [
      "Settling.ts",
      "core.machine.query(stateMachine.value, query)",
      "core.machine.query(state.stateMachine.value, query)"
    ]
  ),
  mutant(
    "a read of a batch does not see its writes",
    ["own: the order of settle", "[139]"],
    [
      "Settling.ts",
      "const proposed = Amending.propose(core, Proposing.propose(core, asked, at, batch), at, batch)",
      "const early = openRound(core, confirmRounds(core, asked, batch), at, batch)\n  batch.asks.length = 0\n  const proposed = Proposing.propose(core, early, at, batch)"
    ]
  ),
  mutant(
    "a fallen leader forgets the reads of its rounds",
    ["own", "I20 [140]"],
    ["ServerState.ts", "askAgain(state.reads, led)", "askAgain(state.reads, [])"]
  ),
  mutant(
    "a fallen leader answers the reads of its rounds",
    ["etcd", "I16 [140]"],
    [
      "ServerState.ts",
      "reads: sameLeader ? state.reads : askAgain(state.reads, led),",
      "reads: { ...askAgain(state.reads, []), known: led.length === 0 ? [] : [{ index: state.stateMachine.commitIndex, reads: led }] },"
    ]
  ),
  mutant(
    "a read keeps its index when the leader changes",
    ["own", "I20 [140]"],
    [
      "Reads.ts",
      "[...[...known, ...asked].flatMap((one) => one.reads), ...led",
      "[...asked.flatMap((one) => one.reads), ...led"
    ],
    ["Reads.ts", "asked: [], known: [] }\n}\n\n/** One attempt", "asked: [], known }\n}\n\n/** One attempt"]
  ),
  mutant(
    "open attempts are not asked again of a new leader",
    ["own", "I20 [140]"],
    [
      "ServerState.ts",
      "reads: sameLeader ? state.reads : askAgain(state.reads, led)",
      "reads: led.length === 0 ? state.reads : askAgain(state.reads, led)"
    ],
    [
      "Settling.ts",
      "const [overdue, reads] = Reads.overdue(state.reads, at, core.options.readRetryMillis)",
      "const [overdue, reads] = Reads.overdue(state.reads, at, Number.POSITIVE_INFINITY)"
    ]
  ),
  mutant(
    "a question that was lost is not asked again",
    ["own", "I20 [140]"],
    [
      "Reads.ts",
      "reads.asked.filter((attempt) => at >= attempt.askedAt + retryMillis)",
      "reads.asked.filter((attempt) => at < attempt.askedAt)"
    ]
  ),
  mutant(
    "a doubled question takes two answers",
    ["etcd", "[140]"],
    [
      "Settling.ts",
      "if (!asks.some((other) => other.from === ask.from && other.number === ask.number)) asks.push(ask)",
      "asks.push(ask)"
    ]
  ),
  mutant(
    "there may be any number of rounds",
    ["own", "I21"],
    [
      "Settling.ts",
      "if (state.rounds.length >= core.options.maxReadRounds) return",
      "if (state.rounds.length >= 1e9) return"
    ]
  ),
  mutant(
    "any number of reads may wait",
    ["own", "I21"],
    ["Settling.ts", "Math.max(0, core.options.maxWaitingReads - state.reads.waiting)", "batch.reads.length"]
  ),
  mutant(
    "who asked for an index is not told of the commit",
    ["own", "[141]"],
    ["Settling.ts", "progress = Progresses.awaitCommit(progress, ask.from, index)", ""]
  )
]
