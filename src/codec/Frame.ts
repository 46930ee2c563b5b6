/**
 * Frames cut a stream of bytes into payloads: crc32 (4) of all that follows, length (4) of
 * the payload, the complement of the length (4), the payload. The complement is there
 * because a damaged length must be seen at once; with the checksum alone a reader would
 * first wait for bytes that never come. Nothing is reserved for a length before it is
 * known to be within the limit.
 */
import { crc32 } from "node:zlib"
import { Writer } from "./Bytes.ts"
import { PieceWriter } from "./PieceWriter.ts"

export const headerBytes = 12
const lengthAt = 4
const complementAt = 8

/** Why a stream is no stream of frames. There is no way to go on reading after it. */
export type FrameError =
  /** The length and its complement disagree: damage, or not our protocol at all. */
  | { readonly _tag: "NotAFrame" }
  | { readonly _tag: "FrameTooLong"; readonly length: number; readonly maxFrameBytes: number }
  | { readonly _tag: "ChecksumMismatch" }

export const describe = (error: FrameError): string => {
  switch (error._tag) {
    case "NotAFrame":
      return "bytes that are no frame"
    case "FrameTooLong":
      return `a frame of ${error.length} bytes, and the limit is ${error.maxFrameBytes}`
    case "ChecksumMismatch":
      return "a frame whose checksum does not match"
  }
}

/** A writer at the place where the payload begins; `payloadBytes` is a guess that saves growing. */
export const open = (payloadBytes: number): Writer => begin(new Writer(headerBytes + payloadBytes))

/** As `open`, for a frame of several pieces; `ownBytes` is a guess at what is not shared. */
export const openPieces = (ownBytes: number): PieceWriter => begin(new PieceWriter(headerBytes + ownBytes))

const begin = <W extends Writer>(writer: W): W => {
  for (let at = 0; at < headerBytes; at += 4) writer.u32(0)
  return writer
}

/** Completes the header of what was written since `open`. The writer must not be used after it. */
export const seal = (writer: Writer): Buffer => {
  const frame = writer.finish()
  complete(frame, frame.length, [])
  return frame
}

/** The same frame as pieces, to be sent one after the other. */
export const sealPieces = (writer: PieceWriter): ReadonlyArray<Uint8Array> => {
  const { length } = writer
  const pieces = writer.pieces()
  const [first, ...rest] = pieces
  complete(first as Buffer, length, rest)
  return pieces
}

const complete = (first: Buffer, frameLength: number, rest: ReadonlyArray<Uint8Array>): void => {
  const length = frameLength - headerBytes
  first.writeUInt32LE(length, lengthAt)
  first.writeUInt32LE(~length >>> 0, complementAt)
  let checksum = crc32(first.subarray(lengthAt))
  for (const piece of rest) checksum = crc32(piece, checksum)
  first.writeUInt32LE(checksum, 0)
}

/**
 * Takes chunks as they come and gives payloads. A frame that lies within one chunk is a view
 * into it; one that spans several is copied once, when it is complete.
 */
export class FrameDecoder {
  /** May be raised between frames: strangers get less room than peers. */
  maxFrameBytes: number
  private chunks: Array<Buffer> = []
  /** How much of the first chunk has been taken. */
  private taken = 0
  private available = 0
  /** Of the frame at the front, header included, once its header has been read. */
  private frameLength: number | undefined
  private error: FrameError | undefined

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes
  }

  /** Bytes that wait for the rest of their frame. */
  get buffered(): number {
    return this.available
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    this.available += chunk.length
  }

  /** The next payload, `undefined` while none is complete, or the error, from then on. */
  next(): Buffer | FrameError | undefined {
    if (this.error !== undefined) return this.error
    if (this.frameLength === undefined) {
      if (this.available < headerBytes) return undefined
      const header = this.front(headerBytes)
      const length = header.readUInt32LE(lengthAt)
      if (header.readUInt32LE(complementAt) !== ~length >>> 0) return this.fail({ _tag: "NotAFrame" })
      const maxFrameBytes = this.maxFrameBytes
      if (length > maxFrameBytes) return this.fail({ _tag: "FrameTooLong", length, maxFrameBytes })
      this.frameLength = headerBytes + length
    }
    if (this.available < this.frameLength) return undefined
    const frame = this.front(this.frameLength)
    this.drop(this.frameLength)
    this.frameLength = undefined
    if (frame.readUInt32LE(0) !== crc32(frame.subarray(lengthAt))) return this.fail({ _tag: "ChecksumMismatch" })
    return frame.subarray(headerBytes)
  }

  private fail(error: FrameError): FrameError {
    this.error = error
    this.chunks = []
    this.available = 0
    return error
  }

  /** The first `length` bytes, which must be there. */
  private front(length: number): Buffer {
    const first = this.chunks[0]!
    if (first.length - this.taken >= length) return first.subarray(this.taken, this.taken + length)
    const whole = Buffer.allocUnsafe(length)
    let at = first.copy(whole, 0, this.taken)
    for (let i = 1; at < length; i++) at += this.chunks[i]!.copy(whole, at, 0, length - at)
    return whole
  }

  private drop(length: number): void {
    this.available -= length
    let rest = length + this.taken
    let used = 0
    while (used < this.chunks.length && rest >= this.chunks[used]!.length) rest -= this.chunks[used++]!.length
    this.taken = rest
    if (used === this.chunks.length) this.chunks = []
    else if (used > 0) this.chunks.splice(0, used)
  }
}
