/** The rules about the cluster itself: its members, handing over, leases, its time and its version. See Invariants. */
import { leave } from "./Amendment.ts"
import type { Configuration } from "./Configuration.ts"
import * as Configurations from "./Configuration.ts"
import * as Logs from "./Log.ts"
import type { LogEntry, Payload, ReplicaId } from "./LogEntry.ts"
import { reign, type State, type Step } from "./Rule.ts"
import * as Succession from "./Succession.ts"

export const stateRules = {
  /** §6: "a server always uses the latest configuration in its log"; each that is kept stands there. */
  "each configuration stands in the log": ({ configuration, configurations, stateMachine: { log } }: State) =>
    configurations.at(-1)?.configuration === configuration &&
    configurations.every(({ index, configuration: one }, at, all) => {
      if (at > 0 && index <= all[at - 1]!.index) return false
      // The first one may be a snapshot's, of what was in force there.
      if (at === 0) return true
      const payload = Logs.get(log, index)?.payload
      return payload?._tag === "Configuration" && payload.configuration === one
    }),
  /** Succession.ts: a snapshot holds the configuration at what is applied, so that one is kept. */
  "the configuration at what is applied is kept": ({ configurations, stateMachine }: State) =>
    configurations[0]!.index <= stateMachine.lastApplied,
  /** §6: C-old, then C-old,new, then C-new. */
  "voters change through a joint configuration": ({ configurations }: State) =>
    configurations.every((one, at, all) => at === 0 || mayFollow(all[at - 1]!.configuration, one.configuration)),
  /** §6: "the leader steps down once it has committed the C-new log entry", and leads until then. */
  "who is no voter does not lead beyond that": (state: State) =>
    state._tag !== "Leader" ||
    Configurations.isVoter(state.configuration, state.id) ||
    Succession.last(state.configurations).index > state.stateMachine.commitIndex,
  /** Thesis §3.10: a leader hands over to another server that can win. */
  "a leader hands over to another voter": (state: State) =>
    state._tag !== "Leader" ||
    state.transfer === undefined ||
    (state.transfer.to !== state.id && Configurations.isVoter(state.configuration, state.transfer.to)),
  /** Lease.ts: nothing rests on promises from which followers may have been released. */
  "a lease that was given up is none": (state: State) =>
    state._tag !== "Leader" || !state.lease.void || (state.lease.until === 0 && state.lease.sent.length === 0),
  /** Version.ts: who does not understand the cluster's version applies nothing, and does not lead. */
  "who is outdated does not lead": (state: State) =>
    state.stateMachine.outdated === undefined || state._tag !== "Leader",
  /** Version.ts: leaders do not raise it beyond the ceiling. */
  "the version is not above its ceiling": ({ stateMachine: { version, ceiling } }: State) =>
    ceiling === undefined || version <= ceiling
}

export const stepRules = {
  /** §6: "once a given server adds the new configuration entry to its log, it uses that configuration". */
  "the configuration is the last one that was logged": ({ after, change }: Step) => {
    const last = configurationsIn(change?.log?.entries ?? []).at(-1)
    return last === undefined || last.payload.configuration === after.configuration
  },
  /** I11, thesis §4.1: a leader does not log a configuration before the one before it is committed. */
  "at most one uncommitted configuration": ({ after, change }: Step) =>
    after._tag !== "Leader" ||
    configurationsIn(change?.log?.entries ?? []).length === 0 ||
    after.configurations.slice(0, -1).every(({ index }) => index <= after.stateMachine.commitIndex),
  /** Ongaro, raft-dev 2015: a leader may not know of an earlier one before an entry of its term is committed. */
  "no configuration before an own entry is committed": ({ after, change }: Step) =>
    after._tag !== "Leader" ||
    configurationsIn(change?.log?.entries ?? []).length === 0 ||
    Logs.termAt(after.stateMachine.log, after.stateMachine.commitIndex) === after.currentTerm,
  /** Thesis §4.2.2: who votes in no configuration that may be in force does not begin to stand. */
  "only voters stand": ({ before, after }: Step) =>
    before._tag !== "Follower" ||
    (after._tag !== "PreCandidate" && after._tag !== "Candidate") ||
    Succession.isVoter(before.configurations, before.id) ||
    Succession.isVoter(after.configurations, after.id),
  /** Thesis §3.10: "the prior leader stops accepting new client requests". */
  "who hands over logs nothing": (step: Step) =>
    reign(step)?.after.transfer === undefined || step.change?.log === undefined,
  /** Lease.ts: for the rest of the term. */
  "a lease that was given up stays so": (step: Step) => {
    const leaders = reign(step)
    return leaders === undefined || !leaders.before.lease.void || leaders.after.lease.void
  },
  /** Thesis §6.4.1: who was told to stand releases the followers from their patience. */
  "who tells another to stand gives up its lease": ({ after, sent }: Step) =>
    after._tag !== "Leader" || after.lease.void || sent.every(({ message }) => message._tag !== "TimeoutNow"),
  /** §5.2, thesis §3.10: nobody else says that a leader lives, or who is to be the next. */
  "heartbeats and TimeoutNow are a leader's": ({ before, after, sent }: Step) =>
    sent.every(({ message }) => {
      if (message._tag !== "Heartbeat" && message._tag !== "TimeoutNow") return true
      const leads = after._tag === "Leader" && after.currentTerm === message.term
      // Who is deposed says so with its last breath.
      const led = before._tag === "Leader" && before.currentTerm === message.term
      return leads || led
    }),
  /** LogEntry.ts: the cluster's time never falls along a log. */
  "time never falls": ({ before, after, change }: Step) =>
    before.stateMachine.time <= after.stateMachine.time && timeNeverFalls(change?.log?.entries ?? []),
  /** Version.ts: leaders raise the version to what all members understand, as they have said. */
  "a version is raised to what all members understand": (step: Step) => {
    const leaders = reign(step)
    if (leaders === undefined || step.change?.log === undefined) return true
    const { stateMachine, progress } = leaders.after
    const least = Math.min(...[...progress.values()].map(({ version }) => version))
    return step.change.log.entries.every(
      ({ payload }) =>
        payload._tag !== "Version" ||
        payload.version <= leaders.before.stateMachine.version ||
        payload.version <= stateMachine.version ||
        payload.version <= least
    )
  }
}

type Reconfiguring = LogEntry<unknown> & { readonly payload: Extract<Payload<unknown>, { _tag: "Configuration" }> }

const configurationsIn = (entries: ReadonlyArray<LogEntry<unknown>>): ReadonlyArray<Reconfiguring> =>
  entries.filter((entry): entry is Reconfiguring => entry.payload._tag === "Configuration")

export const timeNeverFalls = (entries: ReadonlyArray<LogEntry<unknown>>): boolean => {
  let time = 0
  for (const { payload } of entries) {
    if (payload._tag !== "Command") continue
    if (payload.time < time) return false
    time = payload.time
  }
  return true
}

const mayFollow = (before: Configuration, after: Configuration): boolean => {
  if (Configurations.isJoint(before)) {
    return !Configurations.isJoint(after) && sameSet(leave(before).voters, after.voters)
  }
  return sameSet(before.voters, Configurations.isJoint(after) ? after.outgoing : after.voters)
}

const sameSet = (one: ReadonlyArray<ReplicaId>, other: ReadonlyArray<ReplicaId>): boolean =>
  one.length === other.length && one.every((id) => other.includes(id))
