/** About how long messages will be as bytes. A guess too low costs a copy, nothing else. */
import type { LogEntry } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import { bytesOf } from "./LogEntryCodec.ts"
import { worthSharing } from "./PieceWriter.ts"

const fixedBytes = 64
const requestBytes = 24

/** All of it. */
export const of = (message: Message<Uint8Array>): number => {
  switch (message._tag) {
    case "AppendEntries": {
      const { copied, shared } = bytesOf(message.entries)
      return fixedBytes + copied + shared
    }
    case "Forward":
      return message.requests.reduce(
        (sum, { request, command }) => sum + requestBytes + request.replica.length + command.length,
        fixedBytes
      )
    case "ForwardRefused":
      return message.requests.reduce((sum, { replica }) => sum + requestBytes + replica.length, fixedBytes)
    case "InstallSnapshot":
      return fixedBytes + message.bytes.length
    default:
      return fixedBytes
  }
}

/** What a `PieceWriter` writes of a message that has so many bytes: entries that are many are shared as a whole. */
export const ownOf = (message: Message<Uint8Array>, bytes: number): number => {
  if (bytes < worthSharing) return bytes
  switch (message._tag) {
    case "AppendEntries":
      return fixedBytes * (1 + message.entries.filter(isLarge).length)
    case "Forward":
      return bytes - message.requests.reduce((sum, { command }) => sum + sharedOf(command), 0)
    case "InstallSnapshot":
      return bytes - sharedOf(message.bytes)
    default:
      return bytes
  }
}

const isLarge = ({ payload }: LogEntry<Uint8Array>): boolean =>
  payload._tag === "Command" && payload.command.length >= worthSharing

const sharedOf = ({ length }: Uint8Array): number => (length < worthSharing ? 0 : length)
