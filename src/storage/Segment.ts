/**
 * One file of the log: `log-0000000001.wal` and so on. A header of 64 bytes says which segment
 * it is, whose, and with which record it begins; records follow without gaps, then zeros.
 * A segment appears whole (see DurableFile), so a damaged header is never an interrupted write.
 */
import type { FileHandle } from "node:fs/promises"
import { crc32 } from "node:zlib"
import { Reader, Writer } from "../codec/Bytes.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import * as DurableFile from "./DurableFile.ts"

export const formatVersion = 1
export const headerBytes = 64

export interface Header {
  /** Counts from 1, without gaps. */
  readonly number: number
  /** The sequence number of its first record, whether or not it is written yet. */
  readonly firstSequence: number
  /** Begins every record of this segment (see LogRecord). */
  readonly mark: number
  /** From `ownerOf`: a segment copied from another replica is noticed. */
  readonly owner: number
}

export const ownerOf = (cluster: string, replica: ReplicaId): number => crc32(JSON.stringify([cluster, replica]))

export const nameOf = (number: number): string => `log-${String(number).padStart(10, "0")}.wal`

/** The number in a file's name, if it is the name of a segment. */
export const numberOf = (name: string): number | undefined => {
  const digits = /^log-(\d{10,15})\.wal$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

const magic = Buffer.from("BALSALOG")
const checksumAt = headerBytes - 4

export const encodeHeader = (header: Header, version = formatVersion): Buffer => {
  const writer = new Writer(headerBytes)
  writer.raw(magic)
  writer.u32(version)
  writer.u32(header.mark)
  writer.safe(header.number)
  writer.safe(header.firstSequence)
  writer.u32(header.owner)
  writer.raw(Buffer.alloc(checksumAt - writer.length))
  writer.u32(0)
  const bytes = writer.finish()
  bytes.writeUInt32LE(crc32(bytes.subarray(0, checksumAt)), checksumAt)
  return bytes
}

/** Later versions may change everything but the first 12 bytes and the place of the checksum. */
export const decodeHeader = (
  bytes: Buffer
): Header | { readonly _tag: "Damaged" } | { readonly _tag: "Newer"; readonly version: number } => {
  if (bytes.length < headerBytes || !bytes.subarray(0, magic.length).equals(magic)) return { _tag: "Damaged" }
  if (crc32(bytes.subarray(0, checksumAt)) !== bytes.readUInt32LE(checksumAt)) return { _tag: "Damaged" }
  const reader = new Reader(bytes, magic.length)
  const version = reader.u32()
  if (version !== formatVersion) return { _tag: "Newer", version }
  const mark = reader.u32()
  const number = reader.safe()
  const firstSequence = reader.safe()
  return { number, firstSequence, mark, owner: reader.u32() }
}

/** Makes the segment, durably, with room for `capacity` bytes (holes, until they are written). */
export const create = (directory: string, header: Header, capacity: number): Promise<FileHandle> =>
  DurableFile.create(directory, nameOf(header.number), async (file) => {
    await file.truncate(capacity)
    await DurableFile.writeAt(file, encodeHeader(header), 0)
  })
