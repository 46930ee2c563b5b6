/** What can be told of a log that cannot be trusted: the promises in those of its records that are whole. */
import * as fs from "node:fs"
import * as path from "node:path"
import type { HardState } from "../raft/RaftEffect.ts"
import { codeOf } from "./DiskError.ts"
import * as LogRecord from "./LogRecord.ts"
import { blank } from "./Outline.ts"
import * as Segment from "./Segment.ts"
import { SegmentReader } from "./SegmentReader.ts"

/**
 * The highest term of which any undamaged record tells, also one that stands after damage, and the vote in
 * it. A damaged record may have told of a higher one.
 */
export const hardStateIn = (directory: string, owner: number): HardState => {
  let { hardState } = blank
  const see = (seen: HardState | undefined): void => {
    if (seen === undefined || seen.currentTerm < hardState.currentTerm) return
    // A vote is never taken back within its term.
    hardState = { currentTerm: seen.currentTerm, votedFor: seen.votedFor ?? voteIn(hardState, seen) }
  }
  for (const name of fs.readdirSync(directory)) {
    if (Segment.numberOf(name) !== undefined) salvageSegment(path.join(directory, name), owner, see)
  }
  return hardState
}

const voteIn = (known: HardState, { currentTerm }: HardState): HardState["votedFor"] =>
  known.currentTerm === currentTerm ? known.votedFor : undefined

const salvageSegment = (file: string, owner: number, see: (seen: HardState | undefined) => void): void => {
  try {
    const reader = new SegmentReader(file)
    try {
      salvageRecords(reader, owner, see)
    } finally {
      reader.close()
    }
  } catch (error) {
    // What the disk does not give back is damage like any other.
    if (codeOf(error) === "") throw error
  }
}

const salvageRecords = (reader: SegmentReader, owner: number, see: (seen: HardState | undefined) => void): void => {
  const header = Segment.decodeHeader((offset, length) => reader.view(offset, length))
  const isReadable = !("_tag" in header)
  if (isReadable && header.owner !== owner) return
  if (isReadable) see(header.beginning?.hardState)
  const mark = isReadable ? header.mark : Segment.markIn(reader.view(0, Segment.fixedHeaderBytes))
  if (mark === undefined) return
  let at = reader.findRecord(Segment.fixedHeaderBytes, mark)
  while (at !== undefined) {
    const record = reader.recordAt(at, mark)!
    const end = at + record.length
    const change = LogRecord.decode(Buffer.from(record))
    see(change?.hardState)
    for (const { term } of change?.log?.entries ?? []) see({ currentTerm: term, votedFor: undefined })
    at = reader.findRecord(end, mark)
  }
}
