/** What takes several replicas to see: elections under bad networks, old leaders that come back, long divergence. */
import { describe, expect, test } from "vitest"
import * as Logs from "../../src/raft/Log.ts"
import { type ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import { A, B, C, D, E, entries, type Leader, makeRaft, type ServerState, terms } from "./builders.ts"
import { Cluster } from "./cluster.ts"

const roles = (cluster: Cluster): ReadonlyArray<ServerState["_tag"]> => cluster.ids.map((id) => cluster.state(id)._tag)
const without =
  (...cut: ReadonlyArray<ReplicaId>) =>
  (from: ReplicaId, to: ReplicaId) =>
    !cut.includes(from) && !cut.includes(to)
const within =
  (...sides: ReadonlyArray<ReadonlyArray<ReplicaId>>) =>
  (from: ReplicaId, to: ReplicaId) =>
    sides.some((side) => side.includes(from) && side.includes(to))

/** Gives the replicas these logs, and starts them anew. */
const withLogs = (logs: Readonly<Record<string, ReadonlyArray<number>>>, options = {}): Cluster => {
  const cluster = new Cluster(Object.keys(logs).length, { raft: makeRaft(options) })
  for (const id of cluster.ids) {
    const { disk } = cluster.member(id)
    disk.log = Logs.of(entries(...logs[id]!))
    disk.admitted = true
    disk.hardState = { currentTerm: Term(logs[id]!.at(-1) ?? 0), votedFor: undefined }
    cluster.start(id)
  }
  return cluster
}
/** All of them have been in this term, whatever their logs say. */
const enter = (cluster: Cluster, term: number): void => {
  for (const id of cluster.ids) {
    cluster.member(id).disk.hardState = { currentTerm: Term(term), votedFor: undefined }
    cluster.start(id)
  }
}
const expectEqualLogs = (cluster: Cluster): void => {
  const { log } = cluster.elect().stateMachine
  cluster.run(1_000)
  for (const id of cluster.ids) {
    expect(terms(cluster.state(id))).toEqual(Logs.slice(log, entries(1)[0]!.index, log.length).map(({ term }) => term))
    expect(cluster.state(id).stateMachine.lastApplied).toBe(Logs.lastIndex(log))
  }
}

describe("A, elections", () => {
  for (let size = 1; size <= 7; size++) {
    test(`[4] [5] [13] ${size} replicas elect one leader within seconds, and keep it`, () => {
      const cluster = new Cluster(size, { seed: size })
      const { id, currentTerm } = cluster.elect()
      cluster.run(10_000)
      expect(cluster.leader()).toMatchObject({ id, currentTerm })
      expect(roles(cluster).filter((tag) => tag === "Leader")).toHaveLength(1)
    })
  }

  test("[4] a minority elects nobody", () => {
    const cluster = new Cluster(5)
    cluster.passes = within([A, B])
    cluster.run(10_000)
    expect(cluster.leader()).toBe(undefined)
    expect([cluster.state(A).currentTerm, cluster.state(B).currentTerm]).toEqual([0, 0])
  })

  test("[21] an election that needs the newer log on a minority overwrites it where it was never committed", () => {
    const cluster = withLogs({ A: [1], B: [1], C: [1, 2, 2] })
    enter(cluster, 2)
    cluster.passes = without(C)
    cluster.elect()
    cluster.submit(A, 1, "x")
    cluster.run(500)
    cluster.passes = () => true
    expectEqualLogs(cluster)
    expect(cluster.canon).toEqual(["1.1", "x"])
  })

  test("[6] two of four that split the votes come to a leader", () => {
    for (let seed = 1; seed <= 20; seed++) expect(new Cluster(4, { seed }).elect()._tag).toBe("Leader")
  })
})

describe("B, disruption", () => {
  test("[25] a replica that was cut off comes back in its old term and deposes nobody", () => {
    const cluster = new Cluster(3)
    const { id, currentTerm } = cluster.elect()
    const cut = cluster.ids.find((other) => other !== id)!
    cluster.passes = without(cut)
    cluster.run(20_000)
    expect(cluster.state(cut)).toMatchObject({ currentTerm, quorumLost: true })
    cluster.passes = () => true
    cluster.run(3_000)
    expect(cluster.leader()).toMatchObject({ id, currentTerm })
    expect(cluster.state(cut)).toMatchObject({ _tag: "Follower", leader: id })
  })

  test("[32] [60] a leader that is cut off steps down, and its tail is dropped when it comes back", () => {
    const cluster = new Cluster(5)
    const { id } = cluster.elect()
    cluster.passes = without(id)
    cluster.submit(id, 1, "lost")
    cluster.run(600)
    expect(cluster.state(id)).toMatchObject({ _tag: "Follower", quorumLost: true })
    cluster.run(3_000)
    const next = cluster.elect()
    expect(next.id).not.toBe(id)
    cluster.submit(next.id, 1, "kept")
    cluster.run(500)
    cluster.member(id).waiting.clear()
    cluster.passes = () => true
    expectEqualLogs(cluster)
    expect(cluster.canon).toEqual(["kept"])
  })

  test("[34] a leader that can only receive steps down, and another is elected", () => {
    const cluster = new Cluster(3)
    const { id } = cluster.elect()
    cluster.passes = (from) => from !== id
    cluster.run(3_000)
    expect(cluster.state(id)._tag).not.toBe("Leader")
    expect(cluster.leader()).toBeDefined()
  })

  test("[35] a leader that can only send steps down, and another is elected", () => {
    const cluster = new Cluster(3)
    const { id } = cluster.elect()
    cluster.passes = (_, to) => to !== id
    cluster.run(4_000)
    expect(cluster.state(id)._tag).not.toBe("Leader")
    expect(cluster.leader()).toBeDefined()
  })

  test("[36] five replicas of which one sees all and the others not each other keep a leader", () => {
    const cluster = new Cluster(5)
    cluster.passes = (from, to) => from === C || to === C
    cluster.run(10_000)
    const { id, currentTerm } = cluster.elect()
    expect(id).toBe(C)
    cluster.run(20_000)
    expect(cluster.leader()).toMatchObject({ id, currentTerm })
  })

  test("[36] a leader and a peer that lost sight of each other: the others stay with the leader", () => {
    const cluster = new Cluster(5)
    const { id, currentTerm } = cluster.elect()
    const other = cluster.ids.find((one) => one !== id)!
    cluster.passes = (from, to) => !([from, to].includes(id) && [from, to].includes(other))
    cluster.run(20_000)
    expect(cluster.leader()).toMatchObject({ id, currentTerm })
  })
})

describe("C, repair", () => {
  // Figure 7: the leader of term 8, and what its followers may look like.
  const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
  const figure7 = {
    a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 1, 4],
    c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 1, 4, 4, 4, 4],
    f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]
  }
  for (const [name, log] of Object.entries(figure7)) {
    test(`[44] Figure 7 (${name}) is repaired`, () => {
      const cluster = withLogs({ A: leaderLog, B: leaderLog, C: log })
      enter(cluster, 7)
      cluster.passes = without(C)
      const { id } = cluster.elect()
      cluster.passes = () => true
      cluster.run(2_000)
      expect(cluster.leader()?.id).toBe(id)
      expectEqualLogs(cluster)
    })
  }

  test("[45] [61] a long divergence takes a few messages for each term, not for each entry", () => {
    const common = Array.from({ length: 50 }, () => 1)
    const stale = [...common, ...Array.from({ length: 400 }, (_, at) => 2 + 2 * Math.floor(at / 200))]
    const good = [...common, ...Array.from({ length: 500 }, (_, at) => 3 + 2 * Math.floor(at / 250))]
    const cluster = withLogs({ A: good, B: good, C: stale })
    cluster.passes = without(C)
    const { id } = cluster.elect()
    cluster.run(200)
    let refusals = 0
    cluster.passes = (from, to, message) => {
      if (from === C && "result" in message && message.result._tag === "Conflict") refusals++
      return [from, to].includes(id)
    }
    expectEqualLogs(cluster)
    expect(refusals).toBeLessThanOrEqual(8)
  })

  test("[46] [55] [62] loss and disorder in the middle of a stream: everything arrives, in order", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const raft = makeRaft({ maxAppendEntries: 2, maxInflightAppends: 4 })
      const cluster = new Cluster(3, { seed, raft })
      const { id } = cluster.elect()
      cluster.faults = { lost: 20, doubled: 20, late: 20 }
      for (let sequence = 1; sequence <= 100; sequence++) {
        if (cluster.state(id)._tag !== "Leader") break
        cluster.submit(id, sequence, `c${sequence}`)
        if (sequence % 5 === 0) cluster.run(20)
      }
      cluster.faults = { lost: 0, doubled: 0, late: 0 }
      cluster.run(5_000)
      expectEqualLogs(cluster)
    }
  })

  test("[39] [54] in the quiet case each entry is sent to each follower once", () => {
    const cluster = new Cluster(3)
    const { id } = cluster.elect()
    cluster.run(1_000)
    let carried = 0
    cluster.passes = (_, __, message) => {
      if (message._tag === "AppendEntries") carried += message.entries.length
      return true
    }
    for (let sequence = 1; sequence <= 50; sequence++) {
      cluster.submit(id, sequence, `c${sequence}`)
      cluster.run(sequence % 3)
    }
    cluster.run(1_000)
    expect(carried).toBe(100)
    expect(cluster.canon).toHaveLength(50)
  })
})

