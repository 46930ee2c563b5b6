/**
 * The records of a state's history as pieces, from the newest back to the oldest, and back. A change tells what was there before
 * it; what it put is told by the changes after it, or by the present. So each value is written once, and each piece is made
 * from the records that are in it, however long the history. KvStateCodec has the layout.
 */
import * as History from "../kv/History.ts"
import type { Key, KeyValue } from "../kv/KeyValue.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import { weighChange } from "../kv/Writing.ts"
import { ClusterTime } from "../raft/LogEntry.ts"
import { type Reader, Writer } from "./Bytes.ts"
import * as KvPairs from "./KvPairs.ts"
import { isLarge, partsOf } from "./LargeValue.ts"

export const kinds = { changes: 5, large: 6 } as const

const items = { record: 1, put: 2, delete: 3 } as const
const flags = { lease: 1, before: 2, sameValue: 4 } as const

/** The revisions from `first` on. */
export const pieces = function* (
  history: History.History,
  first: number,
  scratch?: Writer
): Generator<Uint8Array, void> {
  let place: Place | undefined = { revision: History.last(history), left: undefined }
  while (place !== undefined && place.revision >= first) {
    const to = scratch?.begin() ?? new Writer(KvPairs.targetBytes + 1024)
    const { piece, large, next }: Slice = pieceFrom(history, place, first, to)
    if (piece !== undefined) yield piece
    if (large !== undefined) {
      yield headOf(large)
      yield* partsOf(KvPairs.kinds.part, large.prev!.value, scratch)
    }
    place = next
  }
}

interface Place {
  readonly revision: number
  /** How many changes of its record are to come; `undefined` before the record has begun. */
  readonly left: number | undefined
}

interface Slice {
  readonly piece: Uint8Array | undefined
  /** The change after them, if the value before it is large. */
  readonly large: History.Change | undefined
  readonly next: Place
}

const pieceFrom = (history: History.History, place: Place, first: number, to: Writer): Slice => {
  to.u8(kinds.changes)
  let { revision, left } = place
  let large: History.Change | undefined
  while (revision >= first && large === undefined && to.length < KvPairs.targetBytes) {
    const { time, changes } = History.at(history, revision)!
    if (left === undefined) {
      to.u8(items.record)
      to.safe(time)
      left = changes.length
    }
    if (left > 0) {
      const change = changes[--left]!
      const value = valueBefore(change)
      if (value !== undefined && isLarge(value)) large = change
      else {
        writeChange(to, change)
        if (value !== undefined) to.bytes(value)
      }
    }
    if (left === 0) {
      revision--
      left = undefined
    }
  }
  return { piece: to.length > 1 ? to.finish() : undefined, large, next: { revision, left } }
}

const headOf = (change: History.Change): Uint8Array => {
  const head = new Writer(256)
  head.u8(kinds.large)
  writeChange(head, change)
  head.u32(change.prev!.value.byteLength)
  return head.finish()
}

/** What is to be written; a put may have left the value as it was. */
const valueBefore = (change: History.Change): Uint8Array | undefined =>
  change.prev === undefined || isSameValue(change) ? undefined : change.prev.value

const isSameValue = (change: History.Change): boolean => {
  if (change._tag === "Delete" || change.prev === undefined) return false
  const { kv, prev } = change
  return (
    kv.value === prev.value || (kv.value.length === prev.value.length && Buffer.compare(kv.value, prev.value) === 0)
  )
}

/** All but the value. */
const writeChange = (to: Writer, change: History.Change): void => {
  const { prev } = change
  to.u8(change._tag === "Put" ? items.put : items.delete)
  to.u8(
    (prev === undefined || prev.lease === 0n ? 0 : flags.lease) |
      (prev === undefined ? 0 : flags.before) |
      (isSameValue(change) ? flags.sameValue : 0)
  )
  to.latin1(History.keyOf(change))
  if (prev === undefined) return
  if (change._tag === "Delete" || change.kv.createRevision === change.kv.modRevision) KvPairs.writeRevisions(to, prev)
  else to.safe(prev.modRevision)
  if (prev.lease !== 0n) to.i64(prev.lease)
}

/** What there is of a key at the place in the history that has been reached. */
type Found = KeyValue | Absence

/** Nothing, in which the put after it found nothing. How the key had gone may turn up further back. */
interface Absence {
  readonly _tag: "Absence"
  readonly put: { deleted: History.Deletion | undefined }
}

export interface Decoded {
  readonly history: History.History
  readonly deletions: OrderedMap.OrderedMap<History.Deletion>
  readonly historyBytes: number
}

/** The rest of a change, whose value is still to come. */
export type WithValue = (value: Uint8Array) => void

export interface Span {
  readonly keys: OrderedMap.OrderedMap<KeyValue>
  readonly revision: number
  /** The revision of the oldest record; where it is the store's first, there is no more to be told of it. */
  readonly first: number
  /** How many of the pairs were put by what is to be told. */
  readonly recent: number
}

