/**
 * The two connections to a peer. Over one connection a heartbeat would wait behind all that was
 * written before it, and a follower that is being sent megabytes would stand for election. So
 * what may be large goes over a lane of its own, with what must keep its order beside it; each
 * lane keeps its order, and nothing is promised between them (decision 12).
 */
import type { Purpose } from "../codec/Handshake.ts"
import type { Message } from "../raft/Message.ts"

export type Lane = Exclude<Purpose, "Probe">

export const lanes: ReadonlyArray<Lane> = ["Control", "Bulk"]

/** What may be large, and what must not overtake it: a read that a client asked behind its write must not miss that. */
const bulk: ReadonlySet<Message<unknown>["_tag"]> = new Set([
  "AppendEntries",
  "InstallSnapshot",
  "Forward",
  "ForwardAmendment",
  "ReadIndex"
])

export const laneOf = ({ _tag }: Pick<Message<unknown>, "_tag">): Lane => (bulk.has(_tag) ? "Bulk" : "Control")

/** The messages of each lane, in their order. Most batches need one lane only and are not copied. */
export const split = <M extends Pick<Message<unknown>, "_tag">>(
  messages: ReadonlyArray<M>
): Readonly<Record<Lane, ReadonlyArray<M>>> => {
  const large = messages.filter((message) => laneOf(message) === "Bulk")
  if (large.length === 0) return { Control: messages, Bulk: large }
  if (large.length === messages.length) return { Control: [], Bulk: messages }
  return { Control: messages.filter((message) => laneOf(message) === "Control"), Bulk: large }
}
