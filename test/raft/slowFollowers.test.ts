/** What takes several replicas to see of snapshots: who is far behind arrives, whatever happens on the way. */
import { describe, expect, test } from "vitest"
import type { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { Options } from "../../src/raft/Options.ts"
import { type Leader, makeRaft } from "./builders.ts"
import { Cluster } from "./cluster.ts"

const clusterOf = (
  size: number,
  { seed = 1, ...options }: Partial<Options> & { readonly seed?: number } = {}
): Cluster =>
  new Cluster(size, {
    seed,
    raft: makeRaft({ snapshotLogEntries: 10, snapshotChunkBytes: 100, snapshotRetryMillis: 50, ...options })
  })
const others = (cluster: Cluster, id: ReplicaId): ReadonlyArray<ReplicaId> =>
  cluster.ids.filter((other) => other !== id)

let sequence = 0
/** So many commands, a few milliseconds apart. */
const write = (cluster: Cluster, count: number, id = cluster.leader()!.id): void => {
  for (let at = 0; at < count; at++) {
    sequence++
    cluster.submit(id, sequence, `c${sequence}`)
    cluster.run(4)
  }
}
/** A cluster in which one has missed so much that the log does not go back to it. */
const withOneBehind = (options: Parameters<typeof clusterOf>[1] = {}) => {
  const cluster = clusterOf(3, options)
  const { id } = cluster.elect()
  const behind = others(cluster, id)[0]!
  cluster.crash(behind)
  write(cluster, 60, id)
  cluster.run(500)
  expect((cluster.leader() as Leader).stateMachine.log.base.index).toBeGreaterThan(20)
  return { cluster, id, behind }
}
const expectSame = (cluster: Cluster): void => {
  const { stateMachine } = cluster.leader()!
  for (const id of cluster.ids) {
    const own = cluster.state(id)
    expect(own.stateMachine.lastApplied).toBe(stateMachine.lastApplied)
    // [115] And the watermarks, and the chain.
    expect(own.stateMachine).toMatchObject({
      value: cluster.canon,
      hash: stateMachine.hash,
      applied: stateMachine.applied
    })
  }
}
const chunks = (cluster: Cluster, of: ReplicaId): { count: number; bytes: number } => {
  const seen = { count: 0, bytes: 0 }
  const { passes } = cluster
  cluster.passes = (from, to, message) => {
    if (to === of && message._tag === "InstallSnapshot" && message.bytes.length > 0) {
      seen.count++
      seen.bytes += message.bytes.length
    }
    return passes(from, to, message)
  }
  return seen
}

describe("F, snapshots", () => {
  test("[97] logs stay short, however much is written", () => {
    const cluster = clusterOf(3)
    cluster.elect()
    write(cluster, 200)
    cluster.run(500)
    for (const id of cluster.ids) {
      const { log } = cluster.state(id).stateMachine
      expect(log.length).toBeLessThanOrEqual(30)
      expect(cluster.member(id).disk.log.length).toBe(log.length)
      expect(cluster.member(id).disk.snapshots.length).toBeLessThanOrEqual(2)
    }
    expectSame(cluster)
  })

  test("[98] [101] [115] one that was away comes back by snapshot, and follows", () => {
    const { cluster, behind } = withOneBehind()
    cluster.start(behind)
    cluster.run(1_000)
    expect(cluster.installed).toBe(1)
    expectSame(cluster)
    write(cluster, 3)
    cluster.run(200)
    expectSame(cluster)
    expect(cluster.installed).toBe(1)
  })

  test("[102] a transfer that was cut off goes on where it was", () => {
    const { cluster, behind } = withOneBehind({ snapshotChunkBytes: 20 })
    const seen = chunks(cluster, behind)
    const { passes } = cluster
    cluster.start(behind)
    while (seen.count < 10) cluster.run(5)
    cluster.passes = (from, to) => from !== behind && to !== behind
    cluster.run(2_000)
    cluster.passes = passes
    const counted = chunks(cluster, behind)
    cluster.run(2_000)
    expectSame(cluster)
    const { bytes } = cluster.state(behind).snapshots.latest!
    expect(counted.bytes).toBeLessThanOrEqual(bytes - 9 * 20)
  })

  test("[102] loss, doubling and disorder among the chunks: what arrives is what was sent", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { cluster, behind } = withOneBehind({ seed, snapshotChunkBytes: 50 })
      cluster.faults = { lost: 20, doubled: 20, late: 10 }
      cluster.start(behind)
      cluster.run(3_000)
      cluster.faults = { lost: 0, doubled: 0, late: 0 }
      cluster.run(5_000)
      cluster.elect()
      cluster.run(500)
      expect(cluster.installed).toBeGreaterThan(0)
      expectSame(cluster)
    }
  })

  test("[103] [109] the leader goes away in the middle: the next one sends its own", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { cluster, id, behind } = withOneBehind({ seed, snapshotChunkBytes: 20 })
      const seen = chunks(cluster, behind)
      cluster.start(behind)
      while (seen.count < 5) cluster.run(5)
      const third = others(cluster, id).find((other) => other !== behind)!
      cluster.crash(id)
      // A majority of one that is far behind and one that has everything: only that one can win.
      cluster.run(3_000)
      expect(cluster.elect().id).toBe(third)
      cluster.run(3_000)
      cluster.start(id)
      cluster.run(2_000)
      expectSame(cluster)
      expect(cluster.installed).toBeGreaterThan(0)
    }
  })

  test("[113] meanwhile the leader leads, and writes are committed", () => {
    const { cluster, id, behind } = withOneBehind({ snapshotChunkBytes: 5 })
    const { currentTerm } = cluster.leader()!
    cluster.diskMillis = 20
    const seen = chunks(cluster, behind)
    cluster.start(behind)
    const before = cluster.canon.length
    write(cluster, 50, id)
    expect(cluster.canon.length).toBeGreaterThanOrEqual(before + 49)
    expect(cluster.installed).toBe(0)
    expect(seen.count).toBeGreaterThan(5)
    expect(cluster.leader()).toMatchObject({ id, currentTerm })
    expect(cluster.state(behind)).toMatchObject({ _tag: "Follower", leader: id, currentTerm })
  })

  test("[112] one that is slower than snapshots are taken arrives all the same", () => {
    const { cluster, id, behind } = withOneBehind({
      snapshotChunkBytes: 60,
      maxInflightAppends: 2,
      maxAppendEntries: 5
    })
    cluster.diskMillis = 30
    cluster.start(behind)
    const began = cluster.taken
    for (let turn = 0; turn < 100 && cluster.state(behind).stateMachine.lastApplied === 0; turn++) write(cluster, 5, id)
    expect(cluster.taken - began).toBeGreaterThan(6)
    expect(cluster.installed).toBe(1)
    // From there it needs no other: the log was kept for it.
    for (let turn = 0; turn < 20; turn++) write(cluster, 5, id)
    cluster.run(500)
    expect(cluster.installed).toBe(1)
    expectSame(cluster)
  })

  test("[112] even when it was restarted on the way", () => {
    const { cluster, id, behind } = withOneBehind({ snapshotChunkBytes: 60 })
    cluster.diskMillis = 30
    const seen = chunks(cluster, behind)
    cluster.start(behind)
    while (seen.count < 5) write(cluster, 1, id)
    cluster.crash(behind)
    cluster.start(behind)
    for (let turn = 0; turn < 200 && cluster.state(behind).stateMachine.lastApplied === 0; turn++) write(cluster, 5, id)
    expect(cluster.installed).toBe(1)
  })

  test("[110] for one that never comes back the log is not kept for ever", () => {
    const { cluster, id, behind } = withOneBehind({ snapshotPatienceMillis: 1_000, snapshotChunkBytes: 20 })
    const seen = chunks(cluster, behind)
    cluster.start(behind)
    while (seen.count < 5) cluster.run(5)
    cluster.crash(behind)
    write(cluster, 100, id)
    cluster.run(2_000)
    write(cluster, 100, id)
    expect((cluster.state(id) as Leader).stateMachine.log.length).toBeLessThan(40)
  })

  test("[105] a snapshot whose file is gone is replaced by another, and whoever waits for it gets that", () => {
    const { cluster, id, behind } = withOneBehind({ snapshotChunkBytes: 20 })
    const seen = chunks(cluster, behind)
    cluster.start(behind)
    while (seen.count < 3) cluster.run(5)
    const { disk } = cluster.member(id)
    disk.damage(cluster.state(id).snapshots.latest!)
    cluster.run(3_000)
    expectSame(cluster)
  })

  test("[116] all crash after a snapshot, and start from it", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const cluster = clusterOf(3, { seed })
      cluster.elect()
      write(cluster, 47)
      cluster.run(200)
      const before = cluster.canon.length
      for (const id of cluster.ids) cluster.crash(id)
      for (const id of cluster.ids) {
        cluster.start(id)
        expect(cluster.state(id).stateMachine.lastApplied).toBeGreaterThanOrEqual(30)
      }
      cluster.elect()
      cluster.run(500)
      expect(cluster.canon.length).toBe(before)
      expectSame(cluster)
      write(cluster, 3)
      cluster.run(200)
      expect(cluster.canon.length).toBe(before + 3)
    }
  })

  test("[76] a restarted follower that has its disk is sent nothing again", () => {
    const cluster = clusterOf(3, { snapshotLogEntries: 1_000 })
    const { id } = cluster.elect()
    write(cluster, 30)
    cluster.run(200)
    const one = others(cluster, id)[0]!
    cluster.crash(one)
    let carried = 0
    cluster.passes = (_, to, message) => {
      if (to === one && message._tag === "AppendEntries") carried += message.entries.length
      return true
    }
    cluster.start(one)
    cluster.run(1_000)
    expect(carried).toBe(0)
    expect((cluster.leader() as Leader).progress.get(one)).toMatchObject({ _tag: "Replicate", incarnation: 2 })
    expectSame(cluster)
  })
})

