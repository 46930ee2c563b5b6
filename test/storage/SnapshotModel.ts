/**
 * A disk in memory that knows what of it would survive: contents and names apart, each as they are and
 * as they were when last synced. Told to, it stops at any one of its steps, for good or for once.
 */
import type { Disk, OpenFile } from "../../src/storage/SnapshotDisk.ts"

interface File {
  now: Buffer
  synced: Buffer
}

/** What a step that stops does. */
export interface Stop {
  readonly step: number
  /** It fails and the process goes on, or the process is killed before it or right after it. */
  readonly how: "fails" | "killed before" | "killed after"
}

/** What a crash leaves of what was not synced. */
export type Loss = "nothing is lost" | "contents are lost" | "names are lost" | "half of the contents are lost"

export const losses: ReadonlyArray<Loss> = [
  "nothing is lost",
  "contents are lost",
  "names are lost",
  "half of the contents are lost"
]

export class ModelDisk implements Disk {
  /** Every step so far, as "rename snapshot-taken.tmp". */
  readonly steps: Array<string> = []
  private files: Map<string, File>
  private syncedNames: Map<string, File>
  private readonly stop: Stop | undefined
  private killed = false
  opened = 0

  constructor(files: ReadonlyMap<string, Buffer> = new Map(), stop?: Stop) {
    this.files = new Map(Array.from(files, ([name, bytes]) => [name, { now: bytes, synced: bytes }] as const))
    this.syncedNames = new Map(this.files)
    this.stop = stop
  }

  /** The files that a new start finds after a crash now. */
  afterCrash(loss: Loss): ReadonlyMap<string, Buffer> {
    const names = loss === "names are lost" ? this.syncedNames : this.files
    const contents = ({ now, synced }: File): Buffer => {
      if (loss === "contents are lost") return synced
      return loss === "half of the contents are lost" ? now.subarray(0, (synced.length + now.length) >>> 1) : now
    }
    return new Map(Array.from(names, ([name, file]) => [name, contents(file)] as const))
  }

  list(): ReadonlyArray<string> {
    return [...this.files.keys()].toSorted()
  }

  private async step<A>(name: string, act: () => A): Promise<A> {
    await Promise.resolve()
    if (this.killed) throw new Error("killed")
    this.steps.push(name)
    const stops = this.stop !== undefined && this.steps.length - 1 === this.stop.step ? this.stop.how : undefined
    if (stops === "fails") throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" })
    this.killed = stops !== undefined
    if (stops === "killed before") throw new Error("killed")
    const result = act()
    if (stops === "killed after") throw new Error("killed")
    return result
  }

  private nameOf(path: string): string {
    return path.slice(path.lastIndexOf("/") + 1)
  }

  private existing(name: string): File {
    const file = this.files.get(name)
    if (file === undefined) throw Object.assign(new Error(`ENOENT: ${name}`), { code: "ENOENT" })
    return file
  }

  private handle(name: string, file: File): OpenFile {
    this.opened++
    return {
      write: (bytes, offset, length, position) =>
        this.step(`write ${name}`, () => {
          // Never all at once, so that whoever relies on it is found out.
          const part = bytes.subarray(offset, offset + Math.max(1, length >>> 1))
          const longer = Buffer.alloc(Math.max(file.now.length, position + part.length))
          file.now.copy(longer)
          longer.set(part, position)
          file.now = longer
          return { bytesWritten: part.length }
        }),
      read: (into, offset, length, position) =>
        this.step(`read ${name}`, () => {
          const part = file.now.subarray(position, position + Math.max(1, length >>> 1))
          into.set(part, offset)
          return { bytesRead: part.length }
        }),
      datasync: () => this.step(`datasync ${name}`, () => void (file.synced = file.now)),
      close: () => this.step(`close ${name}`, () => void this.opened--)
    }
  }

  create = (path: string): Promise<OpenFile> => {
    const name = this.nameOf(path)
    return this.step(`create ${name}`, () => {
      const file = this.files.get(name) ?? { now: Buffer.alloc(0), synced: Buffer.alloc(0) }
      file.now = Buffer.alloc(0)
      this.files.set(name, file)
      return this.handle(name, file)
    })
  }

  open = (path: string): Promise<OpenFile> => {
    const name = this.nameOf(path)
    return this.step(`open ${name}`, () => this.handle(name, this.existing(name)))
  }

  rename = (from: string, to: string): Promise<void> =>
    this.step(`rename ${this.nameOf(from)}`, () => {
      const file = this.existing(this.nameOf(from))
      this.files.delete(this.nameOf(from))
      this.files.set(this.nameOf(to), file)
    })

  unlink = (path: string): Promise<void> =>
    this.step(`unlink ${this.nameOf(path)}`, () => {
      this.existing(this.nameOf(path))
      this.files.delete(this.nameOf(path))
    })

  syncDirectory = (): Promise<void> =>
    this.step("sync the directory", () => void (this.syncedNames = new Map(this.files)))

  names = (): Promise<ReadonlyArray<string>> => this.step("names", () => this.list())

  sizeOf = (path: string): Promise<number> =>
    this.step(`size of ${this.nameOf(path)}`, () => this.existing(this.nameOf(path)).now.length)
}
