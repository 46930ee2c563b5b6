/** Bugs in the key-value store: what a revision changes, the past and its compaction, transactions, and leases on the cluster's time. */
import { type Mutant, mutant, storeMutant } from "./Mutant.ts"

/** A clock that each process reads for itself: here, each call another time. */
const localClock = "((globalThis.localClock = (globalThis.localClock ?? 0) + 701) % 9000)"

const leaseMutants: ReadonlyArray<Mutant> = [
  storeMutant(
    "a lease of keys ends before its time",
    ["own", "I19"],
    ["LeaseCommands.ts", "lease.expiresAt <= writing.time", "lease.expiresAt - 900 <= writing.time"]
  ),
  storeMutant(
    "a lease of keys is over whenever somebody says so",
    ["own", "I19"],
    [
      "LeaseCommands.ts",
      "const isOver = lease !== undefined && lease.expiresAt <= writing.time",
      "const isOver = lease !== undefined"
    ]
  ),
  storeMutant(
    "leases that are named together are over when the first of them is",
    ["own", "I19"],
    [
      "LeaseCommands.ts",
      "const isOver = lease !== undefined && lease.expiresAt <= writing.time",
      "const isOver = lease !== undefined && (taken.ids.length > 0 || lease.expiresAt <= writing.time)"
    ]
  ),
  storeMutant(
    "leases that are named together are kept if one of them is not over",
    ["own", "I19"],
    ["LeaseCommands.ts", "if (!isOver) continue", "if (!isOver) break"]
  ),
  storeMutant(
    "of leases that are named together only the first is over",
    ["own", "I19"],
    [
      "LeaseCommands.ts",
      "if (!Leases.take(taken, lease)) break",
      "if (!Leases.take(taken, lease) || taken.ids.length > 1) break"
    ]
  ),
  storeMutant(
    "a lease of keys expires by the local clock",
    ["etcd", "I5, I19"],
    ["LeaseCommands.ts", "lease.expiresAt <= writing.time", `lease.expiresAt <= ${localClock}`]
  ),
  storeMutant(
    "a lease of keys begins by the local clock",
    ["etcd", "I5, I19"],
    ["LeaseCommands.ts", "Leases.expiryOf(ttl, writing.time)", `Leases.expiryOf(ttl, ${localClock})`]
  ),
  mutant(
    "the cluster's time is that of the leader's clock",
    ["etcd: leases on the leader", "I19"],
    [
      "Election.ts",
      "clock: { time: lastTime(state.stateMachine), at },",
      "clock: { time: ClusterTime(Math.max(lastTime(state.stateMachine), Math.floor(at))), at },"
    ]
  ),
  storeMutant(
    "a lease whose time is over is kept alive",
    ["own", "I19"],
    [
      "LeaseCommands.ts",
      "const isAlive = lease !== undefined && lease.expiresAt > time",
      "const isAlive = lease !== undefined"
    ]
  ),
  storeMutant(
    "a lease that is kept alive ends when it would have",
    ["own", "I19"],
    ["LeaseCommands.ts", "{ ...lease, expiresAt: Leases.expiryOf(lease.ttlSeconds, time) }", "lease"]
  ),
  storeMutant(
    "a lease that ends leaves its keys",
    ["own", "I19"],
    ["LeaseCommands.ts", "    Writing.remove(writing, key)\n", ""]
  ),
  storeMutant(
    "a lease that is over is kept",
    ["own", "I19"],
    ["LeaseCommands.ts", "writing.leases = Leases.remove(writing.leases, id)", ""]
  ),
  storeMutant(
    "a key goes with the lease that it had before",
    ["etcd 1.0", "I19"],
    [
      "Writing.ts",
      "if (oldLease !== 0n && oldLease !== lease) writing.leases",
      "if (oldLease === lease) writing.leases"
    ]
  ),
  storeMutant(
    "a lease holds a key that is gone",
    ["own", "I19"],
    ["Writing.ts", "if (known.lease !== 0n) writing.leases", "if (known.lease < 0n) writing.leases"]
  ),
  storeMutant(
    "a key is not held by its lease",
    ["own", "I19"],
    ["Writing.ts", "if (lease !== 0n) writing.leases", "if (lease < 0n) writing.leases"]
  ),
  storeMutant(
    "a lease that is kept alive is still known by its former end",
    ["own", "I22"],
    [
      "Leases.ts",
      "before === undefined ? leases.byExpiry : OrderedMap.remove(leases.byExpiry, expiryKey(before))",
      "leases.byExpiry"
    ]
  )
]

