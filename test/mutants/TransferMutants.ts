/** Bugs in how a snapshot is sent, a chunk at a time, and in appends where the log begins later. */
import { type Mutant, mutant } from "./Mutant.ts"

export const transferMutants: ReadonlyArray<Mutant> = [
  mutant(
    "a chunk at a wrong place is stored",
    ["LogCabin: byteOffsetHigh", "I12 [102]"],
    ["Snapshotting.ts", "offset === known && bytes.length > 0", "bytes.length > 0"]
  ),
  mutant(
    "a chunk beyond the end is stored",
    ["own", "I21 [102]"],
    ["Snapshotting.ts", " && offset + bytes.length <= snapshot.bytes", ""]
  ),
  mutant(
    "an empty chunk is stored",
    ["own", "[102]"],
    ["Snapshotting.ts", "offset === known && bytes.length > 0 &&", "offset === known &&"]
  ),
  mutant(
    "a chunk is acknowledged and not stored",
    ["own", "I20 [102]"],
    ["Snapshotting.ts", `if (isNext) batch.said.push({ _tag: "StoreChunk", snapshot, offset, bytes })`, ""]
  ),
  mutant(
    "whatever comes is acknowledged",
    ["own", "I20 [102]"],
    ["Snapshotting.ts", "const held = isNext ? known + bytes.length : known", "const held = offset + bytes.length"]
  ),
  mutant(
    "chunks of another snapshot continue this one",
    ["rabbitmq/ra", "I12 [103] [109]"],
    [
      "Snapshotting.ts",
      "same(state.incoming.snapshot, snapshot) ? state.incoming.held",
      "state.id !== from ? state.incoming.held"
    ]
  ),
  mutant(
    "snapshots are told apart by their positions alone",
    ["own", "I12 [103]"],
    ["Snapshot.ts", " &&\n  one.bytes === other.bytes &&\n  one.checksum === other.checksum", ""]
  ),
  mutant(
    "a transfer begins anew when it is interrupted",
    ["own", "[102]"],
    [
      "ServerState.ts",
      "  incoming: state.incoming,\n",
      `  incoming: state._tag === "Follower" && state.leader !== undefined ? state.incoming : undefined,\n`
    ]
  ),
  mutant(
    "what was spoiled is not fetched again",
    ["own", "I20 [105]"],
    ["Snapshotting.ts", "? { ...state, incoming: undefined } : state", "? state : state"]
  ),
  mutant(
    "a chunk is no sign of life",
    ["own", "I20 [113]"],
    [
      "Snapshotting.ts",
      "return { ...follower, incoming: { snapshot, held } }",
      "return { ...state, incoming: { snapshot, held } }"
    ]
  ),
  mutant(
    "chunks of a second leader of the term are taken",
    ["own", "I1 [103]"],
    ["Snapshotting.ts", "if (hasAnotherLeader(state, from)) return state", `if (state._tag === "Leader") return state`]
  ),
  mutant(
    "chunks of an earlier term are taken",
    ["classic", "I1 [103]"],
    [
      "Receiving.ts",
      `send(batch, from, { _tag: "InstallSnapshotReply", term, snapshot: message.snapshot, held: 0 })\n      return state`,
      "return Snapshotting.onInstallSnapshot(core, state, { from, message, at }, batch)"
    ]
  ),
  mutant(
    "an answer about another snapshot counts",
    ["own", "I20 [109]"],
    ["Progress.ts", " || !Snapshots.same(progress.snapshot, snapshot)) return progress", ") return progress"]
  ),
  mutant("an answer beyond the end counts", ["own", "I8 [102]"], ["Progress.ts", "held > snapshot.bytes", "held < 0"]),
  mutant(
    "each answer asks for the next chunk",
    ["own", "I21 [102]"],
    ["Progress.ts", "held === progress.offset || held", "held"]
  ),
  mutant(
    "who is sent a snapshot is sent the entry at its end again",
    ["own", "[101]"],
    [
      "Progress.ts",
      "nextIndex: Index(Math.max(progress.matchIndex, snapshot.last.index) + 1)",
      "nextIndex: Index(Math.max(progress.matchIndex, snapshot.last.index))"
    ]
  ),
  mutant(
    "who is sent a snapshot misses the entry behind it",
    ["own", "[101]"],
    [
      "Progress.ts",
      "nextIndex: Index(Math.max(progress.matchIndex, snapshot.last.index) + 1)",
      "nextIndex: Index(Math.max(progress.matchIndex, snapshot.last.index) + 2)"
    ]
  ),
  mutant(
    "heartbeats stop while a snapshot is sent",
    ["etcd", "I20 [113]"],
    [
      "Replication.ts",
      "const silent = at >= progress.sentAt",
      `const silent = progress._tag !== "Snapshot" && at >= progress.sentAt`
    ]
  ),
  mutant(
    "a chunk takes the place of a heartbeat",
    ["own", "I20 [113]"],
    ["Snapshotting.ts", "length })\n  return sent", "length })\n  return { ...sent, sentAt: at }"]
  ),
  mutant(
    "a refused heartbeat ends a transfer",
    ["etcd", "I20 [110]"],
    ["Replication.ts", `if (progress._tag === "Snapshot") return progress`, ""]
  ),
  mutant(
    "only the snapshot's end ends a transfer",
    ["etcd: snapshot_succeed_via_app_resp", "[111]"],
    ["Progress.ts", "return match < base\n", "return match < progress.snapshot.last.index\n"]
  ),
  mutant(
    "any match ends a transfer",
    ["own", "I20 [111]"],
    ["Progress.ts", "return match < base\n", "return match < 0\n"]
  ),
  mutant(
    "a lost chunk is not sent again",
    ["own", "I20 [102]"],
    [
      "Snapshotting.ts",
      "if (askedAt !== undefined && at < askedAt + snapshotRetryMillis) return progress",
      "if (askedAt !== undefined) return progress"
    ]
  ),
  mutant(
    "a chunk is sent over and over",
    ["own", "I21 [110]"],
    ["Snapshotting.ts", "if (askedAt !== undefined && at < askedAt + snapshotRetryMillis) return progress", ""]
  ),
  mutant(
    "a leader sleeps while a chunk is lost",
    ["own", "I20 [102]"],
    [
      "Replica.ts",
      "deadline = Math.min(deadline, askedAt + options.snapshotRetryMillis)",
      "deadline = Math.min(deadline, askedAt + 60_000)"
    ]
  ),
  mutant(
    "who could not use a snapshot is sent it again at once",
    ["own", "I21 [105]"],
    ["Snapshotting.ts", "if (pausedUntil !== undefined && at < pausedUntil) return progress", ""]
  ),
  mutant(
    "who could not use a snapshot is sent it again at the same pace",
    ["own", "I21 [105]"],
    ["Progress.ts", "retryMillis * 2 ** Math.min(progress.failures, maxDoublings)", "retryMillis"]
  ),
  mutant(
    "a leader sleeps when a pause is over",
    ["own", "I20 [105]"],
    ["Replica.ts", "deadline = Math.min(deadline, pausedUntil)", "deadline = Math.min(deadline, pausedUntil + 60_000)"]
  ),
  mutant(
    "a snapshot that nobody can use is not suspected",
    ["own", "I20 [105]"],
    ["Snapshotting.ts", "return isSuspect ? onMissing(heard, snapshot) : heard", "return heard"]
  ),
  mutant(
    "nobody asks what became of a whole snapshot",
    ["own", "I20 [102]"],
    ["Snapshotting.ts", "if (isWhole) send(batch, peer,", "if (isWhole) (() => {})(batch, peer,"]
  ),
  mutant(
    "who has got all is asked at once",
    ["own", "[102]"],
    ["Snapshotting.ts", "if (isWhole && askedAt === undefined) return { ...progress, askedAt: at }", ""]
  ),
  mutant(
    "the last chunk is as long as the others",
    ["own", "I21 [102]"],
    ["Snapshotting.ts", "sent.chunkBytes, snapshot.bytes - offset)", "sent.chunkBytes)"]
  ),
  mutant(
    "an append from before the base is refused",
    ["own", "I20 [97]"],
    ["Replication.ts", "const { prev, entries } = afterBase(log, message)", "const { prev, entries } = message"]
  ),
  mutant(
    "an append from before the base is taken from its beginning",
    ["own", "I3 [97]"],
    ["Replication.ts", "entries: entries.slice(base.index - prev.index)", "entries"]
  ),
  mutant(
    "a leader asks again about what it has dropped",
    ["own", "I20 [98]"],
    [
      "Replication.ts",
      "Math.min(Logs.lastAtMost(log, result.hint).index, result.hint.index)",
      "Logs.lastAtMost(log, result.hint).index"
    ]
  ),
  mutant(
    "who needs the entry at the base is not sent a snapshot",
    ["own", "I20 [98]"],
    ["Replication.ts", "if (progress.nextIndex <= log.base.index &&", "if (progress.nextIndex < log.base.index &&"]
  ),
  mutant(
    "who needs what follows the base is sent a snapshot",
    ["own", "[98]"],
    [
      "Replication.ts",
      "if (progress.nextIndex <= log.base.index &&",
      "if (progress.nextIndex <= log.base.index + 1 && log.base.index > 0 &&"
    ]
  )
]
