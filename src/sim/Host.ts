/**
 * The process and the machine that one replica runs on: its disk, its clock, its clients,
 * what waits to be reduced, and which effects are still to be carried out. Plain data that
 * the world changes in place.
 */
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { RaftEvent } from "../raft/RaftEvent.ts"
import * as Desks from "./Desk.ts"
import * as Disks from "./Disk.ts"
import type * as Library from "./Library.ts"
import type { AnyEffect, State } from "./Subject.ts"

type WithoutTime<E> = E extends unknown ? Omit<E, "at"> : never
/** An event that waits: when it is reduced gives its `at`. */
export type Arrival = WithoutTime<RaftEvent<unknown, unknown>>

export interface Host {
  readonly id: ReplicaId
  readonly number: number
  readonly disk: Disks.Disk
  clock: Clock
  /** `undefined` while it is down. */
  state: State | undefined
  desk: Desks.Desk
  inbox: Array<Arrival>
  /** Effects of the last step, and how many of them are carried out. */
  effects: ReadonlyArray<AnyEffect>
  carried: number
  /** The effect at `carried` is a Persist whose bytes are on their way to the disk. */
  syncing: boolean
  /** It crashes before it carries out this one. */
  crashAt: number
  /** What of a snapshot has arrived here. */
  partial: Library.Partial | undefined
  /** The last snapshot that was read here. */
  reading: Library.Stored | undefined
  /** Its disk has no room for snapshots. */
  full: boolean
  /** Until then it has none for records either. */
  stuckUntil: number
  /** Stopped, as by SIGSTOP, until then. */
  frozenUntil: number
  /** Its timers do not fire until then, while all else goes on. */
  timerStuckUntil: number
  /** Until then every sync takes an election timeout. */
  slowUntil: number
  /** Counts disks that it has lost. */
  wipes: number
  /** Counts crashes, so that what was planned for an earlier life is void. */
  life: number
  wakeAt: number
  /** The latest version of commands that its program understands. */
  version: number
  /** The voters that it was told of at its first start, on a disk that has nothing of them. */
  founders: ReadonlyArray<ReplicaId>
  /** It died for good. */
  lost: boolean
  /** It lives, and no majority of others can both hear it and be heard by it, for ever. */
  impaired: boolean
}

/** Local time is a line: instants of different lives never meet. */
export interface Clock {
  readonly rate: number
  readonly offset: number
}

export const make = (
  id: ReplicaId,
  number: number,
  { clock, version, founders }: Pick<Host, "clock" | "version" | "founders">
): Host => ({
  id,
  number,
  disk: Disks.blank(),
  clock,
  state: undefined,
  desk: Desks.open(id, 0),
  inbox: [],
  effects: [],
  carried: 0,
  syncing: false,
  crashAt: Number.POSITIVE_INFINITY,
  partial: undefined,
  reading: undefined,
  full: false,
  stuckUntil: 0,
  frozenUntil: 0,
  timerStuckUntil: 0,
  slowUntil: 0,
  wipes: 0,
  life: 0,
  wakeAt: Number.POSITIVE_INFINITY,
  version,
  founders,
  lost: false,
  impaired: false
})

/** In whole microseconds, as clocks tell it, and short enough to read. */
export const localTime = (host: Host, worldTime: number): number =>
  Math.round((worldTime * host.clock.rate + host.clock.offset) * 1000) / 1000

export const worldTime = (host: Host, localTime: number): number => (localTime - host.clock.offset) / host.clock.rate

/** From now on it runs as fast as the world's. */
export const mendClock = (host: Host, worldTime: number): void => {
  host.clock = { rate: 1, offset: localTime(host, worldTime) - worldTime }
}

/** It has carried out all that its last step said. */
export const isFree = (host: Host): boolean => host.carried === host.effects.length
