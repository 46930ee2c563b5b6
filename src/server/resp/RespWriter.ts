/**
 * Replies in Redis' protocol, version 2 or 3, gathered into one buffer for one write. What version 2 has no word for it says
 * otherwise: nothing is an empty bulk string of length -1, a map is an array of twice as many.
 */
export class RespWriter {
  version: 2 | 3
  private buffer = Buffer.allocUnsafe(firstBytes)
  private at = 0

  constructor(version: 2 | 3 = 2) {
    this.version = version
  }

  get length(): number {
    return this.at
  }

  /** What there is, which is not touched any more. */
  take(): Buffer {
    const taken = this.buffer.subarray(0, this.at)
    this.buffer = Buffer.allocUnsafe(firstBytes)
    this.at = 0
    return taken
  }

  /** A word of one line. */
  simple(text: string): void {
    this.line("+", text)
  }

  /** `text` begins with its code, such as ERR. A line break would end it. */
  error(text: string): void {
    this.line("-", text.replace(/[\r\n]+/g, " "))
  }

  integer(value: number | bigint): void {
    this.line(":", String(value))
  }

  bulk(value: Uint8Array): void {
    this.line("$", String(value.length))
    const at = this.reserve(value.length + 2)
    this.buffer.set(value, at)
    this.buffer[at + value.length] = 0x0d
    this.buffer[at + value.length + 1] = 0x0a
  }

  text(value: string): void {
    this.bulk(Buffer.from(value))
  }

  /** A key, one byte a unit. */
  key(value: string): void {
    this.bulk(Buffer.from(value, "latin1"))
  }

  nothing(): void {
    this.raw(this.version === 3 ? "_\r\n" : "$-1\r\n")
  }

  /** In place of an array. */
  noArray(): void {
    this.raw(this.version === 3 ? "_\r\n" : "*-1\r\n")
  }

  /** So many replies follow. */
  array(length: number): void {
    this.line("*", String(length))
  }

  /** So many pairs of replies follow. */
  map(length: number): void {
    if (this.version === 3) this.line("%", String(length))
    else this.array(2 * length)
  }

  private line(mark: string, text: string): void {
    this.raw(`${mark}${text}\r\n`)
  }

  private raw(text: string): void {
    const most = text.length * 3
    const at = this.reserve(most)
    this.at -= most - this.buffer.write(text, at)
  }

  private reserve(bytes: number): number {
    const start = this.at
    const end = start + bytes
    if (end > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, 2 * this.buffer.length))
      this.buffer.copy(larger, 0, 0, start)
      this.buffer = larger
    }
    this.at = end
    return start
  }
}

const firstBytes = 1024
