/**
 * The chunks of a snapshot, apart from what they mean. SnapshotCodec has the layout. The checksum of a
 * chunk finds damage before anything is made of the bytes; the one at the end finds chunks that are
 * missing or have changed places.
 */
import { crc32 } from "node:zlib"
import type { Problem } from "./SnapshotCodec.ts"

export const formatVersion = 1

/** Never reused. */
export const kinds = { header: 1, state: 2, end: 3 } as const

const magic = Buffer.from("BALSASNP")
const openingBytes = magic.length + 4
/** Length and checksum. */
const prefixBytes = 8
const kindBytes = 1

/** Whoever makes larger pieces of a state must cut them. A damaged length is not believed beyond it. */
export const maxChunkBytes = 256 * 1024 * 1024
/** A larger chunk is not copied to stand beside its prefix. */
const maxCopiedBytes = 256 * 1024

export const opening = (): Buffer => {
  const bytes = Buffer.alloc(openingBytes)
  magic.copy(bytes)
  bytes.writeUInt32LE(formatVersion, magic.length)
  return bytes
}

/** A chunk in one piece, or two if it is large. */
export const of = (kind: number, contents: Uint8Array): ReadonlyArray<Uint8Array> =>
  made(kind, contents, contents.length <= maxCopiedBytes)

/** In two pieces: the contents stay where they are. */
export const around = (kind: number, contents: Uint8Array): ReadonlyArray<Uint8Array> => made(kind, contents, false)

const made = (kind: number, contents: Uint8Array, copied: boolean): ReadonlyArray<Uint8Array> => {
  const length = kindBytes + contents.length
  if (length > maxChunkBytes) {
    throw new RangeError(
      `A piece of a state has ${contents.length} bytes, and a snapshot takes ${maxChunkBytes - kindBytes}.`
    )
  }
  const start = Buffer.allocUnsafe(prefixBytes + kindBytes + (copied ? contents.length : 0))
  start.writeUInt32LE(length)
  start[prefixBytes] = kind
  if (copied) start.set(contents, prefixBytes + kindBytes)
  const checksum = crc32(start.subarray(prefixBytes), crc32(start.subarray(0, 4)))
  start.writeUInt32LE(copied ? checksum : crc32(contents, checksum), 4)
  return copied ? [start] : [start, contents]
}

export interface Chunk {
  readonly _tag: "Chunk"
  readonly kind: number
  /** A view, or a copy if it came in several parts. */
  readonly contents: Buffer
  /** Where the chunk begins. */
  readonly offset: number
  /** What stands before it, opening included. */
  readonly bytesBefore: number
  readonly checksumBefore: number
}

/** Takes bytes cut anywhere and gives chunks. It reserves room for what has arrived, never for what a length promises. */
export class ChunkReader {
  /** Of what has not been taken yet. */
  offset = 0
  buffered = 0
  private parts: Array<Buffer> = []
  /** How much of the first part has been taken. */
  private taken = 0
  private checksum = 0

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    this.buffered += bytes.length
  }

  /** `undefined` while the next one is not complete. */
  next(): Chunk | Problem | undefined {
    if (this.offset === 0) {
      const problem = this.open()
      if (problem !== undefined || this.offset === 0) return problem
    }
    if (this.buffered < prefixBytes) return undefined
    const prefix = this.front(prefixBytes)
    const length = prefix.readUInt32LE()
    const { offset, checksum } = this
    if (length < kindBytes || length > maxChunkBytes) return corrupt(offset, `a chunk of ${length} bytes cannot be`)
    const whole = prefixBytes + length
    if (this.buffered < whole) return undefined
    const bytes = this.front(whole)
    if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(prefixBytes), crc32(bytes.subarray(0, 4)))) {
      return corrupt(offset, "the checksum of a chunk does not match")
    }
    this.drop(bytes)
    const contents = bytes.subarray(prefixBytes + kindBytes)
    return { _tag: "Chunk", kind: bytes[prefixBytes]!, contents, offset, bytesBefore: offset, checksumBefore: checksum }
  }

  /** Each byte is looked at as soon as it is there: what is no snapshot is told at once. */
  private open(): Problem | undefined {
    const start = this.front(Math.min(openingBytes, this.buffered))
    const known = Math.min(start.length, magic.length)
    if (start.compare(magic, 0, known, 0, known) !== 0) return corrupt(0, "this is no snapshot of Balsa")
    if (start.length < openingBytes) return undefined
    const version = start.readUInt32LE(magic.length)
    if (version !== formatVersion) {
      return version > formatVersion
        ? unknown(magic.length, `it has format ${version}, and this program knows formats up to ${formatVersion}`)
        : corrupt(magic.length, `there is no format ${version}`)
    }
    this.drop(start)
    return undefined
  }

  /** The first `length` bytes, which must be there. */
  private front(length: number): Buffer {
    const first = this.parts[0]
    if (first === undefined) return Buffer.alloc(0)
    if (first.length - this.taken >= length) return first.subarray(this.taken, this.taken + length)
    const whole = Buffer.allocUnsafe(length)
    let at = first.copy(whole, 0, this.taken)
    for (let i = 1; at < length; i++) at += this.parts[i]!.copy(whole, at, 0, length - at)
    return whole
  }

  /** Goes on after `bytes`, which are the first. */
  private drop(bytes: Buffer): void {
    this.checksum = crc32(bytes, this.checksum)
    this.offset += bytes.length
    this.buffered -= bytes.length
    let rest = bytes.length + this.taken
    let used = 0
    while (used < this.parts.length && rest >= this.parts[used]!.length) rest -= this.parts[used++]!.length
    this.taken = rest
    this.parts.splice(0, used)
  }
}

export const corrupt = (offset: number, message: string): Problem => ({
  _tag: "Problem",
  kind: "Corrupt",
  offset,
  message
})

export const unknown = (offset: number, message: string): Problem => ({
  _tag: "Problem",
  kind: "UnknownFormat",
  offset,
  message
})
