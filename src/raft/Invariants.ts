/**
 * What must hold of every state, and of every step from one state to the next. Each rule is
 * a plain question with a name; the checks return the names of the rules that are broken,
 * so an empty list is good news.
 *
 * `ofState` and `ofStep` cost as much as what changed, whatever the length of the log, and
 * are meant to run after every step of a simulation. `ofLog` looks at every entry. What
 * compares replicas with each other (Election Safety, Log Matching, Leader Completeness,
 * State Machine Safety) needs all of them and is not here.
 *
 * Long because: it is one list of rules, each two or three lines, and is read as a list.
 */
import type { Configuration } from "./Configuration.ts"
import * as Configurations from "./Configuration.ts"
import * as Logs from "./Log.ts"
import { Index, type LogEntry, type ReplicaId } from "./LogEntry.ts"
import type { AppendEntries } from "./Message.ts"
import type { Progress } from "./Progress.ts"
import type { Persist } from "./RaftEffect.ts"
import * as ClusterRules from "./ClusterRules.ts"
import { type Effects, reign, type Sent, type State, type Step } from "./Rule.ts"

const stateRules = {
  ...ClusterRules.stateRules,
  /** Figure 2: commitIndex is the "highest log entry known to be committed", so there is such an entry. */
  "commitIndex is in the log": ({ stateMachine }: State) =>
    stateMachine.commitIndex <= Logs.lastIndex(stateMachine.log),
  /** Figure 2, rules for servers: only "if commitIndex > lastApplied" is there anything to apply. */
  "lastApplied is committed": ({ stateMachine }: State) => stateMachine.lastApplied <= stateMachine.commitIndex,
  /** §5.1: a server's term is the latest it has seen, in its own log too. */
  "the log holds no term to come": (state: State) => Logs.last(state.stateMachine.log).term <= state.currentTerm,
  /** §5.2: it "votes for itself" on the way to leading. */
  "who stands or leads has voted for itself": (state: State) =>
    state._tag === "Follower" || state._tag === "PreCandidate" || state.votedFor === state.id,
  /** §5.2: votes are counted among voters, its own included, and whoever granted has answered. */
  "votes are by voters who answered": (state: State) =>
    !("votes" in state) ||
    (state.votes.has(state.id) &&
      state.heard.has(state.id) &&
      [...state.votes].every((id) => state.heard.has(id)) &&
      [...state.heard].every((id) => id === state.id || Configurations.isVoter(state.configuration, id))),
  /** §5.2: "a candidate wins an election if it receives votes from a majority"; then it is none any more. */
  "a majority of votes makes a leader": (state: State) =>
    !("votes" in state) ||
    (state._tag === "PreCandidate" && Logs.lastIndex(state.stateMachine.log) === 0) ||
    !Configurations.isQuorum(state.configuration, state.votes),
  /** §5.2: there is one leader, and a follower is another; perhaps one of which its log does not tell yet (§6). */
  "a follower follows another": (state: State) => state._tag !== "Follower" || state.leader !== state.id,
  /** §8: each leader commits a no-op at the start of its term; §5.3: it never drops an entry. */
  "a leader's log ends in its term": (state: State) =>
    state._tag !== "Leader" || Logs.last(state.stateMachine.log).term === state.currentTerm,
  /** Figure 2, volatile state on leaders: "for each server", learners too (thesis §4.2.1). */
  "a leader keeps progress for each peer": (state: State) =>
    state._tag !== "Leader" ||
    (state.progress.size === Configurations.peers(state.configuration, state.id).length &&
      Configurations.peers(state.configuration, state.id).every((peer) => state.progress.has(peer))),
  /** Figure 2: nextIndex is the next entry to send, matchIndex one known to be there (raft.tla). */
  "matchIndex < nextIndex <= lastIndex + 1": (state: State) =>
    progressOf(state).every(
      ({ matchIndex, nextIndex }) =>
        matchIndex >= 0 && matchIndex < nextIndex && nextIndex <= Logs.lastIndex(state.stateMachine.log) + 1
    ),
  /** Thesis §10.2.1: what was sent and not answered lies between what is matched and what is next. */
  "in flight lies between matchIndex and nextIndex": (state: State) =>
    progressOf(state).every(
      (progress) =>
        progress._tag !== "Replicate" ||
        progress.inflight.every(
          ({ last }, at, all) =>
            last > (at === 0 ? progress.matchIndex : all[at - 1]!.last) && last < progress.nextIndex
        )
    ),
  /** Thesis §6.4: a round is confirmed after it began, and waits no longer once a majority has. */
  "read rounds are numbered in order": (state: State) =>
    state._tag !== "Leader" ||
    (state.rounds.every(({ number }, at, all) => number > (at === 0 ? 0 : all[at - 1]!.number)) &&
      (state.rounds.at(-1)?.number ?? 0) <= state.round &&
      progressOf(state).every(
        ({ confirmedRound, sentRound }) => confirmedRound <= sentRound && sentRound <= state.round
      )),
  /** Reads.ts: the limit on waiting reads is kept by this count. */
  "waiting counts the reads held": (state: State) => state.reads.waiting === readsHeld(state),
  /** Reads.ts: an answer is taken for the attempt of its number, so no number stands twice. */
  "read attempts are numbered in order": ({ reads }: State) =>
    reads.asked.every(({ number }, at, all) => at === 0 || number > all[at - 1]!.number) &&
    (reads.asked.at(-1)?.number ?? reads.number) <= reads.number,
  /** Thesis §6.4: a follower asks its leader; who knows none has nobody to ask. */
  "only a follower of a leader asks": (state: State) =>
    state.reads.asked.length === 0 || (state._tag === "Follower" && state.leader !== undefined),
  /** Thesis §6.4: a read is answered as soon as what it waits for is applied. */
  "no read waits for what is applied": ({ reads, stateMachine }: State) =>
    reads.known.every(({ index }) => index > stateMachine.lastApplied),
  /** Thesis §6.2: without a majority requests fail instead of waiting. */
  "without a quorum no read waits": (state: State) =>
    state._tag === "Leader" || !state.quorumLost || state.reads.waiting === 0,
  /** §7: the log is discarded up to what has been applied, and no further. */
  "what is dropped of the log was applied": ({ stateMachine: { log, lastApplied } }: State) =>
    log.base.index <= lastApplied,
  /** §7: a snapshot stands for what was applied; the log goes back to the one before the latest. */
  "the log goes back to a snapshot": ({ stateMachine: { log, lastApplied }, snapshots: { latest, previous } }: State) =>
    (latest === undefined || latest.last.index <= lastApplied) &&
    (previous === undefined || (latest !== undefined && previous.last.index < latest.last.index)) &&
    log.base.index <= ((previous ?? latest)?.last.index ?? 0),
  /** Figure 13: what has arrived of a snapshot is a part of it. */
  "a snapshot arrives from its beginning": (state: State) =>
    (state.incoming === undefined || state.incoming.held <= state.incoming.snapshot.bytes) &&
    progressOf(state).every(
      (progress) =>
        progress._tag !== "Snapshot" ||
        (progress.offset <= progress.snapshot.bytes && progress.nextIndex > progress.snapshot.last.index)
    ),
  /** Admission.ts: who may have forgotten a promise makes none. */
  "who is not admitted does not stand": (state: State) =>
    state.admitted ||
    state._tag === "Follower" ||
    (state._tag === "PreCandidate" && Logs.lastIndex(state.stateMachine.log) === 0),
  /** Divergence.ts: a replica that differs serves nobody, and does not lead. */
  "who differs does not lead": (state: State) =>
    state.diverged === undefined || (state._tag !== "Leader" && state.reads.waiting === 0),
  /** Options: the limit on uncommitted bytes is kept by this count. */
  "uncommitted bytes are not negative": (state: State) => state._tag !== "Leader" || state.uncommittedBytes >= 0
}

