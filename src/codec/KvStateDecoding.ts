/** A state from its pieces, of either version. KvStateCodec has the layout. Total. */
import * as Compaction from "../kv/Compaction.ts"
import type { KeyValue } from "../kv/KeyValue.ts"
import { initial, type KvState, weighPair } from "../kv/KvState.ts"
import * as Leases from "../kv/Leases.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import { ClusterTime } from "../raft/LogEntry.ts"
import { Reader } from "./Bytes.ts"
import { readBoolean } from "./Fields.ts"
import * as KvChanges from "./KvChanges.ts"
import * as KvPairs from "./KvPairs.ts"
import { LargeValue, partBytes } from "./LargeValue.ts"
import type { StateDecoder } from "./StateCodec.ts"

/** The versions of the layout. */
export const pairsAlone = 1
export const withHistory = 2

/** The kind of a piece of leases; KvPairs and KvChanges have the others. */
export const leasesKind = 4

interface Head {
  readonly revision: number
  readonly pairs: number
  readonly compacted: number
  readonly first: number
  readonly leases: number
  readonly owns: number
}

const readHead = (from: Reader, version: number): Head => {
  const [revision, pairs] = [from.safe(), from.safe()]
  if (revision < 1) from.fail()
  if (version === pairsAlone) return { revision, pairs, compacted: revision, first: revision + 1, leases: 0, owns: 0 }
  const head = { revision, pairs, compacted: from.safe(), first: from.safe(), leases: from.safe(), owns: from.safe() }
  const { compacted, first } = head
  if (compacted > revision || first < Math.max(1, compacted) || first > revision + 1) from.fail()
  return head
}

export class KvStateDecoding implements StateDecoder<KvState> {
  private readonly version: number
  private readonly form: KvPairs.Form
  private head: Head | undefined
  private leases = Leases.empty
  private lastLease = -1n
  private readonly pairs = OrderedMap.builder<KeyValue>()
  private liveBytes = 0
  /** Pairs that were put by what the history is to tell. */
  private recent = 0
  private past: { readonly keys: KvState["keys"]; readonly changes: KvChanges.Decoding } | undefined
  private large:
    | { readonly value: LargeValue; readonly complete: (value: Uint8Array, from: Reader) => void }
    | undefined
  private failed = false

  constructor(version: number) {
    this.version = version
    this.form = version === pairsAlone ? KvPairs.first : KvPairs.second(Leases.empty)
  }

  push(piece: Uint8Array): boolean {
    if (this.failed) return false
    const from = new Reader(piece)
    if (this.head === undefined) {
      this.head = readHead(from, this.version)
      this.leases = { ...Leases.empty, owns: this.head.owns }
      if (!from.done) from.fail()
    } else if (this.large !== undefined) this.takePart(from, piece)
    else this.takeKind(from, from.u8(), this.head)
    this.failed = from.failed
    return !this.failed
  }

  finish(): KvState | undefined {
    const { head, leases, liveBytes } = this
    if (this.failed || head === undefined || this.large !== undefined) return undefined
    if (this.pairs.size !== head.pairs || Leases.size(leases) !== head.leases) return undefined
    const { revision, compacted } = head
    if (this.version === pairsAlone) {
      return Compaction.forget({ ...initial, revision, keys: this.pairs.finish(), liveBytes })
    }
    const { keys, changes } = this.past ?? this.goBack(head)
    const decoded = changes.finish()
    return decoded && { revision, keys, compacted, ...decoded, trimmed: 0, leases, liveBytes }
  }

  /** What comes later in the order of pieces closes what comes before. */
  private takeKind(from: Reader, kind: number, head: Head): void {
    const isPast = kind === KvChanges.kinds.changes || kind === KvChanges.kinds.large
    const sound = isPast
      ? this.version === withHistory && this.pairs.size === head.pairs && Leases.size(this.leases) === head.leases
      : this.past === undefined
    if (!sound) return from.fail()
    switch (kind) {
      case leasesKind:
        return this.version === withHistory && this.pairs.size === 0 ? this.takeLeases(from) : from.fail()
      case KvPairs.kinds.pairs:
        return this.takePairs(from, head)
      case KvPairs.kinds.large:
        return this.takeLargePair(from, head)
      case KvChanges.kinds.changes:
        this.past ??= this.goBack(head)
        return this.past.changes.take(from)
      case KvChanges.kinds.large: {
        this.past ??= this.goBack(head)
        const change = this.past.changes.takeLarge(from)
        return change === undefined ? from.fail() : this.await(from, change.length, change.complete)
      }
      default:
        return from.fail()
    }
  }

  private takeLeases(from: Reader): void {
    while (from.remaining > 0 && !from.failed) {
      const isOwn = readBoolean(from)
      const [id, ttlSeconds, expiresAt] = [from.i64(), from.safe() / 1000, ClusterTime(from.safe())]
      const place = BigInt.asUintN(64, id)
      if (place <= this.lastLease) from.fail()
      if (from.failed) return
      this.lastLease = place
      this.leases = Leases.set(this.leases, { id, ttlSeconds, expiresAt, isOwn, keys: OrderedMap.empty })
    }
  }

  /** A value gets bytes of its own: a view would keep its whole piece in memory, long after its neighbours are gone. */
  private takePairs(from: Reader, head: Head): void {
    while (from.remaining > 0 && !from.failed) {
      const pair = this.form.read(from)
      this.add(from, head, pair, new Uint8Array(from.bytes()))
    }
  }

  private takeLargePair(from: Reader, head: Head): void {
    const pair = this.form.read(from)
    const length = from.u32()
    this.await(from, length, (value, last) => this.add(last, head, pair, value))
  }

  private await(from: Reader, length: number, complete: (value: Uint8Array, from: Reader) => void): void {
    if (!from.done || length <= partBytes) return from.fail()
    this.large = { value: new LargeValue(length), complete }
  }

  private takePart(from: Reader, piece: Uint8Array): void {
    const { value, complete } = this.large!
    if (from.u8() !== KvPairs.kinds.part || !value.take(piece.subarray(1))) return from.fail()
    const whole = value.whole()
    if (whole === undefined) return
    this.large = undefined
    complete(whole, from)
  }

  private add(from: Reader, { revision, first }: Head, pair: KvPairs.Metadata, value: Uint8Array): void {
    const { key, createRevision, modRevision, version, lease, stray } = pair
    const kv: KeyValue = { key, value, createRevision, modRevision, version, lease }
    if (from.failed || kv.modRevision > revision || !this.pairs.add(kv.key, kv)) return from.fail()
    this.liveBytes += weighPair(kv)
    if (kv.modRevision >= Math.max(first, initial.revision + 1)) this.recent++
    if (kv.lease === 0n || stray) return
    if (Leases.get(this.leases, kv.lease) === undefined) return from.fail()
    this.leases = Leases.attach(this.leases, kv.lease, kv.key)
  }

  /** From the present, once all of it is there. */
  private goBack({ revision, first }: Head): { readonly keys: KvState["keys"]; readonly changes: KvChanges.Decoding } {
    const keys = this.pairs.finish()
    return { keys, changes: new KvChanges.Decoding({ keys, revision, first, recent: this.recent }) }
  }
}
