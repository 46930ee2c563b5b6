/**
 * Writing and reading little-endian binary layouts. A `Writer` grows one buffer; a `Reader`
 * never throws and never reads past its end: once a read does not fit, `failed` stays
 * true and every further read gives zero or nothing, so a decoder checks once, at its end.
 */
const empty: Buffer = Buffer.alloc(0)

export class Writer {
  private buffer: Buffer
  private at = 0

  /** With room for so many bytes at first, or in a buffer that is there. */
  constructor(room: number | Buffer = 256) {
    this.buffer = typeof room === "number" ? Buffer.allocUnsafe(room) : room
  }

  get length(): number {
    return this.at
  }

  private reserve(bytes: number): number {
    const start = this.at
    const end = start + bytes
    if (end > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, this.buffer.length * 2))
      this.buffer.copy(larger, 0, 0, start)
      this.buffer = larger
    }
    this.at = end
    return start
  }

  u8(value: number): void {
    const at = this.reserve(1)
    this.buffer[at] = value
  }

  u32(value: number): void {
    const at = this.reserve(4)
    this.buffer.writeUInt32LE(value, at)
  }

  /** A whole number from 0 to 2^53 - 1, in eight bytes. */
  safe(value: number): void {
    const at = this.reserve(8)
    this.buffer.writeUInt32LE(value % 0x1_0000_0000, at)
    this.buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4)
  }

  u64(value: bigint): void {
    const at = this.reserve(8)
    this.buffer.writeBigUInt64LE(value, at)
  }

  /** From -2^63 to 2^63 - 1. */
  i64(value: bigint): void {
    const at = this.reserve(8)
    this.buffer.writeBigInt64LE(value, at)
  }

  /** A length in four bytes, then the bytes. */
  bytes(value: Uint8Array): void {
    this.u32(value.length)
    const at = this.reserve(value.length)
    this.buffer.set(value, at)
  }

  /** Bytes as they are, without their length. */
  raw(value: Uint8Array): void {
    const at = this.reserve(value.length)
    this.buffer.set(value, at)
  }

  /** Bytes as they are, which stay as they are. A copy here; a `PieceWriter` takes them without one. */
  share(value: Uint8Array): void {
    this.raw(value)
  }

  /** A length in four bytes, then the bytes, shared. */
  sharedBytes(value: Uint8Array): void {
    this.u32(value.length)
    this.share(value)
  }

  /** A length in four bytes, then one byte a character (0 to 255). */
  latin1(value: string): void {
    this.u32(value.length)
    const at = this.reserve(value.length)
    this.buffer.write(value, at, "latin1")
  }

  utf8(value: string): void {
    const length = Buffer.byteLength(value)
    this.u32(length)
    const at = this.reserve(length)
    this.buffer.write(value, at)
  }

  /** What has been written from `start` on: a view, which must not be written to. */
  since(start: number): Buffer {
    return this.buffer.subarray(start, this.at)
  }

  /** Overwrites four bytes written earlier. */
  patchU32(at: number, value: number): void {
    this.buffer.writeUInt32LE(value, at)
  }

  /** What has been written; a view, not a copy. The writer must not be used after it, but by `begin`. */
  finish(): Buffer {
    return this.at === this.buffer.length ? this.buffer : this.buffer.subarray(0, this.at)
  }

  /** Writes over what was written, in the same room: every view of it changes. */
  begin(): this {
    this.at = 0
    return this
  }
}

export class Reader {
  failed = false
  private readonly buffer: Buffer
  private at: number

  constructor(bytes: Uint8Array, offset = 0) {
    this.buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = offset
  }

  get offset(): number {
    return this.at
  }

  /** What has been read from `start` on: a view. */
  since(start: number): Buffer {
    return this.buffer.subarray(start, this.at)
  }

  get remaining(): number {
    return this.buffer.length - this.at
  }

  /** Whether all was read and nothing was missing: the last question of a decoder. */
  get done(): boolean {
    return !this.failed && this.at === this.buffer.length
  }

  private take(bytes: number): number {
    if (this.failed || bytes > this.buffer.length - this.at) {
      this.failed = true
      return -1
    }
    const start = this.at
    this.at += bytes
    return start
  }

  /** Marks what is being read as wrong. */
  fail(): void {
    this.failed = true
  }

  u8(): number {
    const at = this.take(1)
    return at < 0 ? 0 : this.buffer[at]!
  }

  u32(): number {
    const at = this.take(4)
    return at < 0 ? 0 : this.buffer.readUInt32LE(at)
  }

  safe(): number {
    const at = this.take(8)
    if (at < 0) return 0
    const high = this.buffer.readUInt32LE(at + 4)
    if (high > 0x1f_ffff) {
      this.failed = true
      return 0
    }
    return high * 0x1_0000_0000 + this.buffer.readUInt32LE(at)
  }

  u64(): bigint {
    const at = this.take(8)
    return at < 0 ? 0n : this.buffer.readBigUInt64LE(at)
  }

  i64(): bigint {
    const at = this.take(8)
    return at < 0 ? 0n : this.buffer.readBigInt64LE(at)
  }

  /** A view into what is read, not a copy. */
  bytes(): Buffer {
    const length = this.u32()
    const at = this.take(length)
    return at < 0 ? empty : this.buffer.subarray(at, at + length)
  }

  latin1(): string {
    const length = this.u32()
    const at = this.take(length)
    return at < 0 ? "" : this.buffer.toString("latin1", at, at + length)
  }

  utf8(): string {
    const length = this.u32()
    const at = this.take(length)
    return at < 0 ? "" : this.buffer.toString("utf8", at, at + length)
  }

  /** As `utf8`, and the very same string where it is `expected`, as with names of which there are few. */
  utf8Like(expected: string): string {
    const { length } = expected
    const at = this.at + 4
    if (this.failed || at + length > this.buffer.length || this.buffer.readUInt32LE(this.at) !== length) {
      return this.utf8()
    }
    for (let i = 0; i < length; i++) {
      const unit = expected.charCodeAt(i)
      if (unit > 0x7f || this.buffer[at + i] !== unit) return this.utf8()
    }
    this.at = at + length
    return expected
  }
}
