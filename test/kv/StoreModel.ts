/**
 * A slow store to compare with: it keeps every revision as a whole map, and carries out transactions on a copy. It shares no
 * code with the machine, only its types.
 */
import type { KeyValue } from "../../src/kv/KeyValue.ts"
import type {
  Compare,
  KvCommand,
  KvResult,
  Merge,
  Operation,
  OperationResult,
  Put,
  Rejected,
  Txn
} from "../../src/kv/KvCommand.ts"
import type { RangeAnswer, RangeQuery } from "../../src/kv/KvQuery.ts"

type Pairs = ReadonlyMap<string, KeyValue>

interface Lease {
  ttlSeconds: number
  expiresAt: number
}

export class StoreModel {
  /** What there was at each revision; the first is revision 1. */
  readonly revisions: Array<Pairs> = [new Map(), new Map()]
  readonly leases = new Map<bigint, Lease>()
  compacted = 0
  owns = 0
  time = 0

  get revision(): number {
    return this.revisions.length - 1
  }

  get present(): Map<string, KeyValue> {
    return new Map(this.revisions[this.revision])
  }

  apply(command: KvCommand): KvResult {
    switch (command._tag) {
      case "Put":
        return this.change((pairs) => this.lackOf(command, "LeaseNotFound") ?? this.put(pairs, command))
      case "DeleteRange":
        return this.change((pairs) => this.deleteRange(pairs, command))
      case "Txn":
        return this.change((pairs) => this.txn(pairs, command))
      case "Merge":
        return this.change((pairs) => this.merge(pairs, command))
      case "Compact": {
        const { revision } = command
        if (revision <= this.compacted) return this.rejected("Compacted")
        if (revision > this.revision) return this.rejected("FutureRevision")
        this.compacted = revision
        return { _tag: "Compact", revision: this.revision }
      }
      case "LeaseGrant": {
        const { id } = command
        if (this.leases.has(id)) return this.rejected("LeaseExists")
        const ttlSeconds = Math.max(2, command.ttlSeconds)
        this.leases.set(id, { ttlSeconds, expiresAt: this.time + ttlSeconds * 1000 })
        return { _tag: "LeaseGrant", revision: this.revision, id, ttlSeconds }
      }
      case "LeaseRevoke":
        if (!this.leases.has(command.id)) return this.rejected("LeaseNotFound")
        return this.change((pairs) => {
          this.endLease(pairs, command.id)
          return { _tag: "LeaseRevoke", revision: 0 }
        })
      case "LeaseKeepAlive": {
        const { id } = command
        const lease = this.leases.get(id)
        const isAlive = lease !== undefined && lease.expiresAt > this.time
        if (isAlive) lease.expiresAt = this.time + lease.ttlSeconds * 1000
        return {
          _tag: "LeaseKeepAlive",
          revision: this.revision,
          id,
          ttlSeconds: isAlive ? Math.ceil(lease.ttlSeconds) : 0
        }
      }
      case "LeaseExpire": {
        const isOver = (id: bigint): boolean =>
          (this.leases.get(id)?.expiresAt ?? Number.POSITIVE_INFINITY) <= this.time
        const over = [...new Set(command.ids)].filter(isOver)
        return this.change((pairs) => {
          for (const id of over) this.endLease(pairs, id)
          return { _tag: "LeaseExpire", revision: 0, expired: over.length }
        })
      }
      case "LeaseTimeToLive": {
        const { id } = command
        const lease = this.leases.get(id)
        const keys = [...this.present.values()].filter((kv) => kv.lease === id).map(({ key }) => key)
        return {
          _tag: "LeaseTimeToLive",
          revision: this.revision,
          id,
          ttlSeconds: lease === undefined ? -1 : Math.max(0, Math.floor((lease.expiresAt - this.time) / 1000)),
          ttlMillis: lease === undefined ? -1 : Math.max(0, lease.expiresAt - this.time),
          grantedTtlSeconds: Math.ceil(lease?.ttlSeconds ?? 0),
          keys: command.keys && lease !== undefined ? keys.sort() : []
        }
      }
    }
  }

