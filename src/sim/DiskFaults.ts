/**
 * What may befall a replica's disk and memory beside a crash. A disk that is lost takes promises
 * with it, so one at a time may be, and only while all others are up, may vote, and have something
 * in their logs: the core says what it can tell, and that is as far as it goes (raft/Admission.ts).
 */
import { isJoint, isVoter } from "../raft/Configuration.ts"
import * as Disks from "./Disk.ts"
import type { Host } from "./Host.ts"
import * as Lives from "./Life.ts"
import * as Marks from "./Marks.ts"
import * as Oracles from "./Oracle.ts"
import { type Random, stream } from "./Random.ts"
import * as Recordings from "./Recording.ts"
import { configurationsInForce } from "./Target.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

/** Ends a replica, to start again so much later. */
export const kill = (world: World, host: Host, millis: number): void => {
  if (host.state === undefined) return
  Lives.crash(world, host)
  Worlds.plan(world, world.now + millis, { _tag: "Restart", host: host.number })
}

/** Enough voters, and nobody changes them: whoever does knows who may vote, and who is to be believed. */
const isAtRest = (world: World): boolean =>
  world.now - world.amendedAt > 10 * world.plan.options.electionTimeoutMillis &&
  configurationsInForce(world).every((one) => one.voters.length >= 3 && !isJoint(one))

/** Whether its promises may be lost now. */
const mayForget = (world: World, host: Host): boolean => {
  const { hosts, oracle } = world
  const inForce = configurationsInForce(world)
  const voters = hosts.filter(({ id }) => inForce.some((configuration) => isVoter(configuration, id)))
  return (
    isAtRest(world) &&
    voters.includes(host) &&
    !oracle.suspect &&
    voters.every(({ disk }) => disk.admitted && disk.snapshots.every(({ damaged }) => !damaged)) &&
    voters.every(({ state, disk }) => state?.admitted === true && Disks.lastIndex(disk) > 0)
  )
}

/** Its directory is empty when it starts again. */
export const wipe = (world: World, host: Host, millis: number): string => {
  if (!mayForget(world, host)) return "no disk may be lost now"
  kill(world, host, millis)
  Marks.hit(world.marks, "a disk lost")
  Oracles.onForget(world.oracle, host)
  Disks.wipe(host.disk)
  host.wipes++
  if (world.recording !== undefined) Recordings.onWipe(world.recording, host)
  return `${host.id} dies, and its disk is lost`
}

/** A bit of its latest snapshot changes while it is down, or one in each. */
export const rot = (world: World, random: Random, millis: number): string => {
  const host = random.pick(world.hosts)
  const may = mayForget(world, host)
  if (host.state === undefined || host.disk.snapshots.length === 0) return "no snapshot to damage"
  kill(world, host, millis)
  // A record that was on its way may have made it, and with it a snapshot for which there is no spare.
  const vouched = host.disk.snapshots.filter(({ snapshot }) => Disks.holds(host.disk, snapshot.last))
  // Others may have turned out damaged before.
  const spare = vouched.filter(({ damaged }) => !damaged).length > 1
  if (!spare && host.disk.base.index > 0 && !may) return `${host.id} dies; its last snapshot may not be damaged now`
  const times = may && random.chance(0.5) ? vouched.length : 1
  for (let time = 0; time < times; time++) {
    Disks.damage(host.disk)
    if (world.recording !== undefined) Recordings.onRot(world.recording, host)
  }
  return `${host.id} dies, and ${times} of its snapshots are damaged`
}

/** Snapshots find no room; records do, out of what was kept for them, or have to wait for it. */
export const fill = (world: World, random: Random, millis: number): string => {
  const host = random.pick(world.hosts)
  const lasting = Math.min(millis, world.plan.options.electionTimeoutMillis * 10)
  const stops = random.chance(0.3)
  host.full = true
  if (stops) host.stuckUntil = world.now + lasting
  Worlds.report(world, host, { _tag: "DiskSpaceChanged", full: true })
  Worlds.plan(world, world.now + lasting, { _tag: "Mend", mend: () => empty(world, host) })
  return `the disk of ${host.id} is full${stops ? ", and nothing can be written" : ""}`
}

/** There is room again. */
export const empty = (world: World, host: Host): void => {
  if (!host.full) return
  host.full = false
  host.stuckUntil = 0
  Worlds.report(world, host, { _tag: "DiskSpaceChanged", full: false })
}

/** Its memory changes under it, once in a run, and not where one more may not vote. */
export const alter = (world: World, random: Random): string => {
  const followers = world.hosts.filter(({ state }) => state?._tag === "Follower" && state.diverged === undefined)
  const voters = configurationsInForce(world).flatMap((one) => one.voters)
  const isWell = isAtRest(world) && world.hosts.every(({ id, disk }) => disk.admitted || !voters.includes(id))
  if (world.oracle.suspect || !isWell || followers.length === 0) return "nothing to alter"
  const host = random.pick(followers)
  const seed = random.below(0x7fffffff)
  Oracles.alter(world.oracle, host, (value) => world.subject.alter(stream(seed, "alter"), value))
  if (world.recording !== undefined) Recordings.onAlter(world.recording, host, seed)
  return `the state of ${host.id} is altered`
}
