/**
 * Reads a segment front to back through one window of memory, so that loading a log needs
 * little more memory than its entries. Nothing is allocated for a length that the file does not have.
 */
import * as fs from "node:fs"
import { ofSystem } from "./DiskError.ts"
import * as LogRecord from "./LogRecord.ts"

const windowBytes = 1 << 20
const zeros = Buffer.alloc(windowBytes)

export class SegmentReader {
  readonly path: string
  readonly size: number
  private readonly file: number
  private window: Buffer
  /** The window holds the bytes of the file from `start` to `end`. */
  private start = 0
  private end = 0

  constructor(path: string) {
    this.path = path
    this.file = fs.openSync(path, "r")
    this.size = fs.fstatSync(this.file).size
    this.window = Buffer.allocUnsafe(Math.min(windowBytes, this.size))
  }

  close(): void {
    fs.closeSync(this.file)
  }

  /** Up to `length` bytes from `offset` on, fewer at the end of the file: a view, good until the next call. */
  view(offset: number, length: number): Buffer {
    const until = Math.min(offset + length, this.size)
    if (offset < this.start || until > this.end) this.load(offset, until)
    return this.window.subarray(offset - this.start, Math.max(offset, until) - this.start)
  }

  private load(offset: number, until: number): void {
    if (until - offset > this.window.length) this.window = Buffer.allocUnsafe(until - offset)
    this.start = offset
    this.end = offset
    while (this.end < until) {
      const filled = this.end - offset
      const count = this.read(filled)
      if (count === 0) throw new Error(`${this.path} became shorter while it was read`)
      this.end += count
    }
  }

  private read(filled: number): number {
    try {
      return fs.readSync(this.file, this.window, filled, this.window.length - filled, this.end)
    } catch (error) {
      throw ofSystem(error, `read ${this.path}`, "Unreadable")
    }
  }

  /** The whole and undamaged record at `offset`, if there is one. A view, as above. */
  recordAt(offset: number, mark: number): Buffer | undefined {
    const header = this.view(offset, LogRecord.headerBytes)
    if (header.length < LogRecord.headerBytes) return undefined
    const length = LogRecord.lengthOf(header, mark)
    if (length === undefined || length > this.size - offset) return undefined
    const record = this.view(offset, length)
    return LogRecord.isWhole(record, mark) ? record : undefined
  }

  /** Where the first undamaged record at or after `offset` begins. */
  findRecord(offset: number, mark: number): number | undefined {
    const sought = Buffer.alloc(4)
    sought.writeUInt32LE(mark)
    let from = offset
    while (this.size - from >= LogRecord.headerBytes) {
      const seen = this.view(from, windowBytes)
      const at = seen.indexOf(sought)
      if (at < 0) from += seen.length - (sought.length - 1)
      else if (this.recordAt(from + at, mark) !== undefined) return from + at
      else from += at + 1
    }
    return undefined
  }

  /** Where the bytes that are not zero end, at or after `offset`; `offset` when all are zero. */
  endOfData(offset: number): number {
    let end = offset
    for (let from = offset; from < this.size; from += windowBytes) {
      const seen = this.view(from, windowBytes)
      if (seen.equals(zeros.subarray(0, seen.length))) continue
      let last = seen.length
      while (seen[last - 1] === 0) last--
      end = from + last
    }
    return end
  }
}