const nameMutants: ReadonlyArray<Mutant> = [
  storeMutant(
    "a key that has the name of a lease is taken to be held by it",
    ["own", "I19"],
    ["Writing.ts", "if (lease !== 0n) writing.leases", "if (lease !== 0n && lease !== oldLease) writing.leases"]
  ),
  storeMutant(
    "a key can be put with a lease that came with another",
    ["own", "I19"],
    ["Txns.ts", "lease?.isOwn === false", "lease !== undefined"]
  )
]

const historyMutants: ReadonlyArray<Mutant> = [
  storeMutant(
    "compaction is off by one where it is read",
    ["etcd", "[153]"],
    ["Txns.ts", "asked < (compacted === 0", "asked <= (compacted === 0"]
  ),
  storeMutant(
    "compaction takes a revision too many",
    ["etcd 19179", "I18 [156]"],
    ["Compaction.ts", "left > 0 && first < compacted; left--", "left > 0 && first <= compacted; left--"]
  ),
  storeMutant(
    "compaction is off by one where it is asked for",
    ["own", "I18 [153]"],
    ["Compaction.ts", "({ ...state, compacted: revision })", "({ ...state, compacted: revision - 1 })"]
  ),
  storeMutant(
    "a compaction that is done is done again",
    ["own", "[153]"],
    ["KvMachine.ts", "if (revision <= state.compacted) return", "if (revision < state.compacted) return"]
  ),
  storeMutant(
    "a revision that is to come is compacted",
    ["own", "[153]"],
    ["KvMachine.ts", "if (revision > state.revision) return", "if (revision > state.revision + 1) return"]
  ),
  storeMutant(
    "compaction forgets how a key went that went again",
    ["etcd 18089", "I22 [151]"],
    [
      "Compaction.ts",
      `change._tag === "Delete" && OrderedMap.get(deletions, change.key) === change`,
      `change._tag === "Delete"`
    ]
  ),
  storeMutant(
    "how much compaction does is up to the replica",
    ["etcd 17780, 18667", "I22"],
    ["Compaction.ts", "for (let left = limit; left > 0 &&", `for (let left = ${localClock} % 3; left > 0 &&`]
  ),
  storeMutant(
    "compaction ends in the middle of a revision",
    ["own", "I22"],
    ["Compaction.ts", "if (trimmed >= changes.length) {", "if (trimmed > 0 || changes.length === 0) {"]
  ),
  storeMutant(
    "a key that was made anew has no past",
    ["own", "[151]"],
    [
      "Writing.ts",
      "const deleted = known === undefined ? OrderedMap.get(writing.deletions, key) : undefined",
      "const deleted = undefined"
    ]
  ),
  storeMutant(
    "a key that was made anew is still called deleted",
    ["own", "[151]"],
    ["Writing.ts", "writing.deletions = OrderedMap.remove(writing.deletions, key, writing.owner)", "deleted.key"]
  ),
  storeMutant(
    "a deletion is not written down",
    ["etcd 18089", "I18"],
    ["Writing.ts", "  note(writing, change, earlier)\n", ""]
  ),
  storeMutant(
    "a past revision is read one too early",
    ["own", "[153]"],
    ["Ranging.ts", "one.modRevision > revision) one =", "one.modRevision >= revision) one ="]
  ),
  storeMutant(
    "versions of a history share what they must not",
    ["own", "I5"],
    [
      "History.ts",
      "history.tail.length === tailLength ? history.tail : history.tail.slice(0, tailLength)",
      "history.tail"
    ]
  ),
  storeMutant(
    "a range is in order of insertion",
    ["etcd's predecessors", "[151]"],
    [
      "Ranging.ts",
      "OrderedMap.walk(keys, from, to, (kv) => kvs.push(kv) < wanted)\n  return kvs",
      "OrderedMap.walk(keys, from, to, (kv) => kvs.push(kv) < wanted)\n  return kvs.sort((one, other) => one.createRevision - other.createRevision)"
    ]
  )
]

