/**
 * Reads the log back, and tells an interrupted write from damage. Only the last record can have
 * been interrupted: a record is written when the one before it is on disk. So what is unreadable
 * at the very end of the last segment is cut, and anything unreadable that is followed by a whole
 * record, or by a segment, is damage: it was acknowledged, and cutting it could undo a vote or a
 * commit (Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST '18).
 *
 * What cannot be told apart, here as elsewhere: damage to the very last record looks like an
 * interrupted write. A clean stop closes the log with an empty record, and narrows this to
 * crashes. Segments missing after the last one found cannot be noticed either. Those missing before
 * the first one are, unless the log no longer needs them: then they were removed.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import type { StoredChange } from "../codec/LogRecordCodec.ts"
import { Damage, newerFormat } from "./DiskError.ts"
import * as LogRecord from "./LogRecord.ts"
import type { Beginning, Outline } from "./Outline.ts"
import * as Replay from "./Replay.ts"
import * as Segment from "./Segment.ts"
import { SegmentReader } from "./SegmentReader.ts"

/** What there is of one segment. */
export interface SegmentFound {
  readonly path: string
  readonly header: Segment.FoundHeader
  readonly size: number
  /** Where the last record begins; undefined when the segment has none. */
  readonly lastRecordAt: number | undefined
  /** The next record goes here. */
  readonly offset: number
  readonly sequence: number
  /** How many bytes from `offset` on are an interrupted write; only in the last segment. */
  readonly cutBytes: number
  /** The lowest and the highest index of an entry that was ever written in it. */
  readonly indexes: { readonly lowest: number; readonly highest: number } | undefined
}

export interface Progress {
  readonly bytes: number
  readonly entries: number
}

/** What has been read so far; whole when reading ends. */
export interface Loading {
  replay: Replay.Replay
  /** The sequence number of the next record. */
  sequence: number
  readonly segments: Array<SegmentFound>
}

export const begin = (): Loading => ({ replay: Replay.make(), sequence: 1, segments: [] })

/** The segments in a directory, in order; those that do not follow on each other are refused. */
export const segmentsIn = (directory: string): ReadonlyArray<string> => {
  const found = fs
    .readdirSync(directory)
    .flatMap((name) => ({ name, number: Segment.numberOf(name) ?? [] }))
    .flatMap(({ name, number }) => (typeof number === "number" ? [{ name, number }] : []))
    .sort((a, b) => a.number - b.number)
  found.forEach(({ name, number }, i) => {
    if (name !== Segment.nameOf(number)) {
      throw new Damage(path.join(directory, name), 0, `this is no name of a segment; segment ${number} has another one`)
    }
    const expected = found[0]!.number + i
    if (number === expected) return
    const missing = path.join(directory, Segment.nameOf(expected))
    throw new Damage(missing, 0, `this segment is missing, while ${name} is there`)
  })
  return found.map(({ name }) => path.join(directory, name))
}

/**
 * Reads the segments, at least one, into `loading`, and pauses about once a mebibyte. Without an owner it
 * reads those of anybody. Throws `Damage` and
 * `StorageError`, and what was read until then stays in `loading`; changes nothing on disk.
 */
export function* read(
  loading: Loading,
  segments: ReadonlyArray<string>,
  owner: number | undefined
): Generator<Progress, void> {
  for (const [i, file] of segments.entries()) {
    const reader = new SegmentReader(file)
    try {
      const header = readHeader(reader, owner)
      if (i === 0) startWith(loading, header)
      else checkChain(reader, header, loading)
      yield* readRecords(reader, header, loading, i === segments.length - 1)
    } finally {
      reader.close()
    }
  }
  checkComplete(segments[0]!, loading)
}

const readHeader = (reader: SegmentReader, owner: number | undefined): Segment.FoundHeader => {
  const header = Segment.decodeHeader((offset, length) => reader.view(offset, length))
  if ("_tag" in header) {
    throw header._tag === "Newer"
      ? newerFormat(reader.path, header.version, Segment.formatVersion)
      : new Damage(reader.path, 0, "a segment header was expected, and its checksum does not match")
  }
  const number = Segment.numberOf(path.basename(reader.path))
  if (header.number !== number) {
    const what = `the header of segment ${number} was expected, and this is segment ${header.number}`
    throw new Damage(reader.path, 0, what)
  }
  if (owner !== undefined && header.owner !== owner)
    throw new Damage(reader.path, 0, "this segment was written by another replica")
  // No crash makes a file shorter; whole records may be missing, and nothing else would tell.
  if (reader.size < header.capacity) {
    throw new Damage(reader.path, reader.size, `the file ends here, and it was made with ${header.capacity} bytes`)
  }
  return header
}

const startWith = (loading: Loading, header: Segment.FoundHeader): void => {
  loading.replay = Replay.make(Segment.beginningOf(header))
  loading.sequence = header.firstSequence
}