describe("a replica that lost its disk", () => {
  test("is sent everything, and counts again when it has it", () => {
    for (const entries of [10, 1_000]) {
      const cluster = clusterOf(3, { snapshotLogEntries: entries })
      const { id } = cluster.elect()
      write(cluster, 45)
      cluster.run(300)
      const one = others(cluster, id)[0]!
      cluster.wipe(one)
      expect(cluster.state(one).admitted).toBe(false)
      cluster.run(2_000)
      expect(cluster.state(one).admitted).toBe(true)
      expect(cluster.member(one).disk.admitted).toBe(true)
      expect(cluster.installed).toBe(entries === 10 ? 1 : 0)
      expectSame(cluster)
    }
  })

  test("cannot help to elect one that lacks what it acknowledged", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const cluster = clusterOf(3, { seed, snapshotLogEntries: 1_000 })
      const { id } = cluster.elect()
      const [one, short] = others(cluster, id) as [ReplicaId, ReplicaId]
      write(cluster, 3)
      cluster.run(300)
      cluster.passes = (from, to) => from !== short && to !== short
      write(cluster, 3, id)
      cluster.run(50)
      const known = cluster.canon.length
      // All of it is on the leader and on the one that is lost; the other has less.
      cluster.crash(id)
      cluster.wipe(one)
      cluster.passes = () => true
      cluster.run(10_000)
      expect(cluster.leader()).toBe(undefined)
      cluster.start(id)
      cluster.elect()
      cluster.run(2_000)
      expect(cluster.canon.length).toBe(known)
      expect(cluster.state(one).admitted).toBe(true)
      expectSame(cluster)
    }
  })

  test("at the beginning a majority is enough, and who comes late is admitted when it has caught up", () => {
    const cluster = new Cluster(3)
    const late = cluster.ids[2]!
    cluster.crash(late)
    cluster.elect()
    write(cluster, 5)
    cluster.wipe(late)
    cluster.run(2_000)
    expect(cluster.ids.map((id) => cluster.member(id).disk.admitted)).toEqual([true, true, true])
    expectSame(cluster)
  })

  test("is not admitted while one that it may have promised something is away", () => {
    const cluster = new Cluster(3)
    const { id } = cluster.elect()
    const [one, away] = others(cluster, id) as [ReplicaId, ReplicaId]
    cluster.run(200)
    cluster.wipe(one)
    cluster.passes = (from, to) => !(from === away && to === one)
    write(cluster, 5)
    cluster.run(2_000)
    expect(cluster.state(one)).toMatchObject({
      admitted: false,
      stateMachine: { lastApplied: cluster.leader()!.stateMachine.lastApplied }
    })
    cluster.passes = () => true
    cluster.run(1_000)
    expect(cluster.state(one).admitted).toBe(true)
  })
})

