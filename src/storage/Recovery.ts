/**
 * Reads the log back, and tells an interrupted write from damage. Only the last record can have
 * been interrupted: a record is written when the one before it is on disk. So what is unreadable
 * at the very end of the last segment is cut, and anything unreadable that is followed by a whole
 * record, or by a segment, is damage: it was acknowledged, and cutting it could undo a vote or a
 * commit (Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST '18).
 *
 * What cannot be told apart, here as elsewhere: damage to the very last record looks like an
 * interrupted write. A clean stop closes the log with an empty record, and narrows this to
 * crashes. Segments missing after the last one found cannot be noticed either.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import type { Persist } from "../raft/RaftEffect.ts"
import { corrupt, newerFormat } from "./DiskError.ts"
import * as LogRecord from "./LogRecord.ts"
import * as Replay from "./Replay.ts"
import * as Segment from "./Segment.ts"
import { SegmentReader } from "./SegmentReader.ts"

/** Where the log goes on. */
export interface Tail {
  readonly path: string
  readonly header: Segment.Header
  readonly size: number
  /** Where the last record begins; undefined when the segment has none. */
  readonly lastRecordAt: number | undefined
  /** The next record goes here. */
  readonly offset: number
  readonly sequence: number
  /** How many bytes from `offset` on are an interrupted write. */
  readonly cutBytes: number
}

export interface Loaded extends Replay.Replay {
  readonly tail: Tail
}

/** The segments in a directory, in order; those that do not follow on each other are refused. */
export const segmentsIn = (directory: string): ReadonlyArray<string> => {
  const numbers = fs
    .readdirSync(directory)
    .flatMap((name) => Segment.numberOf(name) ?? [])
    .sort((a, b) => a - b)
  numbers.forEach((number, i) => {
    if (number === i + 1) return
    const missing = path.join(directory, Segment.nameOf(i + 1))
    throw corrupt(missing, 0, `this segment is missing, while ${Segment.nameOf(number)} is there`)
  })
  return numbers.map((number) => path.join(directory, Segment.nameOf(number)))
}

/** Throws `StorageError`; changes nothing on disk. There must be at least one segment. */
export const load = (segments: ReadonlyArray<string>, owner: number): Loaded => {
  const loading: Loading = { replay: Replay.make(), sequence: 1 }
  let previous: Tail | undefined
  segments.forEach((file, i) => {
    const reader = new SegmentReader(file)
    try {
      const header = readHeader(reader, i + 1, owner)
      if (header.firstSequence !== loading.sequence) throw brokenChain(reader.path, header, loading.sequence, previous)
      previous = readRecords(reader, header, loading, i === segments.length - 1)
    } finally {
      reader.close()
    }
  })
  return { ...loading.replay, tail: previous! }
}

interface Loading {
  readonly replay: Replay.Replay
  /** The sequence number of the next record. */
  sequence: number
}

const readHeader = (reader: SegmentReader, number: number, owner: number): Segment.Header => {
  const header = Segment.decodeHeader(reader.view(0, Segment.headerBytes))
  if ("_tag" in header) {
    throw header._tag === "Newer"
      ? newerFormat(reader.path, header.version, Segment.formatVersion)
      : corrupt(reader.path, 0, "a segment header was expected, and its checksum does not match")
  }
  if (header.number !== number) {
    throw corrupt(reader.path, 0, `the header of segment ${number} was expected, and this is segment ${header.number}`)
  }
  if (header.owner !== owner) throw corrupt(reader.path, 0, "this segment was written by another replica")
  return header
}

const brokenChain = (file: string, header: Segment.Header, expected: number, previous: Tail | undefined) =>
  corrupt(
    previous?.path ?? file,
    previous?.offset ?? 0,
    `record ${expected} was expected, and the log goes on with record ${header.firstSequence} in ${path.basename(file)}`
  )

const readRecords = (reader: SegmentReader, header: Segment.Header, loading: Loading, isLast: boolean): Tail => {
  let offset = Segment.headerBytes
  let lastRecordAt: number | undefined
  for (;;) {
    const record = reader.recordAt(offset, header.mark)
    if (record === undefined) break
    const length = record.length
    const found = LogRecord.sequenceOf(record)
    if (found !== loading.sequence) {
      throw corrupt(reader.path, offset, `record ${loading.sequence} was expected, and this is record ${found}`)
    }
    // Commands are views into their record: a copy of it, so that they keep no more than that in memory.
    const problem = replayRecord(loading, LogRecord.decode(Buffer.from(record)))
    if (problem !== undefined) throw corrupt(reader.path, offset, `record ${found} is whole, but holds ${problem}`)
    lastRecordAt = offset
    offset += length
    loading.sequence++
  }
  // An earlier segment that ends too soon is noticed by the header of the next one.
  const cutBytes = isLast ? interruptedBytes(reader, header.mark, offset, loading.sequence) : 0
  const { path: file, size } = reader
  return { path: file, header, size, lastRecordAt, offset, sequence: loading.sequence, cutBytes }
}

const interruptedBytes = (reader: SegmentReader, mark: number, offset: number, sequence: number): number => {
  const end = reader.endOfData(offset)
  if (end === offset) return 0
  const next = reader.findRecord(offset + 1, mark)
  if (next === undefined) return end - offset
  throw corrupt(
    reader.path,
    offset,
    `record ${sequence} was expected, but no whole record is here, while an undamaged one follows at offset ${next}`
  )
}

const replayRecord = (loading: Loading, change: Persist<Uint8Array> | undefined): string | undefined => {
  if (change === undefined) return "nothing that can be understood"
  const problem = change.log && Replay.objection(loading.replay.entries.length, change.log)
  if (problem !== undefined) return problem
  Replay.apply(loading.replay, change)
  return undefined
}
