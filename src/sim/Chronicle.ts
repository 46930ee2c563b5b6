/**
 * What has ever been in a small cluster, as an immutable value: who led, what was committed,
 * what clients were told. The properties of Figure 3 are about all of it, not about now.
 *
 * Logs here hold a handful of entries, so everything is compared with everything.
 */
import { isQuorum, of } from "../raft/Configuration.ts"
import * as Logs from "../raft/Log.ts"
import { Index, type LogEntry, type ReplicaId, type RequestId, type Term } from "../raft/LogEntry.ts"
import type { Member, Told } from "./Reaction.ts"
import { inWords, type State } from "./Subject.ts"
import { require } from "./Violation.ts"

export interface Chronicle {
  /** By term. */
  readonly leaders: ReadonlyArray<ReplicaId | undefined>
  /** The one log; place 0 is index 1. */
  readonly committed: ReadonlyArray<Committed>
  /** The last index of which a client knows. */
  readonly acknowledged: number
  /** Commands whose clients were told that nothing was done. */
  readonly refused: ReadonlyArray<string>
}

export interface Committed {
  readonly entry: LogEntry<unknown>
  /** The term of the leader that committed it, which may be later than the entry's. */
  readonly committedIn: Term
  /** All commands that took effect up to here. */
  readonly value: ReadonlyArray<unknown>
}

export const empty: Chronicle = { leaders: [], committed: [], acknowledged: 0, refused: [] }

type Members = ReadonlyArray<Pick<Member, "id" | "state" | "disk">>

/** A replica has reduced something; nothing of what it says is carried out yet. */
export const onStep = (before: Chronicle, members: Members, after: State): Chronicle => {
  const led = onLeader(before, after)
  checkMatching(members, after)
  const chronicle = onCommit(led, members, after)
  for (const { state } of members) checkComplete(chronicle, state)
  return chronicle
}

/** Election Safety (Figure 3). */
const onLeader = (chronicle: Chronicle, { _tag, id, currentTerm }: State): Chronicle => {
  if (_tag !== "Leader" || chronicle.leaders[currentTerm] === id) return chronicle
  const other = chronicle.leaders[currentTerm]
  require(other === undefined, "one leader a term", () => `${other} and ${id} in term ${currentTerm}`)
  const leaders = Array.from({ length: Math.max(chronicle.leaders.length, currentTerm + 1) }, (_, term) =>
    term === currentTerm ? id : chronicle.leaders[term]
  )
  return { ...chronicle, leaders }
}

/** Log Matching (Figure 3): where two logs agree on a term, they agree on all before it. */
const checkMatching = (members: Members, { id, stateMachine }: State): void => {
  for (const other of members) {
    if (other.id === id) continue
    for (const log of [other.state.stateMachine.log, other.disk.log]) {
      const holds = matches(stateMachine.log, log)
      require(holds, "logs match", () => `${id} and ${other.id} hold different entries under one index and term`)
    }
  }
}

const matches = (one: Logs.Log<unknown>, other: Logs.Log<unknown>): boolean => {
  let agreed = false
  const first = Math.max(one.base.index, other.base.index) + 1
  for (let index = Math.min(Logs.lastIndex(one), Logs.lastIndex(other)); index >= first; index--) {
    const [mine, theirs] = [Logs.get(one, Index(index))!, Logs.get(other, Index(index))!]
    if (!agreed && mine.term !== theirs.term) continue
    if (!same(mine, theirs)) return false
    agreed = true
  }
  return true
}

const same = (one: LogEntry<unknown>, other: LogEntry<unknown> | undefined): boolean => {
  if (one === other) return true
  if (other === undefined || one.term !== other.term || one.payload._tag !== other.payload._tag) return false
  if (one.payload._tag === "Configuration" || one.payload._tag === "Version") return inWords(one) === inWords(other)
  if (one.payload._tag !== "Command" || other.payload._tag !== "Command") return true
  return one.payload.command === other.payload.command
}

/** Leader Completeness (Figure 3): every leader has all that was committed in earlier terms. */
const checkComplete = ({ committed }: Chronicle, { _tag, id, currentTerm, stateMachine }: State): void => {
  if (_tag !== "Leader") return
  for (const { entry, committedIn } of committed) {
    const holds = committedIn >= currentTerm || has(committed, stateMachine.log, entry)
    require(holds, "a leader has all that is committed", () =>
      `${id} leads term ${currentTerm} without ${entry.index}@${entry.term}, committed in term ${committedIn}`)
  }
}

/** Whether a log has an entry that is committed, or begins at a snapshot that stands for it. */
const has = (committed: Chronicle["committed"], log: Logs.Log<unknown>, entry: LogEntry<unknown>): boolean => {
  const { index, term } = log.base
  return entry.index <= index ? committed[index - 1]?.entry.term === term : same(entry, Logs.get(log, entry.index))
}