const stepRules = {
  ...ClusterRules.stepRules,
  /** A replica is who it is, for as long as it runs. */
  "the identity stays": ({ before, after }: Step) => before.id === after.id && before.incarnation === after.incarnation,
  /** Figure 2: currentTerm "increases monotonically". */
  "currentTerm never goes back": ({ before, after }: Step) => before.currentTerm <= after.currentTerm,
  /** §5.2: "at most one candidate in a given term". */
  "at most one vote a term": ({ before, after }: Step) =>
    before.currentTerm !== after.currentTerm || before.votedFor === undefined || before.votedFor === after.votedFor,
  /** Figure 2: commitIndex "increases monotonically". */
  "commitIndex never goes back": ({ before, after }: Step) =>
    before.stateMachine.commitIndex <= after.stateMachine.commitIndex,
  /** Figure 2: lastApplied "increases monotonically". */
  "lastApplied never goes back": ({ before, after }: Step) =>
    before.stateMachine.lastApplied <= after.stateMachine.lastApplied,
  /** §5.3: the value is what was applied, in log order, and nothing else. */
  "the value changes by applying": ({ before, after }: Step) =>
    before.stateMachine.value === after.stateMachine.value ||
    before.stateMachine.lastApplied < after.stateMachine.lastApplied,
  /** Figure 3, Leader Completeness: what is committed is in every later leader's log, so nobody can replace it. */
  "what is committed stays": ({ before, change }: Step) =>
    change?.log === undefined || change.log.from > before.stateMachine.commitIndex,
  /** §7: what was discarded does not come back, and a newer snapshot never gives way to an older one. */
  "base and snapshot never go back": ({ before, after }: Step) =>
    before.stateMachine.log.base.index <= after.stateMachine.log.base.index &&
    (before.snapshots.latest?.last.index ?? 0) <= (after.snapshots.latest?.last.index ?? 0),
  /** §7: a follower drops entries it has not applied only for a snapshot that stands for them. */
  "what is dropped is kept elsewhere": ({ after, change }: Step) =>
    change?.base === undefined || change.base.index <= (after.snapshots.latest?.last.index ?? 0),
  /** Durability.ts: a snapshot is of what this step has led to, and begun when that is on disk. */
  "a snapshot is of what is applied": ({ after, late, early, persist }: Step) =>
    (persist === undefined || early.every((effect) => effect._tag !== "TakeSnapshot")) &&
    late.every(
      (effect) => effect._tag !== "TakeSnapshot" || effect.image.last.index === after.stateMachine.lastApplied
    ),
  /** Figure 3, Leader Append-Only: a leader "never overwrites or deletes entries in its log". */
  "a leader only appends": (step: Step) =>
    reign(step) === undefined ||
    step.change?.log === undefined ||
    step.change.log.from > Logs.lastIndex(step.before.stateMachine.log),
  /** §5.3: each entry has the next index, and terms never decrease along a log. */
  "new entries continue the log": ({ after, change }: Step) => {
    if (change?.log === undefined) return true
    const before = Index(change.log.from - 1)
    const term = Logs.termAt(after.stateMachine.log, before)
    return term !== undefined && continues({ index: before, term }, change.log.entries)
  },
  /** Figure 2: matchIndex "increases monotonically". A lower one could take back what a commit rests on. */
  "matchIndex never goes back in a term": (step: Step) =>
    compareProgress(
      step,
      // Another start of the follower has another disk, for all that is known.
      (before, after) => before.matchIndex <= after.matchIndex || before.incarnation < after.incarnation
    ),
  /** Thesis §6.4: rounds and their confirmations are counted upwards. */
  "read rounds never go back in a term": (step: Step) => {
    const leaders = reign(step)
    return (
      (leaders === undefined || leaders.before.round <= leaders.after.round) &&
      compareProgress(step, (before, after) => before.confirmedRound <= after.confirmedRound)
    )
  },
  /** Reads.ts: every attempt has a fresh number. */
  "read numbers never go back": ({ before, after }: Step) => before.reads.number <= after.reads.number,
  /** §5.4.2: "only log entries from the leader's current term are committed by counting replicas". */
  "a leader counts entries of its own term": ({ before, after }: Step) =>
    after._tag !== "Leader" ||
    after.stateMachine.commitIndex === before.stateMachine.commitIndex ||
    Logs.termAt(after.stateMachine.log, after.stateMachine.commitIndex) === after.currentTerm,
  /** Figure 2: "a majority of matchIndex[i] >= N". */
  "a leader's commit is held by a majority": (step: Step) => {
    const { before, after } = step
    if (after._tag !== "Leader" || after.stateMachine.commitIndex === before.stateMachine.commitIndex) return true
    const held = (id: ReplicaId): number =>
      id === after.id ? Logs.lastIndex(after.stateMachine.log) : countedMatch(after.progress.get(id))
    return inForce(step).some((one) => after.stateMachine.commitIndex <= Configurations.quorumValue(one, held))
  },
  /** Thesis §10.2.1: what this step logged is on no disk yet. A sole voter speaks behind its own, to learners too. */
  "a leader commits what was on disk": (step: Step) =>
    step.after._tag !== "Leader" ||
    step.after.stateMachine.commitIndex <= Logs.lastIndex(step.before.stateMachine.log) ||
    (step.early.length === 0 && inForce(step).some((one) => Configurations.isQuorum(one, new Set([step.after.id])))),
  /** One atomic write: one record under one checksum. */
  "at most one Persist": ({ late }: Step) => !late.some((effect) => effect._tag === "Persist"),
  /** Figure 2: persistent state is "updated on stable storage before responding"; all of it, and nothing else. */
  "Persist is what changed": ({ before, after, persist, change }: Step) => {
    const same = before.currentTerm === after.currentTerm && before.votedFor === after.votedFor
    const isSame = before.admitted === after.admitted && before.pristine === after.pristine
    const admitted = isSame ? undefined : after.admitted
    if (same && admitted === undefined && change === undefined) return persist === undefined
    const hardState = persist?.hardState
    return (
      persist !== undefined &&
      persist.admitted === admitted &&
      persist.base === change?.base &&
      (same
        ? hardState === undefined
        : hardState?.currentTerm === after.currentTerm && hardState.votedFor === after.votedFor) &&
      sameChange(persist.log, change?.log)
    )
  },
  /** Thesis §10.2.1: a leader may replicate while it writes; and clients may be answered. All else waits. */
  "only a leader's appends, and answers, leave before Persist": (step: Step) =>
    step.early.every(
      (effect) =>
        effect._tag === "Reply" || (effect._tag === "Send" && effect.message._tag === "AppendEntries" && leads(step))
    ),
  /** etcd#14370: what a client was told must not be lost, so it was on this disk, all of it, before this step. */
  "an early answer tells of what was on disk": (step: Step) =>
    step.early.every(({ _tag }) => _tag !== "Reply") || wasOnDisk(step),
  /** §5.2: nobody may hear of a term or a vote that a crash could take back. */
  "nothing leaves before a new term or vote": ({ persist, early }: Step) =>
    (persist?.hardState === undefined && persist?.admitted === undefined) || early.length === 0,
  /** §5.1: servers exchange their current terms; in one step they may have passed through several. */
  "messages carry terms passed through": ({ before, after, sent }: Step) =>
    sent.every(({ message }) => message.term >= before.currentTerm && message.term <= after.currentTerm),
  /** §5.2: a vote that is granted is the one that is recorded. */
  "a granted vote is recorded": ({ after, sent }: Step) =>
    sent.every(
      ({ to, message }) =>
        message._tag !== "RequestVoteReply" ||
        !message.granted ||
        message.term < after.currentTerm ||
        after.votedFor === to
    ),
  /** Admission.ts: who may have forgotten a vote gives none. */
  "a vote is given by who may": ({ after, sent }: Step) =>
    after.admitted || sent.every(({ message }) => message._tag !== "RequestVoteReply" || !message.granted),
  /** §5.3: success means that the follower's log holds what the leader sent. */
  "an acknowledgement is in the log": ({ after, sent }: Step) =>
    sent.every(
      ({ message }) =>
        message._tag !== "AppendEntriesReply" ||
        message.result._tag !== "Matched" ||
        message.term < after.currentTerm ||
        message.result.matchIndex <= Logs.lastIndex(after.stateMachine.log)
    ),
  /** §5.2, §5.3: appends come from the leader of their term, out of its log. */
  "appends are a leader's, from its log": (step: Step) =>
    step.sent.every(
      ({ message }) => message._tag !== "AppendEntries" || (leads(step) && isFromLog(step.after, message))
    )
}