  /** What a range answers, or why not. */
  range(query: RangeQuery): RangeAnswer | "Compacted" | "FutureRevision" {
    if (query.revision > this.revision) return "FutureRevision"
    if (query.revision > 0 && query.revision < this.compacted) return "Compacted"
    return this.rangeIn(query.revision > 0 ? this.revisions[query.revision]! : this.present, query, this.revision)
  }

  private rangeIn(pairs: Pairs, query: RangeQuery, revision: number): RangeAnswer {
    const all = inRange(pairs, query.key, query.rangeEnd)
    const { sort } = query
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = query
    const isFiltered = [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision].some(Boolean)
    // Without an order, only what comes first in the order of keys is sorted.
    const isCut = sort?.order === "None" && query.limit > 0 && !isFiltered
    let kvs = (isCut ? all.slice(0, query.limit + 1) : all).filter(
      (kv) =>
        kv.modRevision >= (query.minModRevision ?? 0) &&
        kv.modRevision <= (query.maxModRevision || Number.POSITIVE_INFINITY) &&
        kv.createRevision >= (query.minCreateRevision ?? 0) &&
        kv.createRevision <= (query.maxCreateRevision || Number.POSITIVE_INFINITY)
    )
    if (sort !== undefined) {
      const by = (kv: KeyValue): number | string =>
        ({
          Key: kv.key,
          Version: kv.version,
          Create: kv.createRevision,
          Mod: kv.modRevision,
          Value: Buffer.from(kv.value).toString("latin1")
        })[sort.target]
      const sign = sort.order === "Descend" ? -1 : 1
      kvs = kvs.sort((one, other) => (by(one) < by(other) ? -sign : by(one) > by(other) ? sign : 0))
    }
    if (query.countOnly) return { _tag: "Range", revision, kvs: [], more: false, count: all.length }
    const more = query.limit > 0 && kvs.length > query.limit
    if (more) kvs = kvs.slice(0, query.limit)
    if (query.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: new Uint8Array(0) }))
    return { _tag: "Range", revision, kvs, more, count: all.length }
  }

  private change(by: (pairs: Map<string, KeyValue>) => KvResult | string): KvResult {
    const { present } = this
    const before = JSON.stringify([...present.values()], plain)
    const result = by(present)
    if (typeof result === "string") return this.rejected(result)
    if (JSON.stringify([...present.values()], plain) !== before) this.revisions.push(present)
    return { ...result, revision: this.revision }
  }

  private put(pairs: Map<string, KeyValue>, command: Put): Extract<KvResult, { _tag: "Put" }> {
    const { key } = command
    const old = pairs.get(key)
    const revision = this.revision + 1
    // Away first, so that a later comparison sees that it has changed.
    pairs.delete(key)
    pairs.set(key, {
      key,
      value: command.ignoreValue === true ? old!.value : command.value,
      createRevision: old?.createRevision ?? revision,
      modRevision: revision,
      version: old?.modRevision === revision ? old.version : (old?.version ?? 0) + 1,
      lease: this.leaseFor(command, old)
    })
    this.forgetOwn(old?.lease, pairs)
    return { _tag: "Put", revision, prevKv: command.prevKv ? old : undefined }
  }

  private leaseFor({ ignoreLease, lease = 0n, ttlMillis }: Put, old: KeyValue | undefined): bigint {
    if (ttlMillis === undefined) return ignoreLease === true ? old!.lease : lease
    const id = (1n << 62n) + BigInt(this.owns++)
    this.leases.set(id, { ttlSeconds: ttlMillis / 1000, expiresAt: this.time + ttlMillis })
    return id
  }

  /** A lease that came with a key goes with it. */
  private forgetOwn(lease: bigint | undefined, pairs: Pairs): void {
    if (lease === undefined || lease < 1n << 62n) return
    if (![...pairs.values()].some((kv) => kv.lease === lease)) this.leases.delete(lease)
  }

  private merge(pairs: Map<string, KeyValue>, { key, by }: Merge): Extract<KvResult, { _tag: "Merge" }> {
    const old = pairs.get(key)
    const revision = this.revision + (this.hasChanged(pairs) ? 1 : 0)
    const text = Buffer.from(old?.value ?? new Uint8Array(0)).toString("latin1")
    let next = ""
    if (by._tag === "Append") next = text + Buffer.from(by.bytes).toString("latin1")
    else {
      const number = old === undefined ? 0n : /^-?\d+$/.test(text) ? BigInt(text) : undefined
      const isCanonical = number !== undefined && (old === undefined || number.toString() === text)
      if (!isCanonical || BigInt.asIntN(64, number) !== number) return { _tag: "Merge", revision, value: "NotANumber" }
      const sum = number + by.amount
      if (BigInt.asIntN(64, sum) !== sum) return { _tag: "Merge", revision, value: "Overflow" }
      next = String(sum)
    }
    const value = Buffer.from(next, "latin1")
    this.put(pairs, { _tag: "Put", key, value, prevKv: false, lease: old?.lease ?? 0n })
    return {
      _tag: "Merge",
      revision: this.revision + 1,
      value: by._tag === "Add" ? BigInt(next) : BigInt(value.length)
    }
  }

  private deleteRange(
    pairs: Map<string, KeyValue>,
    command: { readonly key: string; readonly rangeEnd: string | undefined; readonly prevKv: boolean }
  ): Extract<KvResult, { _tag: "DeleteRange" }> {
    const found = inRange(pairs, command.key, command.rangeEnd)
    for (const { key } of found) pairs.delete(key)
    for (const { lease } of found) this.forgetOwn(lease, pairs)
    const revision = this.revision + (this.hasChanged(pairs) ? 1 : 0)
    return { _tag: "DeleteRange", revision, deleted: found.length, prevKvs: command.prevKv ? found : [] }
  }

  private hasChanged(pairs: Pairs): boolean {
    return JSON.stringify([...pairs.values()], plain) !== JSON.stringify([...this.present.values()], plain)
  }

  private endLease(pairs: Map<string, KeyValue>, id: bigint): void {
    this.leases.delete(id)
    for (const kv of pairs.values()) if (kv.lease === id) pairs.delete(kv.key)
  }

  private txn(pairs: Map<string, KeyValue>, command: Txn): Extract<KvResult, { _tag: "Txn" }> | string {
    if (command.inOrder === true) return this.inOrder(pairs, command)
    return this.problemWith(command) ?? this.carryOut(pairs, command)
  }

  /** All puts come first, wherever they stand, and then all ranges. */
  private problemWith(command: Txn): string | undefined {
    return this.firstProblem(command, "Put") ?? this.firstProblem(command, "Range")
  }

  private firstProblem(command: Txn, kind: Operation["_tag"]): string | undefined {
    const problems = this.branchOf(command).map((operation) => {
      if (operation._tag === "Txn") return this.firstProblem(operation, kind)
      return operation._tag === kind ? this.problemOf(operation) : undefined
    })
    return problems.find((problem) => problem !== undefined)
  }

  private problemOf(operation: Operation): string | undefined {
    switch (operation._tag) {
      case "Put":
        return this.lackOf(operation, "KeyNotFound")
      case "DeleteRange":
      case "Merge":
      case "TimeToLive":
        return undefined
      case "Range": {
        const answer = this.range(operation)
        return typeof answer === "string" ? answer : undefined
      }
      case "Txn":
        return this.problemWith(operation)
    }
  }

  /** The reason that is looked for first, if both hold. */
  private lackOf(
    command: Put,
    first: "KeyNotFound" | "LeaseNotFound",
    pairs: Pairs = this.present
  ): string | undefined {
    const needsKey = command.ignoreValue === true || command.ignoreLease === true
    const problems = [
      ...(needsKey && !pairs.has(command.key) ? ["KeyNotFound"] : []),
      ...((command.lease ?? 0n) !== 0n && !this.leases.has(command.lease!) ? ["LeaseNotFound"] : [])
    ]
    return problems.includes(first) ? first : problems[0]
  }

  /** Always of the store before. */
  private branchOf({ compares, success, failure }: Txn): ReadonlyArray<Operation> {
    return compares.every((compare) => this.holds(compare)) ? success : failure
  }

  private holds(compare: Compare, pairs: Pairs = this.present): boolean {
    const found = inRange(pairs, compare.key, compare.rangeEnd)
    return found.length === 0 ? holdsFor(compare, undefined) : found.every((kv) => holdsFor(compare, kv))
  }

  private inOrder(pairs: Map<string, KeyValue>, command: Txn): Extract<KvResult, { _tag: "Txn" }> {
    const succeeded = command.compares.every((compare) => this.holds(compare, pairs))
    const responses = (succeeded ? command.success : command.failure).map((operation): OperationResult => {
      if (operation._tag === "Txn") return this.inOrder(pairs, operation)
      const problem =
        operation._tag === "Put"
          ? this.lackOf(operation, "LeaseNotFound", pairs)
          : operation._tag === "Range"
            ? this.problemOf(operation)
            : undefined
      return problem === undefined ? this.one(pairs, operation) : this.rejected(problem)
    })
    const revision = this.revision + (this.hasChanged(pairs) ? 1 : 0)
    return { _tag: "Txn", revision, succeeded, responses }
  }

  private one(pairs: Map<string, KeyValue>, operation: Operation): OperationResult {
    const revision = this.revision + (this.hasChanged(pairs) ? 1 : 0)
    switch (operation._tag) {
      case "Put":
        return this.put(pairs, operation)
      case "Merge":
        return this.merge(pairs, operation)
      case "TimeToLive": {
        const kv = pairs.get(operation.key)
        const lease = kv === undefined ? undefined : this.leases.get(kv.lease)
        const ttlMillis = lease === undefined ? (kv === undefined ? -2 : -1) : Math.max(0, lease.expiresAt - this.time)
        return { _tag: "TimeToLive", revision, ttlMillis }
      }
      case "DeleteRange":
        return this.deleteRange(pairs, operation)
      case "Range":
        return this.rangeIn(operation.revision > 0 ? this.revisions[operation.revision]! : pairs, operation, revision)
      case "Txn":
        return this.carryOut(pairs, operation)
    }
  }

  private carryOut(pairs: Map<string, KeyValue>, command: Txn): Extract<KvResult, { _tag: "Txn" }> {
    const operations = this.branchOf(command)
    const responses = operations.map((operation) => this.one(pairs, operation))
    const revision = this.revision + (this.hasChanged(pairs) ? 1 : 0)
    const succeeded = operations === command.success
    return { _tag: "Txn", revision, succeeded, responses }
  }

  private rejected(reason: string): Rejected {
    return {
      _tag: "Rejected",
      revision: this.revision,
      reason: reason as Rejected["reason"],
      compacted: this.compacted
    }
  }
}

const plain = (_: string, value: unknown): unknown =>
  typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? [...value] : value

const inRange = (pairs: Pairs, key: string, rangeEnd: string | undefined): Array<KeyValue> =>
  [...pairs.values()]
    .filter((kv) =>
      rangeEnd === undefined ? kv.key === key : kv.key >= key && (rangeEnd === "\0" || kv.key < rangeEnd)
    )
    .sort((one, other) => (one.key < other.key ? -1 : 1))

const holdsFor = ({ target, result }: Compare, kv: KeyValue | undefined): boolean => {
  if (target._tag === "Value" && kv === undefined) return false
  const [found, wanted] =
    target._tag === "Value"
      ? [Buffer.from(kv!.value).toString("latin1"), Buffer.from(target.value).toString("latin1")]
      : target._tag === "Lease"
        ? [kv?.lease ?? 0n, target.lease]
        : [
            { Version: kv?.version, CreateRevision: kv?.createRevision, ModRevision: kv?.modRevision }[target._tag] ??
              0,
            target.number
          ]
  return {
    Equal: found === wanted,
    NotEqual: found !== wanted,
    Less: found < wanted,
    Greater: found > wanted
  }[result]
}
