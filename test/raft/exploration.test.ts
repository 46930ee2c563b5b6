/**
 * Whole clusters under loss, doubling, reordering, partitions, crashes at any point of the
 * effects, lost and damaged disks, from a seed; with snapshots every few entries, so that they are taken,
 * sent, installed and started from all the time. Short: what runs for hours is the simulator's.
 */
import { describe, expect, test } from "vitest"
import type { MemberChange } from "../../src/raft/Amendment.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import * as Logs from "../../src/raft/Log.ts"
import type { ReplicaId } from "../../src/raft/LogEntry.ts"
import { makeRaft } from "./builders.ts"
import { Cluster } from "./cluster.ts"

const explore = (size: number, seed: number): Cluster => {
  const raft = makeRaft({
    maxAppendEntries: 3,
    maxInflightAppends: 3,
    readRetryMillis: 60,
    maxReadRounds: 2,
    snapshotLogEntries: 5,
    snapshotChunkBytes: 60,
    snapshotRetryMillis: 70,
    snapshotPatienceMillis: 700
  })
  const cluster = new Cluster(size, { seed, raft })
  cluster.diskMillis = 1 + cluster.draw(60)
  const failing = cluster.draw(2) === 0 ? 0 : cluster.draw(15)
  cluster.faults = { lost: cluster.draw(15), doubled: cluster.draw(15), late: cluster.draw(10), failing }
  let sequence = 0
  const anybody = (): ReplicaId => cluster.ids[cluster.draw(size)]!
  const living = (): ReplicaId | undefined => cluster.ids.filter((id) => cluster.member(id).state)[cluster.draw(size)]
  cluster.tear = () => (cluster.draw(400) === 0 ? cluster.draw(4) : undefined)
  for (let turn = 0; turn < 120; turn++) {
    const id = living()
    const choice = cluster.draw(22)
    if (choice < 7 && id !== undefined) cluster.submit(id, ++sequence, `c${sequence}`)
    else if (choice < 12 && id !== undefined) cluster.query(id, ++sequence)
    else if (choice === 12) {
      const cut = anybody()
      cluster.passes = (from, to) => from !== cut && to !== cut
    } else if (choice === 13) {
      const [from, to] = [anybody(), anybody()]
      cluster.passes = (one, other) => one !== from || other !== to
    } else if (choice === 14) cluster.passes = () => true
    else if (choice === 15 && id !== undefined) cluster.crash(id)
    else if (choice === 16 && id !== undefined) loseDisk(cluster, id)
    else if (choice === 17) damage(cluster, anybody())
    else for (const each of cluster.ids) if (!cluster.member(each).state && cluster.draw(2) === 0) cluster.start(each)
    cluster.run(cluster.draw(120))
  }
  return cluster
}

/**
 * Only where all others have their own, and have caught up: more than one that is lost at a time is
 * more than what a majority protects.
 */
const loseDisk = (cluster: Cluster, id: ReplicaId): void => {
  const isWhole = (other: ReplicaId): boolean => {
    const { disk } = cluster.member(other)
    return disk.admitted === true && Logs.lastIndex(disk.log) > 0
  }
  if (cluster.ids.length > 2 && cluster.ids.every((other) => other === id || isWhole(other))) cluster.wipe(id)
}

/** The newest snapshot cannot be read any more, while there is another. */
const damage = (cluster: Cluster, id: ReplicaId): void => {
  const { disk } = cluster.member(id)
  const [latest, previous] = disk.snapshots
  if (latest !== undefined && previous !== undefined) disk.damage(latest)
}

/** [20], [159]: the faults stop, and everything that waits is decided. */
const expectRecovery = (cluster: Cluster): void => {
  cluster.faults = { lost: 0, doubled: 0, late: 0, failing: 0 }
  cluster.tear = undefined
  cluster.passes = () => true
  for (const id of cluster.ids) if (!cluster.member(id).state) cluster.start(id)
  cluster.run(5_000)
  const leader = cluster.elect()
  cluster.submit(leader.id, 1_000_000, "end")
  cluster.query(cluster.ids[0]!, 1_000_001)
  cluster.run(2_000)
  for (const id of cluster.ids) {
    const state = cluster.state(id)
    expect(state.stateMachine.value).toEqual(cluster.canon)
    expect(state.reads.waiting).toBe(0)
    expect(state.admitted).toBe(true)
  }
  expect(cluster.canon.at(-1)).toBe("end")
  expect(new Set(cluster.canon).size).toBe(cluster.canon.length)
}

describe("[23] [157] [159] clusters under faults keep their promises and recover", () => {
  for (const size of [1, 2, 3, 4, 5]) {
    const runs = Number(process.env["BALSA_RUNS"] ?? 25)
    test(`${size} replicas`, { timeout: 60_000 + runs * 1_000 }, () => {
      const first = Number(process.env["BALSA_SEED"] ?? 1)
      let [taken, installed] = [0, 0]
      for (let seed = first; seed < first + runs; seed++) {
        try {
          const cluster = explore(size, seed)
          expectRecovery(cluster)
          taken += cluster.taken
          installed += cluster.installed
        } catch (error) {
          throw new Error(`BALSA_SEED=${seed} BALSA_RUNS=1, ${size} replicas: ${(error as Error).message}`, {
            cause: error
          })
        }
      }
      if (runs < 10) return
      expect(taken).toBeGreaterThan(5 * runs)
      if (size > 2) expect(installed).toBeGreaterThan(runs)
    })
  }
})