export type StateRule = keyof typeof stateRules
export type StepRule = keyof typeof stepRules
export type LogRule = "indexes are consecutive and terms never decrease" | "time never falls along the log"
export type Rule = StateRule | StepRule | LogRule

const stateRuleNames = Object.keys(stateRules) as ReadonlyArray<StateRule>
const stepRuleNames = Object.keys(stepRules) as ReadonlyArray<StepRule>

/** The rules that a state breaks. */
export const ofState = (state: State): ReadonlyArray<StateRule> =>
  stateRuleNames.filter((rule) => !stateRules[rule](state))

/** The rules that a step breaks: one call of `reduceAll`, with what it said. */
export const ofStep = (before: State, effects: Effects, after: State): ReadonlyArray<StepRule> => {
  const at = effects.findIndex((effect) => effect._tag === "Persist")
  const step: Step = {
    before,
    after,
    persist: at === -1 ? undefined : (effects[at] as Persist<unknown>),
    early: effects.slice(0, Math.max(0, at)),
    late: effects.slice(at + 1),
    sent: messages(effects),
    change: Logs.difference(before.stateMachine.log, after.stateMachine.log)
  }
  return stepRuleNames.filter((rule) => !stepRules[rule](step))
}

/** Of a whole log: for what is read from a disk, and for the end of a run. */
export const ofLog = (log: Logs.Log<unknown>): ReadonlyArray<LogRule> => {
  const entries = Logs.slice(log, Index(log.base.index + 1), log.length)
  const broken: Array<LogRule> = []
  /** §5.3. */
  if (!continues(log.base, entries)) broken.push("indexes are consecutive and terms never decrease")
  /** LogEntry.ts: what expires by it is never early. */
  if (!ClusterRules.timeNeverFalls(entries)) broken.push("time never falls along the log")
  return broken
}

