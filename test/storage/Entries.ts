/** Changes and entries as tests write them. */
import { ClusterTime, Index, type LogEntry, type LogPosition, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { HardState, LogChange, Persist } from "../../src/raft/RaftEffect.ts"

export const command = (index: number, term: number, bytes: Uint8Array): LogEntry<Uint8Array> => ({
  index: Index(index),
  term: Term(term),
  payload: {
    _tag: "Command",
    request: { replica: ReplicaId("A"), incarnation: 1, sequence: index },
    time: ClusterTime(0),
    command: Buffer.from(bytes)
  }
})

export const noOp = (index: number, term: number): LogEntry<Uint8Array> => ({
  index: Index(index),
  term: Term(term),
  payload: { _tag: "NoOp" }
})

/** What format 3 brought, from index 8 on. */
export const amended: ReadonlyArray<LogEntry<Uint8Array>> = [
  {
    index: Index(8),
    term: Term(3),
    payload: {
      _tag: "Configuration",
      request: { replica: ReplicaId("B"), incarnation: 2, sequence: 1 },
      configuration: {
        voters: ["A", "B", "D"].map(ReplicaId),
        outgoing: ["A", "B", "C"].map(ReplicaId),
        autoLeave: true,
        learners: [{ id: ReplicaId("E"), promote: false }],
        addresses: [{ id: ReplicaId("D"), address: "d.example:7000" }]
      }
    }
  },
  {
    index: Index(9),
    term: Term(3),
    payload: { _tag: "Version", version: 2, ceiling: undefined, request: undefined }
  },
  {
    index: Index(10),
    term: Term(3),
    payload: {
      _tag: "Command",
      request: { replica: ReplicaId("A"), incarnation: 1, sequence: 10 },
      time: ClusterTime(12_345),
      command: Buffer.from("stamped")
    }
  }
]

export const persist = (change: {
  hardState?: HardState
  admitted?: boolean
  base?: LogPosition
  log?: LogChange<Uint8Array>
}): Persist<Uint8Array> => ({
  _tag: "Persist",
  hardState: change.hardState,
  admitted: change.admitted,
  base: change.base,
  log: change.log
})

export const position = (index: number, term: number): LogPosition => ({ index: Index(index), term: Term(term) })

/** The log begins after this position. */
export const base = (index: number, term: number): Persist<Uint8Array> => persist({ base: position(index, term) })

export const vote = (term: number, votedFor?: string): Persist<Uint8Array> =>
  persist({
    hardState: { currentTerm: Term(term), votedFor: votedFor === undefined ? undefined : ReplicaId(votedFor) }
  })

export const append = (...entries: ReadonlyArray<LogEntry<Uint8Array>>): Persist<Uint8Array> =>
  persist({ log: { from: entries[0]!.index, entries } })