/** Members come and go, and the leadership with them, under the same faults but for lost and damaged disks: a sole voter's is the cluster's. */
const change = (size: number, seed: number): Cluster => {
  const raft = makeRaft({
    maxAppendEntries: 3,
    maxInflightAppends: 3,
    readRetryMillis: 60,
    snapshotLogEntries: 8,
    snapshotChunkBytes: 90,
    snapshotRetryMillis: 70,
    snapshotPatienceMillis: 700,
    heartbeatBesideBytes: seed % 3 === 0 ? 0 : 64 * 1024,
    leaseReads: seed % 2 === 0,
    maxClockDrift: 0
  })
  const cluster = new Cluster(size, { seed, raft, founders: 1 + (seed % size) })
  cluster.diskMillis = 1 + cluster.draw(60)
  cluster.faults = { lost: cluster.draw(15), doubled: cluster.draw(15), late: cluster.draw(10) }
  let sequence = 0
  const anybody = (): ReplicaId => cluster.ids[cluster.draw(size)]!
  const living = (): ReplicaId | undefined => cluster.ids.filter((id) => cluster.member(id).state)[cluster.draw(size)]
  cluster.tear = () => (cluster.draw(400) === 0 ? cluster.draw(4) : undefined)
  for (let turn = 0; turn < 150; turn++) {
    const id = living()
    const choice = cluster.draw(24)
    if (id === undefined || choice >= 18) {
      for (const each of cluster.ids) if (!cluster.member(each).state && cluster.draw(2) === 0) cluster.start(each)
    } else if (choice < 5) cluster.submit(id, ++sequence, `c${sequence}`)
    else if (choice < 8) cluster.query(id, ++sequence)
    else if (choice < 13) {
      const changes = Array.from({ length: 1 + cluster.draw(2) }, () => anyChange(cluster, anybody()))
      cluster.amend(id, ++sequence, { _tag: "Members", changes, autoLeave: true, force: false })
    } else if (choice === 13) cluster.transfer(id, cluster.draw(2) === 0 ? anybody() : undefined)
    else if (choice === 14) {
      const cut = anybody()
      cluster.passes = (from, to) => from !== cut && to !== cut
    } else if (choice === 15) cluster.passes = () => true
    else cluster.crash(id)
    cluster.run(cluster.draw(150))
  }
  return cluster
}

const anyChange = (cluster: Cluster, id: ReplicaId): MemberChange => {
  switch (cluster.draw(5)) {
    case 0:
      return { _tag: "Remove", id }
    case 1:
      return { _tag: "Demote", id }
    case 2:
      return { _tag: "Promote", id }
    default:
      return { _tag: "Add", id, address: undefined, promote: cluster.draw(3) > 0 }
  }
}

/** Whoever is a member in the end has caught up; whoever is to vote does; and no change is left half done. */
const expectMembers = (cluster: Cluster): number => {
  cluster.faults = { lost: 0, doubled: 0, late: 0 }
  cluster.tear = undefined
  cluster.passes = () => true
  for (const id of cluster.ids) if (!cluster.member(id).state) cluster.start(id)
  cluster.run(8_000)
  const leader = cluster.elect()
  cluster.submit(leader.id, 1_000_000, "end")
  cluster.run(3_000)
  const { configuration } = cluster.leader()!
  expect(Configurations.isJoint(configuration)).toBe(false)
  expect(configuration.learners.filter(({ promote }) => promote)).toEqual([])
  for (const id of Configurations.members(configuration)) {
    const state = cluster.state(id)
    expect(state.stateMachine.value).toEqual(cluster.canon)
    expect(state.configuration).toEqual(configuration)
    expect(state.admitted).toBe(true)
  }
  expect(cluster.canon.at(-1)).toBe("end")
  expect(new Set(cluster.canon).size).toBe(cluster.canon.length)
  return cluster.told.filter(({ outcome }) => outcome === "Amended").length
}

describe("[124] [127] [130] [157] members that change under faults", () => {
  for (const size of [2, 3, 5]) {
    const runs = Number(process.env["BALSA_RUNS"] ?? 25)
    test(`of ${size} replicas`, { timeout: 60_000 + runs * 1_000 }, () => {
      const first = Number(process.env["BALSA_SEED"] ?? 1)
      let amended = 0
      for (let seed = first; seed < first + runs; seed++) {
        try {
          amended += expectMembers(change(size, seed))
        } catch (error) {
          const message = `BALSA_SEED=${seed} BALSA_RUNS=1, of ${size} replicas: ${(error as Error).message}`
          throw new Error(message, { cause: error })
        }
      }
      if (runs >= 10) expect(amended).toBeGreaterThan(3 * runs)
    })
  }
})