/** At some time in this step: what was committed may have made room for the next one. */
const inForce = ({ before, after, change }: Step): ReadonlyArray<Configuration> => {
  const logged = (change?.log?.entries ?? []).flatMap(({ payload }) =>
    payload._tag === "Configuration" ? [payload.configuration] : []
  )
  return [before.configuration, after.configuration, ...logged]
}

/** To the end of the step, or until the cluster did not count it any more in the same term. */
const leads = ({ before, after }: Step): boolean =>
  after._tag === "Leader" || (before._tag === "Leader" && before.currentTerm === after.currentTerm)

/**
 * All that is committed after this step was in the log before it, which is on disk: by Log Matching (§5.3) one
 * entry stands for all before it. Term, vote, admission and the log's beginning were, too.
 */
const wasOnDisk = ({ before, after }: Step): boolean => {
  const { commitIndex, log } = after.stateMachine
  const old = before.stateMachine.log
  const term = Logs.termAt(old, commitIndex)
  return (
    before.currentTerm === after.currentTerm &&
    before.votedFor === after.votedFor &&
    before.admitted === after.admitted &&
    before.pristine === after.pristine &&
    old.base.index === log.base.index &&
    old.base.term === log.base.term &&
    term !== undefined &&
    term === Logs.termAt(log, commitIndex)
  )
}

