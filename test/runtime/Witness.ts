/**
 * Stands between a cluster's replicas and their disks, links and clients, sees the order in
 * which things happen there, and objects when a word goes before the deed it speaks of:
 * whatever a replica says must follow from what the disks hold at that moment.
 *
 * It knows the disks only by what was confirmed, and a message only by what its receiver
 * may conclude from it.
 */
import * as Logs from "../../src/raft/Log.ts"
import { Index, type LogEntry, type Payload, type ReplicaId, type Term } from "../../src/raft/LogEntry.ts"
import type { Message } from "../../src/raft/Message.ts"
import type { Persist } from "../../src/raft/RaftEffect.ts"
import type { ServerState } from "../../src/raft/ServerState.ts"
import { mix, text } from "../../src/sim/Random.ts"
import * as Replay from "../../src/storage/Replay.ts"
import type { Snapshot } from "../../src/raft/Snapshot.ts"
import type { Recovered } from "../../src/storage/Storage.ts"

type State = ServerState<unknown, Uint8Array, unknown>

export interface WitnessOptions {
  readonly ids: ReadonlyArray<ReplicaId>
  readonly now: () => number
  /** `undefined` for a replica that was never started. */
  readonly stateOf: (id: ReplicaId) => State | undefined
}

/** One replica, as seen from outside. */
interface Seen {
  durable: Replay.Replay
  /** What it once had, before it began empty because its snapshots were damaged: it may have been counted upon. */
  lost: Replay.Replay | undefined
  /** The indexes of snapshots that are or were on its disk. */
  snapshots: Set<number>
  /** A `Persist` that is neither confirmed nor failed. */
  writing: boolean
  /** It hears its peers, so all of it runs. */
  begun: boolean
  /** Why it has nothing more to say until it starts again: it ended, or its disk failed. */
  silent: string | undefined
}

export class Witness {
  readonly objections: Array<string> = []
  readonly trace: Array<string> = []
  /** A digest of the trace: equal runs have equal ones. */
  digest = 0
  /** How many `Persist`s have begun, of all replicas together. */
  persists = 0
  /** How many snapshots have become whole, of all replicas together. */
  readonly snapshots = { taken: 0, received: 0 }
  private readonly seen: ReadonlyMap<ReplicaId, Seen>
  /** The term of each entry that anybody has called committed, by index from 1. */
  private readonly committed: Array<Term> = []
  /** Every entry that anybody ever wrote, by index and term. */
  private readonly written = new Map<string, LogEntry<Uint8Array>>()
  private readonly leaders = new Map<Term, ReplicaId>()
  private readonly options: WitnessOptions

  constructor(options: WitnessOptions) {
    this.options = options
    this.seen = new Map(
      options.ids.map((id) => [
        id,
        {
          durable: Replay.make(),
          lost: undefined,
          snapshots: new Set(),
          writing: false,
          begun: false,
          silent: undefined
        }
      ])
    )
  }

  note(what: string): void {
    const line = `${this.options.now().toFixed(3)} ${what}`
    this.trace.push(line)
    this.digest = mix(this.digest, text(line))
  }

  object(to: string): void {
    this.note(`OBJECTION ${to}`)
    this.objections.push(`at ${this.options.now().toFixed(3)}: ${to}`)
  }

  onStart(id: ReplicaId, { hardState, admitted, base, entries, incarnation, snapshots }: Recovered): void {
    const found = `${entries.length} entries after ${base.index}, snapshots [${snapshots.map(({ last }) => last.index).join(" ")}]`
    this.note(`${id} starts: incarnation ${incarnation}, term ${hardState.currentTerm}, ${found}`)
    const seen = this.of(id)
    if (hardState.currentTerm < seen.durable.outline.hardState.currentTerm) this.object(`${id} lost its term`)
    seen.durable = Replay.make({ hardState, admitted, base, last: base })
    if (entries.length > 0) {
      const log = { from: Index(base.index + 1), entries }
      Replay.apply(seen.durable, { _tag: "Persist", hardState: undefined, admitted: undefined, base: undefined, log })
    }
    seen.snapshots = new Set(snapshots.map(({ last }) => last.index))
    seen.writing = false
    seen.begun = false
    seen.silent = undefined
  }

