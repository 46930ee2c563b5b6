/** Small words for what the tests of the core say about the cluster itself: its members, who leads it, what it understands. */
import type { Amendment, MemberChange } from "../../src/raft/Amendment.ts"
import type * as Configurations from "../../src/raft/Configuration.ts"
import { Index, type Instant, type LogEntry, type ReplicaId, type RequestId, Term } from "../../src/raft/LogEntry.ts"
import { anybody, type Message, now, type RaftEvent, request } from "./builders.ts"

export const heartbeat = (term: number, round = 0): Message => ({ _tag: "Heartbeat", term: Term(term), round })
export const heartbeatReply = (term: number, round = 0, sender = anybody): Message => ({
  _tag: "HeartbeatReply",
  term: Term(term),
  round,
  sender
})
export const timeoutNow = (term: number): Message => ({ _tag: "TimeoutNow", term: Term(term) })
export const forwardTransfer = (term: number, to?: ReplicaId): Message => ({
  _tag: "ForwardTransfer",
  term: Term(term),
  to
})
export const forwardAmendment = (term: number, id: RequestId, amendment: Amendment): Message => ({
  _tag: "ForwardAmendment",
  term: Term(term),
  request: id,
  amendment
})
export const notAMember = (term: number, index: number): Message => ({
  _tag: "NotAMember",
  term: Term(term),
  index: Index(index)
})
export const configured = (
  index: number,
  term: number,
  configuration: Configurations.Configuration,
  id?: RequestId
): LogEntry<string> => ({
  index: Index(index),
  term: Term(term),
  payload: { _tag: "Configuration", configuration, request: id }
})
export const versioned = (
  index: number,
  term: number,
  version: number,
  { ceiling, id }: { readonly ceiling?: number; readonly id?: RequestId } = {}
): LogEntry<string> => ({
  index: Index(index),
  term: Term(term),
  payload: { _tag: "Version", version, ceiling, request: id }
})
/** All of these changes, left by itself where it is joint. */
export const changing = (...changes: ReadonlyArray<MemberChange>): Amendment & { readonly _tag: "Members" } => ({
  _tag: "Members",
  changes,
  autoLeave: true,
  force: false
})
export const amending = (sequence: number, amendment: Amendment, at: Instant = now): RaftEvent => ({
  _tag: "AmendmentSubmitted",
  request: request(sequence),
  amendment,
  at
})
export const transferring = (to?: ReplicaId, at: Instant = now): RaftEvent => ({ _tag: "TransferRequested", to, at })
