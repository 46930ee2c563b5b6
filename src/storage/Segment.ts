/**
 * One file of the log: `log-0000000001.wal` and so on. A header says which segment it is, whose,
 * with which record it begins, and what all records before it amount to, so that those before it can
 * be removed; records follow without gaps, then zeros. A segment appears whole (see DurableFile), so
 * a damaged header is never an interrupted write.
 *
 * Format 1 did not say what was before: its first segment has number 1, its log begins at the
 * origin, and its replica is admitted. Format 2 knew neither configurations nor versions as entries, nor the time of
 * a command. Both are read, and go on in a segment of the present format.
 */
import type { FileHandle } from "node:fs/promises"
import { crc32 } from "node:zlib"
import { Reader, Writer } from "../codec/Bytes.ts"
import { readPosition, writePosition } from "../codec/Fields.ts"
import { readRecord, writeRecord } from "../codec/LogRecordCodec.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import * as DurableFile from "./DurableFile.ts"
import { type Beginning, blank } from "./Outline.ts"

export const formatVersion = 3
/** The part of a header that has the same length in every segment. */
export const fixedHeaderBytes = 64

export interface Header {
  /** Counts up, without gaps. */
  readonly number: number
  /** The sequence number of its first record, whether or not it is written yet. */
  readonly firstSequence: number
  /** Begins every record of this segment (see LogRecord). */
  readonly mark: number
  /** From `ownerOf`: a segment copied from another replica is noticed. */
  readonly owner: number
  /** What the log was when the segment was made; undefined in format 1. */
  readonly beginning: Beginning | undefined
}

export interface FoundHeader extends Header {
  readonly version: number
  /** Where the first record begins. */
  readonly bytes: number
  /** The file was made with so many bytes, and is never made shorter; 0 in format 1. */
  readonly capacity: number
}

export const ownerOf = (cluster: string, replica: ReplicaId): number => crc32(JSON.stringify([cluster, replica]))

export const nameOf = (number: number): string => `log-${String(number).padStart(10, "0")}.wal`

/** The number in a file's name, if it looks like the name of a segment; `nameOf` may spell it otherwise. */
export const numberOf = (name: string): number | undefined => {
  const digits = /^log-(\d{10,15})\.wal$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** What a first segment begins with that does not say. */
export const beginningOf = ({ beginning }: Header): Beginning => beginning ?? { ...blank, admitted: true }

const magic = Buffer.from("BALSALOG")
const checksumAt = fixedHeaderBytes - 4

export const encodeHeader = (
  header: Header,
  capacity = 0,
  version = header.beginning === undefined ? 1 : formatVersion
): Buffer => {
  const beginning = header.beginning === undefined ? Buffer.alloc(0) : encodeBeginning(header.beginning)
  const writer = new Writer(fixedHeaderBytes)
  writer.raw(magic)
  writer.u32(version)
  writer.u32(header.mark)
  writer.safe(header.number)
  writer.safe(header.firstSequence)
  writer.u32(header.owner)
  writer.u32(beginning.length)
  writer.u32(crc32(beginning))
  writer.safe(capacity)
  writer.raw(Buffer.alloc(checksumAt - writer.length))
  writer.u32(0)
  const fixed = writer.finish()
  fixed.writeUInt32LE(crc32(fixed.subarray(0, checksumAt)), checksumAt)
  return Buffer.concat([fixed, beginning])
}

/**
 * From the bytes at the front of a segment, of which `view` gives as many as there are. Later versions
 * may change everything but the first 12 bytes and the place of the checksum.
 */
export const decodeHeader = (
  view: (offset: number, length: number) => Buffer
): FoundHeader | { readonly _tag: "Damaged" } | { readonly _tag: "Newer"; readonly version: number } => {
  const fixed = view(0, fixedHeaderBytes)
  if (fixed.length < fixedHeaderBytes || !fixed.subarray(0, magic.length).equals(magic)) return { _tag: "Damaged" }
  if (crc32(fixed.subarray(0, checksumAt)) !== fixed.readUInt32LE(checksumAt)) return { _tag: "Damaged" }
  const reader = new Reader(fixed, magic.length)
  const version = reader.u32()
  if (version < 1 || version > formatVersion) return { _tag: "Newer", version }
  const mark = reader.u32()
  const number = reader.safe()
  const firstSequence = reader.safe()
  const owner = reader.u32()
  const length = reader.u32()
  const checksum = reader.u32()
  const capacity = reader.safe()
  const header = { version, number, firstSequence, mark, owner, bytes: fixedHeaderBytes + length, capacity }
  if (version === 1) return { ...header, beginning: undefined }
  const bytes = view(fixedHeaderBytes, length)
  if (bytes.length < length || crc32(bytes) !== checksum) return { _tag: "Damaged" }
  const beginning = decodeBeginning(bytes)
  return beginning === undefined ? { _tag: "Damaged" } : { ...header, beginning }
}

/** The mark that a header seems to have, though it is damaged. */
export const markIn = (header: Buffer): number | undefined =>
  header.length < fixedHeaderBytes ? undefined : header.readUInt32LE(magic.length + 4)

const encodeBeginning = ({ hardState, admitted, base, last }: Beginning): Buffer => {
  const writer = new Writer(64)
  writeRecord(writer, { _tag: "Persist", hardState, admitted, base, keeps: false, log: undefined })
  writePosition(writer, last)
  return writer.finish()
}

const decodeBeginning = (bytes: Buffer): Beginning | undefined => {
  const reader = new Reader(bytes)
  const { hardState, admitted, base } = readRecord(reader)
  const last = readPosition(reader)
  if (!reader.done || hardState === undefined || base === undefined) return undefined
  return { hardState, admitted, base, last }
}

/** Makes the segment, durably, as a file of `capacity` bytes (holes, until they are written). */
export const create = async (
  directory: string,
  header: Header,
  capacity: number,
  names: DurableFile.Names = DurableFile.realNames
): Promise<CreatedSegment> => {
  const size = Math.max(capacity, encodeHeader(header).length)
  const bytes = encodeHeader(header, size)
  const fill = async (file: FileHandle): Promise<void> => {
    await file.truncate(size)
    await DurableFile.writeAt(file, bytes, 0)
  }
  const file = await DurableFile.create(directory, nameOf(header.number), fill, names)
  return { file, header: { ...header, version: formatVersion, bytes: bytes.length, capacity: size }, size }
}

export interface CreatedSegment {
  readonly file: FileHandle
  readonly header: FoundHeader
  readonly size: number
}