  onPersist(id: ReplicaId, change: Persist<Uint8Array>): void {
    this.persists++
    this.note(`${id} persists ${describeChange(change)}`)
    const seen = this.of(id)
    if (seen.writing) this.object(`${id} has two writes under way`)
    if (seen.silent !== undefined) this.object(`${id} writes after ${seen.silent}`)
    for (const entry of change.log?.entries ?? []) this.written.set(`${entry.index}/${entry.term}`, entry)
    const { base } = change
    if (base !== undefined && base.index > 0 && !Array.from(seen.snapshots).some((index) => index >= base.index))
      this.object(`${id} drops its log up to ${base.index}, and has no snapshot that stands for it`)
    seen.writing = true
  }

  onPersisted(id: ReplicaId, change: Persist<Uint8Array>): void {
    this.note(`${id} has persisted`)
    const seen = this.of(id)
    seen.writing = false
    if (change.base?.index === 0) seen.lost = Replay.copy(seen.durable)
    Replay.apply(seen.durable, change)
  }

  /** A snapshot is whole and on the disk. */
  onSnapshot(id: ReplicaId, how: "taken" | "received", { last }: Pick<Snapshot, "last">): void {
    this.note(`${id} has ${how} a snapshot at ${last.index}/${last.term}`)
    this.snapshots[how]++
    this.of(id).snapshots.add(last.index)
    const state = this.options.stateOf(id)
    if (state !== undefined) this.checkCommitted(id, state)
    const known = this.committed[last.index - 1]
    if (known !== last.term) this.object(`${id} has a snapshot at ${last.index} of what is not committed`)
  }

  /** It failed, or the replica ended meanwhile: what of it is on disk shows at the next start. */
  onNotPersisted(id: ReplicaId): void {
    this.note(`${id} has not persisted`)
    this.of(id).silent = "its disk failed"
  }

  onBegin(id: ReplicaId): void {
    this.of(id).begun = true
  }

  hasBegun(id: ReplicaId): boolean {
    return this.of(id).begun
  }

  onEnd(id: ReplicaId): void {
    this.of(id).silent ??= "it ended"
  }

  onSend(from: ReplicaId, to: ReplicaId, messages: ReadonlyArray<Message<Uint8Array>>): void {
    const what = `sends ${to} ${messages.map(describeMessage).join(", ")}`
    // Chunks are sent beside the loop, whatever it is doing: they speak of a file, and of nothing else.
    if (messages.every(({ _tag }) => _tag === "InstallSnapshot")) this.note(`${from} ${what}`)
    else this.speaks(from, what, this.mayReplicate(from, messages))
    for (const message of messages) this.checkMessage(from, to, message)
  }

  /**
   * A client of `id` has an answer, this very moment; `value` is what it wrote, if it did. It may have it while a write is
   * under way, where all that is committed was on the disk before.
   */
  onAnswer(id: ReplicaId, value: Uint8Array | undefined): void {
    const { writing, durable } = this.of(id)
    this.speaks(id, writing ? "answers early" : "answers", true)
    const state = this.options.stateOf(id)
    if (writing && state !== undefined && !rests(state, durable))
      this.object(`${id} answers from a state that is not on its disk`)
    if (value === undefined) return
    const holds = Replay.entriesOf(this.of(id).durable).some(
      ({ payload }) => payload._tag === "Command" && contains(payload.command, value)
    )
    if (!holds) this.object(`${id} acknowledged a write that is not on its disk`)
  }

  /** A leader goes on replicating while it writes, where all that is committed was on its disk before (thesis §10.2.1). */
  private mayReplicate(id: ReplicaId, messages: ReadonlyArray<Message<Uint8Array>>): boolean {
    const state = this.options.stateOf(id)
    return (
      messages.every(({ _tag }) => _tag === "AppendEntries" || _tag === "Heartbeat") &&
      state?._tag === "Leader" &&
      rests(state, this.of(id).durable)
    )
  }

