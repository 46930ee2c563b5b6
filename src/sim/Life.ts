/** How a replica of a world begins and ends: from its disk, and with what it leaves there. */
import * as Configurations from "../raft/Configuration.ts"
import { Instant } from "../raft/LogEntry.ts"
import type { Persist } from "../raft/RaftEffect.ts"
import * as Desks from "./Desk.ts"
import * as Disks from "./Disk.ts"
import type { Host } from "./Host.ts"
import * as Hosts from "./Host.ts"
import * as Members from "./MemberMarks.ts"
import * as Marks from "./Marks.ts"
import * as Oracles from "./Oracle.ts"
import * as Recordings from "./Recording.ts"
import * as Requests from "./RequestMarks.ts"
import * as Traces from "./Trace.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

/** All of them, on empty disks. */
export const startAll = (world: World): void => {
  for (const host of world.hosts) start(world, host)
}

/** Starts a replica from its disk, under a new incarnation. */
export const start = (world: World, host: Host): void => {
  if (host.state !== undefined || host.lost) return
  const { disk } = host
  if (disk.torn) Marks.hit(world.marks, "a torn record dropped at start")
  const { stored, fellBack, reset } = Oracles.recover(world.oracle, host)
  if (stored !== undefined && fellBack) Marks.hit(world.marks, "an older snapshot used at start")
  if (stored === undefined && fellBack && reset === undefined) {
    Marks.hit(world.marks, "a log without its snapshot used at start")
  }
  if (stored !== undefined) Marks.hit(world.marks, "restart from a snapshot")
  if (reset !== undefined) Marks.hit(world.marks, "a replica without a whole snapshot begins anew")
  if (disk.entries.length > 0) Marks.hit(world.marks, "restart with a log")
  if (disk.hardState.votedFor !== undefined) Marks.hit(world.marks, "restart with a vote in the present term")
  disk.incarnation++
  const [earlier, later] = world.versions
  if (host.version === earlier && world.chance.programs.chance(world.plan.versions.replaced)) {
    host.version = later
    Marks.hit(world.marks, "a program replaced by a later one")
  }
  const seed = world.chance.seeds.below(0x7fffffff)
  const at = Instant(Hosts.localTime(host, world.now))
  if (world.recording !== undefined) Recordings.onStart(world.recording, host, seed, at)
  host.state = Worlds.replicaOf(world, host).init({
    id: host.id,
    incarnation: disk.incarnation,
    configuration: Configurations.of(host.founders),
    at,
    seed,
    ...Disks.contents(disk)
  })
  host.desk = Desks.open(host.id, disk.incarnation)
  Oracles.onStart(world.oracle, host, host.state)
  if (Members.onStart(host.state, world.oracle.canon.entries.length - 1)) {
    Marks.hit(world.marks, "an uncommitted configuration found at start")
  }
  Traces.note(world.trace, world.now, host.number, "starts")
  if (host.full) host.inbox.push({ _tag: "DiskSpaceChanged", full: true })
  Worlds.wake(world, host, world.now)
}

/** All that is not on disk is gone. A record on its way there may have made it. */
export const crash = (world: World, host: Host): void => {
  if (host.state === undefined) return
  const effect = host.effects[host.carried]
  if (effect !== undefined) Marks.hit(world.marks, placeOfCrash(host))
  if (hasAnswered(host)) Marks.hit(world.marks, "crash between an early answer and its record")
  const kept = host.syncing && effect?._tag === "Persist" && leave(world, host, effect)
  if (world.recording !== undefined) Recordings.onCrash(world.recording, host, kept)
  Traces.note(world.trace, world.now, host.number, "crashes")
  Worlds.countFault(world, "crash")
  host.state = undefined
  host.life++
  host.inbox = []
  host.effects = []
  host.carried = 0
  host.syncing = false
  host.partial = undefined
  host.reading = undefined
  host.crashAt = Number.POSITIVE_INFINITY
  host.frozenUntil = 0
  host.slowUntil = 0
  host.timerStuckUntil = 0
  host.wakeAt = Number.POSITIVE_INFINITY
  Desks.close(host.desk, (operation, ending, detail) => Worlds.resolve(world, operation, ending, detail))
}

/** It has told a client of what was on its disk, and dies before the record behind that answer is. */
const hasAnswered = ({ effects, carried }: Host): boolean => {
  const written = effects.findIndex((effect) => effect._tag === "Persist")
  if (written < carried) return false
  return Requests.answersEarly([...effects.slice(0, carried), effects[written]!])
}

const placeOfCrash = ({ effects, carried, syncing }: Host): Marks.Mark => {
  if (syncing) return "crash while a record is on its way"
  const written = effects.findIndex((effect) => effect._tag === "Persist")
  if (written >= carried) return "crash before Persist"
  return written === carried - 1 && written !== -1
    ? "crash between Persist and what follows"
    : "crash between two messages"
}

/**
 * A record was on its way to the disk. It may have made it, or not at all, or in part: then its
 * checksum is wrong and the next start drops it whole. Records cannot change places, because the
 * next one is not written before this one is synced.
 */
const leave = (world: World, host: Host, record: Persist<unknown>): boolean => {
  const fate = world.chance.cutShort.below(3)
  Worlds.countFault(world, (["recordKept", "recordDropped", "recordTorn"] as const)[fate]!)
  if (fate === 0) Oracles.onSynced(world.oracle, host, record)
  host.disk.torn = fate === 2
  return fate === 0
}
