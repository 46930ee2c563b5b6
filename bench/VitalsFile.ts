/** What replicas have told of themselves (see Vitals), read from where they wrote it. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs"

export interface Vital {
  /** Epoch, in milliseconds. */
  readonly at: number
  readonly residentBytes: number
  readonly heapBytes: number
  /** Outside of the heap, and held by what is in it: buffers, such as values. */
  readonly externalBytes: number
  /** The longest time since the line before that the event loop did not turn. */
  readonly pauseMillis: number
  /** All that is not needed was let go of first. */
  readonly collected: boolean
}

/** A last line that is not whole yet is left out. */
export const parse = (text: string): ReadonlyArray<Vital> =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Vital)

export class VitalsFile {
  private readonly file: string
  private position = 0
  private rest = ""

  constructor(prefix: string, pid: number) {
    this.file = `${prefix}.${pid}`
  }

  /** What was not read before; nothing where nothing was written. */
  news(): ReadonlyArray<Vital> {
    const text = this.rest + this.readOn()
    const end = text.lastIndexOf("\n") + 1
    this.rest = text.slice(end)
    return parse(text.slice(0, end))
  }

  all(): ReadonlyArray<Vital> {
    try {
      return parse(readFileSync(this.file, "utf8"))
    } catch {
      return []
    }
  }

  private readOn(): string {
    let handle: number
    try {
      handle = openSync(this.file, "r")
    } catch {
      return ""
    }
    const piece = Buffer.alloc(64 * 1024)
    let text = ""
    for (let read = -1; read !== 0; ) {
      read = readSync(handle, piece, 0, piece.length, this.position)
      this.position += read
      text += piece.toString("latin1", 0, read)
    }
    closeSync(handle)
    return text
  }
}
