/**
 * Log entries as bytes, the same in a log record and in AppendEntries:
 * index (8), term (8), kind (1: 0 NoOp, 1 Command), and for a command the request
 * (replica, incarnation 8, sequence 8) and the command's bytes with their length.
 */
import { Index, type LogEntry, type Payload, ReplicaId, type RequestId, Term } from "../raft/LogEntry.ts"
import type { Reader, Writer } from "./Bytes.ts"

const noOp: Payload<never> = { _tag: "NoOp" }

export const writeRequestId = (to: Writer, request: RequestId): void => {
  to.utf8(request.replica)
  to.safe(request.incarnation)
  to.safe(request.sequence)
}

export const readRequestId = (from: Reader): RequestId => ({
  replica: ReplicaId(from.utf8()),
  incarnation: from.safe(),
  sequence: from.safe()
})

export const writeEntry = (to: Writer, entry: LogEntry<Uint8Array>): void => {
  to.safe(entry.index)
  to.safe(entry.term)
  switch (entry.payload._tag) {
    case "NoOp":
      return to.u8(0)
    case "Command":
      to.u8(1)
      writeRequestId(to, entry.payload.request)
      return to.bytes(entry.payload.command)
  }
}

export const readEntry = (from: Reader): LogEntry<Uint8Array> => {
  const index = Index(from.safe())
  const term = Term(from.safe())
  return { index, term, payload: readPayload(from) }
}

const readPayload = (from: Reader): Payload<Uint8Array> => {
  switch (from.u8()) {
    case 0:
      return noOp
    case 1:
      return { _tag: "Command", request: readRequestId(from), command: from.bytes() }
    default:
      from.fail()
      return noOp
  }
}