/** State Machine Safety (Figure 3): one sequence is committed, and applying it gives one value. */
const onCommit = (chronicle: Chronicle, members: Members, after: State): Chronicle => {
  const { id, stateMachine, currentTerm } = after
  const committed = [...chronicle.committed]
  const { base } = stateMachine.log
  require(base.index === 0 ||
    committed[base.index - 1]?.entry.term === base.term, "a snapshot is of what is committed", () =>
    `${id} at ${base.index}@${base.term}`)
  for (let index = base.index + 1; index <= stateMachine.commitIndex; index++) {
    const entry = Logs.get(stateMachine.log, Index(index))!
    const known = committed[index - 1]
    if (known === undefined) {
      // One that is removed leads until that is committed.
      require(chronicle.leaders[currentTerm] === id, "leaders commit first", () => `${id} commits ${index}`)
      committed.push({ entry, committedIn: currentTerm, value: valueAfter(chronicle, committed, entry) })
    } else {
      require(same(known.entry, entry), "one sequence is committed", () =>
        `${id} commits ${index}@${entry.term}, but ${index}@${known.entry.term} is committed`)
    }
  }
  checkValue(committed, stateMachine, id)
  if (committed.length === chronicle.committed.length) return chronicle
  const grown = { ...chronicle, committed }
  // Alone it commits by its own disk, which is written next.
  const isAlone = after.configurations.some(({ configuration }) => isQuorum(configuration, new Set([id])))
  if (!isAlone) checkDisks(grown, members)
  return grown
}

/** Exactly once, told again: a replica's requests take effect in the order of their names; what is overtaken never does. */
const valueAfter = (
  { refused }: Chronicle,
  before: ReadonlyArray<Committed>,
  { payload }: LogEntry<unknown>
): Committed["value"] => {
  const value = before.at(-1)?.value ?? []
  if (payload._tag !== "Command" || before.some(({ entry }) => overtakes(entry, payload.request))) return value
  const command = String(payload.command)
  require(!refused.includes(command), "what was refused never happens", () => command)
  require(!value.includes(command), "a command takes effect once", () => command)
  return [...value, command]
}

const overtakes = ({ payload }: LogEntry<unknown>, { replica, incarnation, sequence }: RequestId): boolean => {
  if (payload._tag !== "Command" || payload.request.replica !== replica) return false
  const { request } = payload
  return request.incarnation > incarnation || (request.incarnation === incarnation && request.sequence >= sequence)
}

const checkValue = (
  committed: ReadonlyArray<Committed>,
  { lastApplied, value }: State["stateMachine"],
  id: ReplicaId
): void => {
  const expected = lastApplied === 0 ? [] : committed[lastApplied - 1]!.value
  const applied = value as ReadonlyArray<unknown>
  const holds = applied.length === expected.length && applied.every((command, at) => command === expected[at])
  require(holds, "what is committed is applied once", () => `${id} at ${lastApplied}: ${applied} for ${expected}`)
}

/**
 * What is committed is on the disks of a majority, now and always: of the voters that were committed last, or, while
 * these are joint, of those before (see Holders.ts).
 */
export const checkDisks = ({ committed }: Chronicle, members: Members): void => {
  const last = committed.findLast(({ entry }) => entry.payload._tag === "Configuration")?.entry.payload
  const founding = members.map(({ state }) => state.configurations[0]!).find(({ index }) => index === 0)
  const present = last?._tag === "Configuration" ? last.configuration : founding?.configuration
  for (const { entry } of committed) {
    const holders = new Set(
      members.filter(({ disk }) => disk.admitted && has(committed, disk.log, entry)).map(({ id }) => id)
    )
    const isHeld =
      present === undefined ||
      [present.voters, present.outgoing].some((voters) => voters.length > 0 && isQuorum(of(voters), holders))
    require(isHeld, "what is committed is on a majority's disks", () =>
      `${entry.index}@${entry.term} is only on ${[...holders].join(" ") || "none"}`)
  }
}

/** A client is told: its write took effect, at the place it is told; its read sees all that was known before it. */
export const onReply = (
  chronicle: Chronicle,
  id: ReplicaId,
  { waiting: { input, floor, again }, outcome }: Told
): Chronicle => {
  const { committed } = chronicle
  switch (outcome._tag) {
    case "Amended":
      return chronicle
    case "Applied": {
      const place = committed.findIndex(({ value }) => value.at(-1) === input && value.length === outcome.result)
      require(place >= floor, "an acknowledged write is committed", () => `${input} at ${id}`)
      return { ...chronicle, acknowledged: Math.max(chronicle.acknowledged, place + 1) }
    }
    case "Answered": {
      const place = committed.findIndex(({ value }, at) => at + 1 >= floor && String(value) === String(outcome.answer))
      const first = floor === 0 && String(outcome.answer) === ""
      require(first || place !== -1, "a read sees all that was known before it", () => `${outcome.answer} at ${id}`)
      return { ...chronicle, acknowledged: Math.max(chronicle.acknowledged, place + 1) }
    }
    case "Superseded":
    case "Declined":
      return chronicle
    case "Refused": {
      if (again) return chronicle
      const happened = committed.at(-1)?.value.includes(input) ?? false
      require(!happened, "what was refused never happens", () => `${input} at ${id}`)
      return { ...chronicle, refused: [...chronicle.refused, input] }
    }
  }
}