/** Each segment says what was before it: one from another log, or from another time, does not fit. */
const checkChain = (reader: SegmentReader, header: Segment.FoundHeader, loading: Loading): void => {
  const previous = loading.segments.at(-1)!
  if (header.firstSequence !== loading.sequence) {
    const name = path.basename(reader.path)
    const found = `record ${loading.sequence} was expected, and the log goes on with record ${header.firstSequence} in ${name}`
    throw new Damage(previous.path, previous.offset, found)
  }
  if (header.beginning !== undefined && !goesOn(loading.replay.outline, header.beginning)) {
    const found = `what it says of the log before it differs from what is in ${path.basename(previous.path)}`
    throw new Damage(reader.path, 0, found)
  }
}

const goesOn = ({ hardState, admitted, base, last }: Outline, next: Beginning): boolean =>
  hardState.currentTerm === next.hardState.currentTerm &&
  hardState.votedFor === next.hardState.votedFor &&
  admitted === next.admitted &&
  base.index === next.base.index &&
  base.term === next.base.term &&
  last.index === next.last.index &&
  (last.term === undefined || last.term === next.last.term)

const checkComplete = (first: string, { replay, segments }: Loading): void => {
  const { absent } = replay.outline
  const { number, version } = segments[0]!.header
  if (absent === undefined && (version > 1 || number === 1)) return
  const missing = path.join(path.dirname(first), Segment.nameOf(number - 1))
  const what = absent === undefined ? "what is needed" : `entries ${absent.from} to ${absent.to}`
  throw new Damage(missing, 0, `this segment is missing, and the log needs ${what} from it or from those before it`)
}

const pauseEveryBytes = 1 << 20

function* readRecords(
  reader: SegmentReader,
  header: Segment.FoundHeader,
  loading: Loading,
  isLast: boolean
): Generator<Progress, void> {
  const { path: file, size } = reader
  let offset = header.bytes
  let lastRecordAt: number | undefined
  let lowest = Number.POSITIVE_INFINITY
  let highest = 0
  let pauseAt = offset + pauseEveryBytes
  const before = loading.segments.reduce((sum, segment) => sum + segment.size, 0)
  try {
    for (;;) {
      const record = reader.recordAt(offset, header.mark)
      if (record === undefined) break
      const length = record.length
      const sequence = LogRecord.sequenceOf(record)
      if (sequence !== loading.sequence) {
        throw new Damage(file, offset, `record ${loading.sequence} was expected, and this is record ${sequence}`)
      }
      // Commands are views into their record: a copy of it, so that they keep no more than that in memory.
      const change = LogRecord.decode(Buffer.from(record))
      const problem = replayRecord(loading.replay, change, header.number)
      if (problem !== undefined) throw new Damage(file, offset, `record ${sequence} is whole, but holds ${problem}`)
      const { log } = change!
      if (log !== undefined && log.entries.length > 0) {
        lowest = Math.min(lowest, log.from)
        highest = Math.max(highest, log.from + log.entries.length - 1)
      }
      lastRecordAt = offset
      offset += length
      loading.sequence++
      if (offset < pauseAt) continue
      pauseAt = offset + pauseEveryBytes
      yield { bytes: before + offset, entries: loading.replay.entries.length - loading.replay.dropped }
    }
  } finally {
    const indexes = highest > 0 ? { lowest, highest } : undefined
    const { sequence } = loading
    loading.segments.push({ path: file, header, size, lastRecordAt, offset, sequence, cutBytes: 0, indexes })
  }
  // An earlier segment that ends too soon is noticed by the header of the next one.
  if (!isLast) return
  const last = loading.segments.at(-1)!
  const cutBytes = interruptedBytes(reader, last)
  loading.segments[loading.segments.length - 1] = { ...last, cutBytes }
}

const interruptedBytes = (reader: SegmentReader, { header, offset, sequence }: SegmentFound): number => {
  const end = reader.endOfData(offset)
  if (end === offset) return 0
  const next = reader.findRecord(offset + 1, header.mark)
  if (next === undefined) return end - offset
  throw new Damage(
    reader.path,
    offset,
    `record ${sequence} was expected, but no whole record is here, while an undamaged one follows at offset ${next}`
  )
}

const replayRecord = (replay: Replay.Replay, change: StoredChange | undefined, segment: number): string | undefined => {
  if (change === undefined) return "nothing that can be understood"
  const { base, keeps } = change
  const holds = base === undefined ? false : replay.outline.holds(base)
  if (holds !== undefined && holds !== keeps) {
    return `a base at index ${base?.index} that the log ${keeps ? "should hold and does not" : "holds and should not"}`
  }
  const problem = replay.outline.objection(change, keeps)
  if (problem === undefined) Replay.carryOut(replay, change, keeps, segment)
  return problem
}
