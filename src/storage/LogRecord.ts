/**
 * How a record lies in a segment: mark (4), checksum (4), length of the payload (4), sequence
 * number (8), payload. The checksum covers all that follows it and starts from the mark, so a
 * wrong length, a record out of place and one left over from elsewhere are all noticed.
 *
 * The mark is a random number of the segment. It tells where a record may begin when one
 * before it is damaged; being random, no client can write a value that looks like a record.
 */
import { randomInt } from "node:crypto"
import { crc32 } from "node:zlib"
import { Reader, Writer } from "../codec/Bytes.ts"
import { readRecord, type StoredChange, writeRecord } from "../codec/LogRecordCodec.ts"

export const headerBytes = 20

/** A record is this long at most: far above any batch, far below what a buffer can hold. */
export const maxBytes = 0x4000_0000

const checksumAt = 4
const lengthAt = 8
const sequenceAt = 12

/** No byte of a mark is zero, so that a torn one differs from what was never written. */
export const newMark = (): number =>
  Buffer.from([randomInt(1, 256), randomInt(1, 256), randomInt(1, 256), randomInt(1, 256)]).readUInt32LE(0)

/** Room for a record stays for the next one, unless it is larger than any but a rare one needs. */
const keptRoomBytes = 2 * 1024 * 1024

/** Makes one record after the other, each in the room of the one before, so that large ones do not leave garbage behind. */
export class RecordWriter {
  private room: Buffer = Buffer.allocUnsafeSlow(16 * 1024)

  /** A record that still lacks its place: `seal` must follow, when its segment is known. It is good until the next one is made. */
  encode(change: StoredChange, sequence: number): Buffer {
    const writer = new Writer(this.room)
    writer.u32(0)
    writer.u32(0)
    writer.u32(0)
    writer.safe(sequence)
    writeRecord(writer, change)
    writer.patchU32(lengthAt, writer.length - headerBytes)
    const record = writer.finish()
    // Not what the writer has grown into, which may be a part of memory that is others' too.
    if (record.length > this.room.length && record.length <= keptRoomBytes) {
      this.room = Buffer.allocUnsafeSlow(Math.min(2 * record.length, keptRoomBytes))
    }
    return record
  }
}

export const seal = (record: Buffer, mark: number): void => {
  record.writeUInt32LE(mark, 0)
  record.writeUInt32LE(crc32(record.subarray(lengthAt), mark), checksumAt)
}

/** How long a record with this header would be, header included, if it may be one. */
export const lengthOf = (header: Buffer, mark: number): number | undefined =>
  header.readUInt32LE(0) === mark ? headerBytes + header.readUInt32LE(lengthAt) : undefined

/** Whether these bytes are a whole and undamaged record of the segment with this mark. */
export const isWhole = (record: Buffer, mark: number): boolean =>
  crc32(record.subarray(lengthAt), mark) === record.readUInt32LE(checksumAt)

export const sequenceOf = (record: Buffer): number => new Reader(record, sequenceAt).safe()

/** Total; undefined for bytes that are no record. */
export const decode = (record: Buffer): StoredChange | undefined => {
  const reader = new Reader(record, headerBytes)
  const change = readRecord(reader)
  return reader.done ? change : undefined
}
