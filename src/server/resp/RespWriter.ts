/**
 * Replies in Redis' protocol, version 2 or 3, gathered into one buffer for one write. What version 2 has no word for it says
 * otherwise: nothing is an empty bulk string of length -1, a map is an array of twice as many.
 */
export class RespWriter {
  version: 2 | 3
  /** The only thing that there is, as long as there is no more. */
  private constant: Buffer | undefined
  private buffer = noBytes
  private start = 0
  private at = 0

  constructor(version: 2 | 3 = 2) {
    this.version = version
  }

  get length(): number {
    return this.constant === undefined ? this.at - this.start : this.constant.length
  }

  /** What there is, which is not touched any more. */
  take(): Buffer {
    const { constant, buffer, start, at } = this
    this.constant = undefined
    this.start = at
    // What is left of it is for the answers that come next, unless that holds more than it is worth.
    if (buffer.length > roomBytes) this.forget()
    return constant ?? buffer.subarray(start, at)
  }

  private forget(): void {
    this.buffer = noBytes
    this.start = 0
    this.at = 0
  }

  /** The commonest answer. */
  ok(): void {
    this.always(ok)
  }

  private always(bytes: Buffer): void {
    if (this.length === 0) {
      this.constant = bytes
      return
    }
    const at = this.reserve(bytes.length)
    this.buffer.set(bytes, at)
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
    const { length } = value
    const digits = digitsOf(length)
    let at = this.reserve(digits + length + 5)
    const { buffer } = this
    buffer[at] = dollar
    for (let place = at + digits, rest = length; place > at; place--) {
      const tenth = Math.floor(rest / 10)
      buffer[place] = digit0 + rest - 10 * tenth
      rest = tenth
    }
    at += digits + 1
    at = lineEnd(buffer, at)
    buffer.set(value, at)
    lineEnd(buffer, at + length)
  }

  text(value: string): void {
    this.bulk(Buffer.from(value))
  }

  /** A key, one byte a unit. */
  key(value: string): void {
    this.bulk(Buffer.from(value, "latin1"))
  }

  nothing(): void {
    this.always(this.version === 3 ? none : noBulk)
  }

  /** In place of an array. */
  noArray(): void {
    this.always(this.version === 3 ? none : noList)
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
    const { constant } = this
    if (constant !== undefined) {
      this.constant = undefined
      const first = this.reserve(constant.length)
      this.buffer.set(constant, first)
    }
    if (this.at + bytes > this.buffer.length) this.grow(this.at - this.start + bytes)
    const { at } = this
    this.at = at + bytes
    return at
  }

  private grow(bytes: number): void {
    const { buffer, start, at } = this
    const held = at - start
    const larger = Buffer.allocUnsafe(Math.max(roomBytes, held === 0 ? bytes : 2 * bytes))
    buffer.copy(larger, 0, start, at)
    this.buffer = larger
    this.start = 0
    this.at = held
  }
}

/** Room for some answers. */
const roomBytes = 1024

const noBytes: Buffer = Buffer.alloc(0)
const ok = Buffer.from("+OK\r\n")
const none = Buffer.from("_\r\n")
const noBulk = Buffer.from("$-1\r\n")
const noList = Buffer.from("*-1\r\n")

const dollar = 0x24
const digit0 = 0x30

const digitsOf = (value: number): number => {
  let digits = 1
  for (let rest = value; rest >= 10; rest /= 10) digits++
  return digits
}

/** Gives where to go on. */
const lineEnd = (buffer: Buffer, at: number): number => {
  buffer[at] = 0x0d
  buffer[at + 1] = 0x0a
  return at + 2
}