const revisionMutants: ReadonlyArray<Mutant> = [
  storeMutant(
    "what changes nothing takes a revision",
    ["own", "I14 [150]"],
    ["Writing.ts", "if (writing.changed === 0) return leases", "if (writing.changed < 0) return leases"]
  ),
  storeMutant(
    "a key that is put again is new",
    ["own", "[151]"],
    ["Writing.ts", "createRevision: known === undefined ? revision : known.createRevision", "createRevision: revision"]
  ),
  storeMutant(
    "each deletion takes a revision",
    ["own", "I14 [150]"],
    [
      "Writing.ts",
      "const revision = before.revision + 1\n  const changes",
      "const revision = before.revision + writing.changed\n  const changes"
    ]
  ),
  storeMutant(
    "nested transactions compare after writes",
    ["etcd", "I14 [150]"],
    [
      "Txns.ts",
      "return follow(writing, path!)",
      "return follow(writing, pathOf({ ...writing.before, keys: writing.keys }, operation))"
    ]
  ),
  storeMutant(
    "a comparison of a range holds if it holds for one key",
    ["own", "[150]"],
    ["Txns.ts", "return holdsForAll && !isTooMuch(writing)", "return !holdsForAll"]
  ),
  storeMutant(
    "a transaction that is refused has done its beginning",
    ["own", "I14 [150]"],
    [
      "Txns.ts",
      "return problemOf(writing.before, path) ?? follow(writing, path)",
      "const done = follow(writing, path)\n  return problemOf(writing.before, path) ?? done"
    ],
    [
      "KvMachine.ts",
      `if (typeof result === "string") return [state, rejected(state, result)]`,
      `if (typeof result === "string") return [Writing.finish(writing), rejected(state, result)]`
    ]
  ),
  storeMutant(
    "a transaction reads what is compacted",
    ["etcd 18667", "[150]"],
    ["Txns.ts", `operation._tag === "Range" ? unreadable(state, operation.revision) : undefined`, "undefined"]
  ),
  storeMutant(
    "operations of a transaction do not see each other",
    ["own", "[150]"],
    ["Txns.ts", "query.revision <= 0 ? Writing.view(writing) : writing.before", "writing.before"]
  ),
  storeMutant(
    "a value that is kept is emptied",
    ["own", "[150]"],
    [
      "Txns.ts",
      "(ignoreValue ? known?.value : undefined) ?? Writing.owned(command.value)",
      "Writing.owned(command.value)"
    ]
  )
]