  private speaks(id: ReplicaId, what: string, mayWrite = false): void {
    this.note(`${id} ${what}`)
    const { silent, writing } = this.of(id)
    if (silent !== undefined) this.object(`${id} ${what} after ${silent}`)
    if (writing && !mayWrite) this.object(`${id} ${what} while a write is under way`)
    const state = this.options.stateOf(id)
    if (state !== undefined) this.checkCommitted(id, state)
  }

  private checkMessage(from: ReplicaId, to: ReplicaId, message: Message<Uint8Array>): void {
    const { durable, snapshots } = this.of(from)
    const { outline } = durable
    const { currentTerm, votedFor } = outline.hardState
    if (message.term > currentTerm) this.object(`${from} speaks of term ${message.term} before it is on disk`)
    if (message._tag === "InstallSnapshot" && !snapshots.has(message.snapshot.last.index))
      this.object(`${from} sends a snapshot at ${message.snapshot.last.index} that it does not have`)
    // A later term in the same batch has overtaken what is said of this one, and that is on disk.
    if (message.term < currentTerm) return
    if (message._tag === "RequestVote" && votedFor !== from) this.object(`${from} stands before its vote is on disk`)
    if (message._tag === "RequestVoteReply" && message.granted && votedFor !== to)
      this.object(`${from} grants a vote to ${to} that is not on disk`)
    if (message._tag === "AppendEntries") {
      const other = this.leaders.get(message.term) ?? from
      if (other !== from) this.object(`${from} and ${other} both lead term ${message.term}`)
      this.leaders.set(message.term, from)
    }
    if (message._tag !== "AppendEntriesReply" || message.result._tag !== "Matched") return
    const { matchIndex } = message.result
    if (matchIndex > outline.lastIndex)
      this.object(`${from} matches up to ${matchIndex}, its disk up to ${outline.lastIndex}`)
    const leader = this.options.stateOf(to)
    if (leader?._tag !== "Leader" || leader.currentTerm !== message.term || matchIndex === 0) return
    const [own, leaders] = [outline.termAt(matchIndex), Logs.termAt(leader.stateMachine.log, matchIndex)]
    if (own !== undefined && leaders !== undefined && own !== leaders)
      this.object(`${from} matches ${to} at ${matchIndex} with another entry on its disk`)
  }

  /** What is committed is on the disks of a majority, and is the same for everybody. */
  private checkCommitted(id: ReplicaId, { stateMachine }: State): void {
    const { commitIndex, log } = stateMachine
    for (let index = commitIndex; index > 0; index--) {
      const term = Logs.termAt(log, Index(index))
      const known = this.committed[index - 1]
      if (known !== undefined) {
        if (term !== undefined && known !== term)
          this.object(`${id} has committed ${index} of term ${term}, others of term ${known}`)
        // By Log Matching the rest has been compared before.
        return
      }
      if (term === undefined)
        return this.object(`${id} has a snapshot that stands for ${index}, which nobody committed`)
      this.committed[index - 1] = term
      const holders = this.options.ids.filter((other) => {
        const { durable, lost } = this.of(other)
        const has = ({ outline }: Replay.Replay) => index < outline.base.index || outline.termAt(index) === term
        return has(durable) || (lost !== undefined && has(lost))
      })
      if (2 * holders.length <= this.options.ids.length)
        this.object(
          `${id} has committed ${index} of term ${term}, which is on the disks of [${holders.join(" ")}] only`
        )
    }
  }

  /** All that was ever called committed, from the first entry on: what snapshots have replaced included. */
  log(): ReadonlyArray<LogEntry<Uint8Array>> {
    return Array.from(this.committed, (term, at) => {
      const entry = this.written.get(`${at + 1}/${term}`)
      if (entry === undefined) throw new Error(`entry ${at + 1} was committed, and nobody ever wrote it`)
      return entry
    })
  }

  private of(id: ReplicaId): Seen {
    return this.seen.get(id)!
  }
}

