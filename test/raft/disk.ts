/**
 * What a replica of a test's cluster has that outlives it: exactly what it was told to store.
 * Snapshots are real bytes, so that a chunk at a wrong place makes another image, or none.
 */
import * as Logs from "../../src/raft/Log.ts"
import { Index, origin, type LogPosition, Term } from "../../src/raft/LogEntry.ts"
import type { HardState, Persist } from "../../src/raft/RaftEffect.ts"
import type { Start } from "../../src/raft/Replica.ts"
import type { Snapshot } from "../../src/raft/Snapshot.ts"
import * as Snapshots from "../../src/raft/Snapshot.ts"
import { checksum, type Image, type Value } from "./builders.ts"

/** A snapshot is encoded, as JSON in UTF-8. */
export const encode = ({ applied, ...rest }: Image): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ ...rest, applied: [...applied] }))

const decode = (bytes: Uint8Array): Image => {
  const { applied, ...rest } = JSON.parse(new TextDecoder().decode(bytes))
  return { ...rest, applied: new Map(applied) }
}

/** How a file with these bytes is named. */
export const snapshotOf = (last: LogPosition, bytes: Uint8Array): Snapshot => ({
  last,
  bytes: bytes.length,
  checksum: checksum(bytes)
})

export class Disk {
  hardState: HardState = { currentTerm: Term(0), votedFor: undefined }
  admitted: boolean | undefined = undefined
  log: Logs.Log<string> = Logs.empty
  #files: Array<{ readonly snapshot: Snapshot; readonly bytes: Uint8Array }> = []
  #incoming: { readonly snapshot: Snapshot; readonly bytes: Uint8Array; held: number } | undefined

  persist(change: Persist<string>): void {
    if (change.hardState !== undefined) this.hardState = change.hardState
    if (change.admitted !== undefined) this.admitted = change.admitted
    this.log = Logs.change(this.log, change)
    // Nothing asks for what is before the base.
    this.#files = this.#files.filter(({ snapshot }) => snapshot.last.index >= this.log.base.index)
  }

  /** Durable when this returns. */
  write(image: Image): Snapshot {
    const bytes = encode(image)
    const snapshot = snapshotOf(image.last, bytes)
    this.#keep(snapshot, bytes)
    return snapshot
  }

  #keep(snapshot: Snapshot, bytes: Uint8Array): void {
    this.#files = [
      ...this.#files.filter((file) => file.snapshot.last.index !== snapshot.last.index),
      { snapshot, bytes }
    ]
  }

  /** `undefined` where it is not there any more. */
  read(snapshot: Snapshot, offset: number, length: number): Uint8Array | undefined {
    const file = this.#files.find((one) => Snapshots.same(one.snapshot, snapshot))
    return file?.bytes.slice(offset, offset + length)
  }

  /** True when it is whole. */
  receive(snapshot: Snapshot, offset: number, bytes: Uint8Array): boolean {
    if (offset === 0) this.#incoming = { snapshot, bytes: new Uint8Array(snapshot.bytes), held: 0 }
    const incoming = this.#incoming
    if (incoming === undefined || !Snapshots.same(incoming.snapshot, snapshot) || incoming.held !== offset) {
      throw new Error(`a chunk at ${offset} does not continue what is there`)
    }
    incoming.bytes.set(bytes, offset)
    incoming.held += bytes.length
    return incoming.held === snapshot.bytes
  }

  /** What has arrived, checked, kept and decoded; `undefined` where it is not what it should be. */
  finish(snapshot: Snapshot): Image | undefined {
    const incoming = this.#incoming
    // Another one may have begun meanwhile, and is not disturbed by that.
    if (incoming === undefined || !Snapshots.same(incoming.snapshot, snapshot)) return undefined
    this.#incoming = undefined
    if (incoming.held !== snapshot.bytes || checksum(incoming.bytes) !== snapshot.checksum) return undefined
    this.#keep(snapshot, incoming.bytes)
    return decode(incoming.bytes)
  }

  /** A file cannot be read any more. */
  damage(snapshot: Snapshot): void {
    this.#files = this.#files.filter((file) => !Snapshots.same(file.snapshot, snapshot))
  }

  /** Newest first, those from which the log goes on. One that was received and never installed is of no use. */
  get snapshots(): ReadonlyArray<Snapshot> {
    return this.#files
      .map(({ snapshot }) => snapshot)
      .filter(({ last }) => last.index >= this.log.base.index && Logs.holds(this.log, last))
      .toSorted((one, other) => other.last.index - one.last.index)
  }

  /** What a replica starts from. One that has lost all of its snapshots, and with them its state, begins empty. */
  get recovered(): Pick<Start<Value, string>, "hardState" | "admitted" | "image" | "base" | "entries" | "snapshots"> {
    this.#incoming = undefined
    const { snapshots } = this
    this.#files = this.#files.filter(({ snapshot }) => snapshots.includes(snapshot))
    const newest = this.#files.find(({ snapshot }) => snapshot === snapshots[0])
    if (newest === undefined && this.log.base.index > 0) this.persist(reset)
    const { hardState, admitted, log } = this
    return {
      hardState,
      admitted,
      image: newest === undefined ? undefined : decode(newest.bytes),
      base: log.base,
      entries: Logs.slice(log, Index(log.base.index + 1), log.length),
      snapshots
    }
  }
}

const reset: Persist<string> = { _tag: "Persist", hardState: undefined, admitted: false, base: origin, log: undefined }
