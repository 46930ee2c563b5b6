/**
 * Log entries as bytes, the same in a log record and in AppendEntries:
 * index (8), term (8), kind (1), and then of
 *
 *     0 NoOp            nothing
 *     1 Command         request (replica, incarnation 8, sequence 8), the command's bytes with their length; written
 *                       before commands were stamped: the time is 0
 *     2 Command         the cluster's time (8), then as 1
 *     3 Configuration   request, if there is one; the configuration
 *     4 Version         request, if there is one; version (8); ceiling (8), if there is one
 */
import { ClusterTime, Index, type LogEntry, type Payload, ReplicaId, type RequestId, Term } from "../raft/LogEntry.ts"
import type { Reader, Writer } from "./Bytes.ts"
import { readConfiguration, writeConfiguration } from "./ConfigurationCodec.ts"
import { readOptional, writeOptional } from "./Fields.ts"

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
  const { payload } = entry
  switch (payload._tag) {
    case "NoOp":
      return to.u8(0)
    case "Command":
      to.u8(2)
      to.safe(payload.time)
      writeRequestId(to, payload.request)
      return to.bytes(payload.command)
    case "Configuration":
      to.u8(3)
      writeOptional(to, payload.request, (request) => writeRequestId(to, request))
      return writeConfiguration(to, payload.configuration)
    case "Version":
      to.u8(4)
      writeOptional(to, payload.request, (request) => writeRequestId(to, request))
      to.safe(payload.version)
      return writeOptional(to, payload.ceiling, (ceiling) => to.safe(ceiling))
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
      return { _tag: "Command", request: readRequestId(from), time: ClusterTime(0), command: from.bytes() }
    case 2: {
      const time = ClusterTime(from.safe())
      return { _tag: "Command", request: readRequestId(from), time, command: from.bytes() }
    }
    case 3: {
      const request = readOptional(from, () => readRequestId(from))
      return { _tag: "Configuration", configuration: readConfiguration(from), request }
    }
    case 4: {
      const request = readOptional(from, () => readRequestId(from))
      const version = from.safe()
      return { _tag: "Version", version, ceiling: readOptional(from, () => from.safe()), request }
    }
    default:
      from.fail()
      return noOp
  }
}
