/**
 * Messages between replicas as text in a datagram's object: in the same bytes as over TCP, in base64. What does not fit
 * into one datagram goes in several; what does not fit into any is lost, as far as the peer is concerned.
 */
import * as MessageCodec from "../codec/MessageCodec.ts"
import type { Message } from "../raft/Message.ts"
import { maxPayloadBytes } from "./CourseOptions.ts"

type Messages = ReadonlyArray<Message<Uint8Array>>

/** A payload for each datagram. */
export const encode = (messages: Messages): ReadonlyArray<string> => {
  // What clients of this replica want goes to the leader on their own way: they are told who it is.
  const carried = messages.filter(({ _tag }) => _tag !== "Forward")
  return carried.length === 0 ? [] : pack(carried)
}

const pack = (messages: Messages): ReadonlyArray<string> => {
  const bytes = MessageCodec.encode(messages)
  if (bytes.length <= maxPayloadBytes) return [bytes.toString("base64")]
  if (messages.length === 1) return []
  const half = messages.length >> 1
  return [...pack(messages.slice(0, half)), ...pack(messages.slice(half))]
}

/** No messages where the text says none that a correct replica sends. */
export const decode = (payload: string): Messages => {
  const decoded = MessageCodec.decode(Buffer.from(payload, "base64"))
  return decoded._tag === "Decoded" ? decoded.messages : []
}