const watchMutants: ReadonlyArray<Mutant> = [
  storeMutant(
    "a watch that resumes is off by one",
    ["etcd", "I18 [154]"],
    ["WatchHub.ts", "Math.max(1, watch.startRevision)", "watch.startRevision + 1"]
  ),
  storeMutant(
    "a watch that begins at the latest revision misses it",
    ["own", "I18 [153]"],
    ["WatchHub.ts", "from <= this.#lookedAt ? from : seenAll", "from < this.#lookedAt ? from : seenAll"]
  ),
  storeMutant(
    "progress is ahead of the events",
    ["etcd 15220", "I18 [156]"],
    ["WatchHub.ts", "over === undefined && next === seenAll && from", "over === undefined && from"]
  ),
  storeMutant(
    "a watch of the future has progress",
    ["etcd 20221", "I18 [153]"],
    ["WatchHub.ts", "next === seenAll && from <= this.#lookedAt + 1 ?", "next === seenAll && from >= 0 ?"]
  ),
  storeMutant(
    "a watch of the future is told what is before it",
    ["etcd 20221", "I18 [153]"],
    ["WatchHub.ts", "if (revision < cursor.from) return", "if (revision < 0) return"]
  ),
  storeMutant(
    "a watch at the revision of a compaction is over",
    ["etcd 19179", "I18 [156]"],
    ["WatchHub.ts", "cursor.next < kept)", "cursor.next <= kept)"]
  ),
  storeMutant(
    "what is compacted is passed over",
    ["etcd 18089", "I18 [153]"],
    [
      "WatchHub.ts",
      "let next = cursor.next === seenAll ?",
      "let next = cursor.next < kept ? kept : cursor.next === seenAll ?"
    ],
    ["WatchHub.ts", "if (cursor.next !== seenAll && cursor.next < kept)", "if (cursor.next < 0)"]
  ),
  storeMutant(
    "who has not taken everything has seen it",
    ["etcd 17529", "I18 [155]"],
    ["WatchHub.ts", "cursor.next = done ? seenAll : next", "cursor.next = seenAll"]
  ),
  storeMutant(
    "what is too large to be taken at once is left out",
    ["etcd 17529", "I18 [155]"],
    ["WatchHub.ts", "bytes + weight > maxBytes) break", "bytes + weight > maxBytes && next++) break"]
  ),
  storeMutant(
    "who has not taken everything is not told again",
    ["etcd 17529", "I18 [155]"],
    ["WatchHub.ts", "if (!done) this.#enqueue(cursor, isLeftOut ? this.#leftOut : this.#queue)", ""]
  ),
  storeMutant(
    "a watcher is told once and never again",
    ["own", "I18, I20 [155]"],
    ["WatchHub.ts", "      cursor.isQueued = false\n", ""]
  ),
  storeMutant(
    "a watch that was given everything is given it again",
    ["etcd 17247, 15271", "I18 [154]"],
    ["WatchHub.ts", "cursor.next = done ? seenAll : next", "cursor.next = done ? seenAll : next - 1"]
  ),
  storeMutant(
    "a snapshot that jumps over what was not looked at is not noticed",
    ["etcd", "I18 [154]"],
    ["WatchHub.ts", "cursor.next = Math.max(first, cursor.from)", "cursor.next = seenAll"]
  ),
  storeMutant(
    "a watch is told of changes by their kind, the wrong way round",
    ["own", "I18"],
    [
      "Watch.ts",
      `change._tag === "Put" ? !watch.noPut : !watch.noDelete`,
      `change._tag === "Put" ? !watch.noDelete : !watch.noPut`
    ]
  ),
  storeMutant(
    "a watch of a range includes its end",
    ["own", "I18"],
    ["Watch.ts", "candidate < rangeEnd)", "candidate <= rangeEnd)"]
  ),
  storeMutant(
    "a revision is told as a whole if it has anything",
    ["own", "I18"],
    [
      "Watch.ts",
      "if (some.length === changes.length && some.length > 0) return record",
      "if (some.length > 0) return record"
    ]
  ),
  storeMutant(
    "what was there before is what is there now",
    ["own", "I18"],
    [
      "Watch.ts",
      "revisionOf(change) > compacted ? change.prev : undefined",
      `revisionOf(change) > compacted && change._tag === "Put" ? change.kv : undefined`
    ]
  )
]

export const storeMutants: ReadonlyArray<Mutant> = [
  ...leaseMutants,
  ...nameMutants,
  ...historyMutants,
  ...revisionMutants,
  ...watchMutants
]
