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
      "const expired = lease !== undefined && lease.expiresAt <= writing.time",
      "const expired = lease !== undefined"
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
    ["Writing.ts", "if (prev.lease !== 0n) writing.leases", "if (prev.lease < 0n) writing.leases"]
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

const historyMutants: ReadonlyArray<Mutant> = [
  storeMutant(
    "compaction is off by one where it is read",
    ["etcd", "[153]"],
    ["Txns.ts", "asked > 0 && asked < compacted", "asked > 0 && asked <= compacted"]
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
      "const deleted = prev === undefined ? OrderedMap.get(writing.deletions, key) : undefined",
      "const deleted = undefined"
    ]
  ),
  storeMutant(
    "a key that was made anew is still called deleted",
    ["own", "[151]"],
    ["Writing.ts", "if (deleted !== undefined) writing.deletions", "if (deleted === null) writing.deletions"]
  ),
  storeMutant(
    "a deletion is not written down",
    ["etcd 18089", "I18"],
    [
      "Writing.ts",
      "  writing.changes.push(change)\n  writing.liveBytes -= weighPair(prev)",
      "  writing.liveBytes -= weighPair(prev)"
    ]
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
    ["Writing.ts", "if (changes.length === 0) return leases", "if (changes.length < 0) return leases"]
  ),
  storeMutant(
    "a key that is put again is new",
    ["own", "[151]"],
    ["Writing.ts", "createRevision: prev === undefined ? revision : prev.createRevision", "createRevision: revision"]
  ),
  storeMutant(
    "each deletion takes a revision",
    ["own", "I14 [150]"],
    [
      "Writing.ts",
      "const revision = before.revision + 1\n  const history",
      "const revision = before.revision + changes.length\n  const history"
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
    ["Txns.ts", "return holdsForAll\n  })", "return !holdsForAll\n  })"]
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
    ["Txns.ts", "return unreadable(state, operation.revision)", "return undefined"]
  ),
  storeMutant(
    "operations of a transaction do not see each other",
    ["own", "[150]"],
    ["Txns.ts", "return Ranging.range(Writing.view(writing), query)", "return Ranging.range(writing.before, query)"]
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

export const storeMutants: ReadonlyArray<Mutant> = [...leaseMutants, ...historyMutants, ...revisionMutants]