const progressOf = (state: State): ReadonlyArray<Progress> =>
  state._tag === "Leader" ? [...state.progress.values()] : []

const compareProgress = (step: Step, holds: (before: Progress, after: Progress) => boolean): boolean => {
  const leaders = reign(step)
  if (leaders === undefined || leaders.before.progress === leaders.after.progress) return true
  for (const [peer, before] of leaders.before.progress) {
    const after = leaders.after.progress.get(peer)
    if (after !== undefined && !holds(before, after)) return false
  }
  return true
}

/** Admission.ts: who is not admitted counts for nothing. */
const countedMatch = (progress: Progress | undefined): number => (progress?.admitted === true ? progress.matchIndex : 0)

const readsHeld = (state: State): number => {
  const { arrived, asked, known } = state.reads
  let count = 0
  for (let pile = arrived; pile !== undefined; pile = pile.older) count += pile.reads.length
  for (const { reads } of [...asked, ...known]) count += reads.length
  if (state._tag === "Leader") for (const { reads } of state.rounds) count += reads.length
  return count
}

const continues = (
  { index, term }: { readonly index: number; readonly term: number },
  entries: ReadonlyArray<LogEntry<unknown>>
): boolean =>
  entries.every(
    (entry, at) =>
      entry.index === index + at + 1 && entry.term >= (at === 0 ? Math.max(1, term) : entries[at - 1]!.term)
  )