/** Goes back from the present as the records come. */
export class Decoding {
  private readonly keys: OrderedMap.OrderedMap<KeyValue>
  private readonly oldest: number
  private readonly history: History.Builder
  private readonly begins: boolean
  private readonly owner = OrderedMap.owner()
  private found: OrderedMap.OrderedMap<Found> = OrderedMap.empty
  private deletions: OrderedMap.OrderedMap<History.Deletion> = OrderedMap.empty
  private historyBytes = 0
  private revision: number
  /** How many pairs have been seen whose put has not. */
  private recent: number
  private record: { readonly time: ClusterTime; readonly changes: Array<History.Change> } | undefined

  constructor({ keys, revision, first, recent }: Span) {
    this.recent = recent
    this.keys = keys
    this.begins = first === 1
    this.oldest = this.begins ? 2 : first
    this.history = History.builder(first, revision)
    this.revision = revision + 1
  }

  /** The items of a piece. */
  take(from: Reader): void {
    if (from.remaining === 0) return from.fail()
    while (from.remaining > 0 && !from.failed) {
      const kind = from.u8()
      if (kind === items.record) this.begin(from)
      else this.takeChange(from, kind)?.(new Uint8Array(from.bytes()))
    }
  }

  /** A change whose value, of this length, comes in parts. */
  takeLarge(from: Reader): { readonly length: number; readonly complete: WithValue } | undefined {
    const complete = this.takeChange(from, from.u8())
    const length = from.u32()
    if (complete === undefined || !from.done) return undefined
    return { length, complete }
  }

  finish(): Decoded | undefined {
    this.close()
    if (this.revision !== this.oldest || this.recent !== 0) return undefined
    if (this.begins) this.history.add({ revision: 1, time: ClusterTime(0), changes: [] })
    const history = this.history.finish()
    return history && { history, deletions: this.deletions, historyBytes: this.historyBytes }
  }

  private begin(from: Reader): void {
    if (this.record !== undefined && this.record.changes.length === 0) from.fail()
    this.close()
    this.record = { time: ClusterTime(from.safe()), changes: [] }
    this.revision--
    if (this.revision < this.oldest) from.fail()
  }

  private close(): void {
    if (this.record === undefined) return
    const { time, changes } = this.record
    this.history.add({ revision: this.revision, time, changes: changes.reverse() })
    this.record = undefined
  }

  /** `undefined` where it is complete without a value, or no change. */
  private takeChange(from: Reader, kind: number): WithValue | undefined {
    if (this.record === undefined || (kind !== items.put && kind !== items.delete)) {
      from.fail()
      return undefined
    }
    const found = from.u8()
    const key = from.latin1()
    return kind === items.put ? this.takePut(from, found, key) : this.takeDelete(from, found, key)
  }

  private takePut(from: Reader, found: number, key: Key): WithValue | undefined {
    const kv = this.at(key)
    if (kv === undefined || "_tag" in kv || kv.modRevision !== this.revision || found > 7) {
      from.fail()
      return undefined
    }
    if (found === 0) {
      if (kv.version !== 1 || kv.createRevision !== this.revision) from.fail()
      const put: History.Change = { _tag: "Put", kv, prev: undefined, deleted: undefined }
      this.goBack(put, { _tag: "Absence", put })
      return undefined
    }
    // One that was deleted and put anew in one transaction says nothing of what was there before.
    const isNew = kv.createRevision === this.revision
    const revisions = isNew
      ? KvPairs.readRevisions(from)
      : { createRevision: kv.createRevision, modRevision: from.safe(), version: kv.version - 1 }
    const { createRevision, modRevision, version } = revisions
    const lease = KvPairs.readLease(from, found)
    const possible = createRevision <= modRevision && modRevision < this.revision && version >= 1
    if ((found & flags.before) === 0 || !possible) from.fail()
    if (from.failed) return undefined
    const before = (value: Uint8Array): void => {
      const prev = { key, value, createRevision, modRevision, version, lease }
      this.goBack({ _tag: "Put", kv, prev, deleted: undefined }, prev)
    }
    if ((found & flags.sameValue) === 0) return before
    before(kv.value)
    return undefined
  }

  private takeDelete(from: Reader, found: number, key: Key): WithValue | undefined {
    const after = this.at(key)
    const revisions = KvPairs.readRevisions(from)
    const lease = KvPairs.readLease(from, found)
    const isGone = after === undefined || "_tag" in after
    if (!isGone || revisions.modRevision >= this.revision || (found & ~flags.lease) !== flags.before) from.fail()
    if (from.failed || !isGone) return undefined
    return (value) => {
      const prev: KeyValue = { key, value, ...revisions, lease }
      const deletion: History.Deletion = { _tag: "Delete", key, modRevision: this.revision, prev }
      if (after === undefined) this.deletions = OrderedMap.set(this.deletions, key, deletion, this.owner)
      else after.put.deleted = deletion
      this.goBack(deletion, prev)
    }
  }

  private at(key: Key): Found | undefined {
    return OrderedMap.get(this.found, key) ?? OrderedMap.get(this.keys, key)
  }

  private goBack(change: History.Change, before: Found): void {
    this.record!.changes.push(change)
    this.historyBytes += weighChange(change)
    if (change._tag === "Put") this.recent--
    if (!("_tag" in before) && before.modRevision >= this.oldest) this.recent++
    this.found = OrderedMap.set(this.found, History.keyOf(change), before, this.owner)
  }
}