/** Term and vote are on the disk, and so is all that is committed. */
const rests = ({ currentTerm, votedFor, stateMachine }: State, { outline }: Replay.Replay): boolean => {
  const { commitIndex, log } = stateMachine
  return (
    outline.hardState.currentTerm === currentTerm &&
    outline.hardState.votedFor === votedFor &&
    (commitIndex <= outline.base.index || outline.termAt(commitIndex) === Logs.termAt(log, commitIndex))
  )
}

const contains = (bytes: Uint8Array, part: Uint8Array): boolean => Buffer.from(bytes).includes(Buffer.from(part))

const describeChange = ({ admitted, base, hardState, log }: Persist<Uint8Array>): string =>
  [
    hardState === undefined ? "" : `term ${hardState.currentTerm} vote ${hardState.votedFor ?? "none"}`,
    admitted === undefined ? "" : admitted ? "admitted" : "not admitted",
    base === undefined ? "" : `after ${base.index}/${base.term}`,
    log === undefined ? "" : `from ${log.from}: ${describeEntries(log.entries)}`
  ]
    .filter((part) => part !== "")
    .join(" ")

const describeEntries = (entries: ReadonlyArray<LogEntry<Uint8Array>>): string =>
  `[${entries.map(({ payload, term }) => `${term}${describePayload(payload)}`).join(" ")}]`

const describePayload = (payload: Payload<Uint8Array>): string => {
  switch (payload._tag) {
    case "NoOp":
      return ""
    case "Command":
      return `:${payload.request.replica}${payload.request.incarnation}.${payload.request.sequence}`
    case "Configuration":
      return `:members ${payload.configuration.voters.join(",")}`
    case "Version":
      return `:version ${payload.version}`
  }
}

const describeMessage = (message: Message<Uint8Array>): string => {
  switch (message._tag) {
    case "AppendEntries": {
      const { entries, leaderCommit, prev, round, term } = message
      return `Append(${term}) prev ${prev.index}/${prev.term} ${describeEntries(entries)} commit ${leaderCommit} round ${round}`
    }
    case "AppendEntriesReply":
      return message.result._tag === "Matched"
        ? `Matched(${message.term}) ${message.result.matchIndex} round ${message.round}`
        : `Conflict(${message.term}) at ${message.result.prevIndex} hint ${message.result.hint.index}/${message.result.hint.term}`
    case "RequestVoteReply":
    case "PreVoteReply":
      return `${message._tag}(${message.term}) ${message.granted ? "yes" : "no"}`
    case "Forward":
      return `Forward(${message.term}) ${message.requests.map(({ request }) => request.sequence).join(" ")}`
    case "ReadIndex":
      return `ReadIndex(${message.term}) ${message.number}`
    case "ReadIndexReply":
      return `ReadIndexReply(${message.term}) ${message.number} index ${message.index}`
    case "PreVote":
    case "RequestVote":
      return `${message._tag}(${message.term}) last ${message.last.index}/${message.last.term}`
    case "ForwardRefused":
      return `ForwardRefused(${message.term}) ${message.requests.map(({ sequence }) => sequence).join(" ")} ${message.reason}`
    case "InstallSnapshot": {
      const { bytes, offset, snapshot, term } = message
      return `Install(${term}) ${snapshot.last.index}/${snapshot.last.term} ${offset}+${bytes.length} of ${snapshot.bytes}`
    }
    case "InstallSnapshotReply":
      return `Installed(${message.term}) ${message.snapshot.last.index}/${message.snapshot.last.term} ${message.held}`
    case "Introduce":
    case "IntroduceReply":
      return `${message._tag}(${message.term}) ${message.incarnation}`
    case "Forgotten":
      return `Forgotten(${message.term}) ${message.index}`
    case "Diverged":
      return `Diverged(${message.term}) ${message.at.index}`
    case "Heartbeat":
    case "HeartbeatReply":
      return `${message._tag}(${message.term}) round ${message.round}`
    case "TimeoutNow":
      return `TimeoutNow(${message.term})`
    case "ForwardTransfer":
      return `ForwardTransfer(${message.term}) ${message.to ?? "anybody"}`
    case "ForwardAmendment":
      return `ForwardAmendment(${message.term}) ${message.request.sequence}`
    case "NotAMember":
      return `NotAMember(${message.term}) ${message.index}`
  }
}