describe("replicas that differ", () => {
  /** A bit of what it has applied changes. */
  const spoil = (cluster: Cluster, id: ReplicaId): void => {
    const member = cluster.member(id)
    const state = cluster.state(id)
    const { stateMachine } = state
    cluster.trusted.delete(id)
    member.state = { ...state, stateMachine: { ...stateMachine, hash: (stateMachine.hash ^ 1) >>> 0 } }
  }
  const stopped = (cluster: Cluster): ReadonlyArray<ReplicaId> =>
    cluster.ids.filter((id) => cluster.state(id).diverged !== undefined)

  test("a follower of three stops, and the others go on; its disk is replaced, and it serves again", () => {
    const cluster = new Cluster(3)
    const { id } = cluster.elect()
    const one = others(cluster, id)[0]!
    spoil(cluster, one)
    write(cluster, 3)
    cluster.run(500)
    expect(stopped(cluster)).toEqual([one])
    cluster.trusted.add(one)
    cluster.wipe(one)
    cluster.run(2_000)
    expect(stopped(cluster)).toEqual([])
    expectSame(cluster)
  })

  test("a leader of three stops, and another leads", () => {
    const cluster = new Cluster(3)
    const { id } = cluster.elect()
    spoil(cluster, id)
    write(cluster, 1, id)
    cluster.run(5_000)
    expect(stopped(cluster)).toEqual([id])
    expect(cluster.leader()!.id).not.toBe(id)
    write(cluster, 3)
    expect(stopped(cluster)).toEqual([id])
  })

  test("of two both stop, and nobody leads", () => {
    const cluster = new Cluster(2)
    const { id } = cluster.elect()
    spoil(cluster, others(cluster, id)[0]!)
    write(cluster, 1, id)
    cluster.run(5_000)
    expect(stopped(cluster)).toEqual(cluster.ids)
    expect(cluster.leader()).toBe(undefined)
  })

  test("with the third away the follower stops", () => {
    const cluster = new Cluster(3)
    const { id } = cluster.elect()
    const [one, away] = others(cluster, id) as [ReplicaId, ReplicaId]
    cluster.crash(away)
    spoil(cluster, one)
    write(cluster, 1, id)
    cluster.run(1_000)
    expect(cluster.state(one).diverged).toMatchObject({ index: expect.any(Number) })
    expect(cluster.state(id).diverged).toBe(undefined)
  })
})