describe("D, commitment", () => {
  test("[66] Figure 8: an old entry on a majority is lost again, and nobody was told otherwise", () => {
    const cluster = withLogs({ A: [1, 2], B: [1, 2], C: [1], D: [1], E: [1, 3] }, { maxAppendEntries: 1 })
    enter(cluster, 3)
    // (c): A leads term 4 and brings its entry of term 2 to a majority; nothing of term 4 arrives.
    let passed = 0
    cluster.passes = (from, to, message) => {
      if (!within([A, B, C])(from, to)) return false
      const carried = "entries" in message ? message.entries : []
      if (carried.some(({ term }) => term === 2)) passed++
      return carried.every(({ term }) => term <= 3)
    }
    cluster.run(1_500)
    expect(terms(cluster.state(C))).toEqual([1, 2])
    expect(passed).toBeGreaterThan(0)
    expect(cluster.canon).toEqual([])
    // (d): E wins with the votes of C and D, and overwrites it.
    cluster.passes = within([C, D, E])
    cluster.run(5_000)
    expect(cluster.canon).toEqual(["1.1", "2.3"])
    cluster.passes = () => true
    expectEqualLogs(cluster)
  })

  test("[75] [116] what is committed outlives any minority, and a crash of all", () => {
    for (const lost of [
      [A, B],
      [B, C],
      [C, D],
      [D, E],
      [A, E]
    ]) {
      const cluster = new Cluster(5, { seed: 3 })
      const { id } = cluster.elect()
      cluster.submit(id, 1, "x")
      cluster.run(20)
      expect(cluster.canon).toEqual(["x"])
      for (const one of cluster.ids) cluster.crash(one)
      for (const one of cluster.ids) if (!lost.includes(one)) cluster.start(one)
      cluster.elect()
      expect((cluster.leader() as Leader).stateMachine.value).toEqual(["x"])
    }
  })
})