/** The very same entries: what is stored is what is in the log. */
const sameChange = (one: Persist<unknown>["log"], other: Persist<unknown>["log"]): boolean =>
  one === undefined || other === undefined
    ? one === other
    : one.from === other.from &&
      one.entries.length === other.entries.length &&
      one.entries.every((entry, at) => sameEntry(other.entries[at], entry))

/** One that is packed is made anew whenever it is asked for, and so perhaps are its request and the bytes of its command. */
const sameEntry = (one: LogEntry<unknown> | undefined, other: LogEntry<unknown>): boolean => {
  if (one === other) return true
  if (one?.index !== other.index || one.term !== other.term || one.payload._tag !== other.payload._tag) return false
  return one.payload._tag !== "Command" || other.payload._tag !== "Command" || sameCommand(one.payload, other.payload)
}

const sameCommand = (one: Command, other: Command): boolean =>
  one.request.replica === other.request.replica &&
  one.request.incarnation === other.request.incarnation &&
  one.request.sequence === other.request.sequence &&
  one.time === other.time &&
  sameBytes(one.command, other.command)

const sameBytes = (one: unknown, other: unknown): boolean =>
  one === other ||
  (one instanceof Uint8Array &&
    other instanceof Uint8Array &&
    one.length === other.length &&
    one.every((byte, at) => byte === other[at]))

type Command = Extract<LogEntry<unknown>["payload"], { readonly _tag: "Command" }>

const messages = (effects: Effects): ReadonlyArray<Sent> => {
  const sent: Array<Sent> = []
  for (const effect of effects) if (effect._tag === "Send") sent.push(effect)
  return sent
}

/** The ends are enough: between them entries are consecutive, and stand in the log by reference. */
const isFromLog = (state: State, { term, prev, entries, leaderCommit }: AppendEntries<unknown>): boolean => {
  const { log, commitIndex } = state.stateMachine
  const holds = (entry: LogEntry<unknown> | undefined, index: number): boolean =>
    entry === undefined ||
    (entry.index === index && (index <= log.base.index || sameEntry(Logs.get(log, entry.index), entry)))
  return (
    term === state.currentTerm &&
    (prev.index < log.base.index || Logs.termAt(log, prev.index) === prev.term) &&
    holds(entries[0], prev.index + 1) &&
    holds(entries.at(-1), prev.index + entries.length) &&
    leaderCommit <= commitIndex
  )
}
