/**
 * Snapshots in golden scripts: written, read and received at once, unless a script says that it takes
 * until it is told to be done.
 */
import { same } from "../raft/Snapshot.ts"
import * as Disks from "./Disk.ts"
import type { Arrival } from "./Host.ts"
import * as Library from "./Library.ts"
import type * as Notes from "./Notes.ts"
import type { Flying, Member, Stage } from "./Stage.ts"
import type { AnyEffect } from "./Subject.ts"

type Asked = AnyEffect & { readonly _tag: "TakeSnapshot" | "SendChunk" | "StoreChunk" }

/** What comes of it: what the replica is told, if it does not have to wait, and what is sent. */
export interface Begun {
  readonly told: ReadonlyArray<Arrival>
  readonly sent: ReadonlyArray<Flying>
}

const told = (...arrivals: ReadonlyArray<Arrival>): Begun => ({ told: arrivals, sent: [] })

export const begin = (stage: Stage, member: Member, effect: Asked): Begun => {
  switch (effect._tag) {
    case "TakeSnapshot":
      member.taking = effect.image
      return told(...(member.slowSnapshots ? waits(stage, member) : done(stage, member)))
    case "SendChunk":
      return read(member, effect)
    case "StoreChunk": {
      const { snapshot } = effect
      member.partial = member.full ? undefined : Library.receive(member.partial, effect)
      if (member.partial === undefined) return told({ _tag: "SnapshotSpoiled", snapshot })
      if (member.partial.held < snapshot.bytes) return told()
      return told(...(member.slowSnapshots ? waits(stage, member) : done(stage, member)))
    }
  }
}

const waits = (stage: Stage, { id }: Member): ReadonlyArray<Arrival> => {
  stage.lines.push(`${id}: waits for its snapshot`)
  return []
}

const read = (
  { id, disk }: Member,
  { to, term, snapshot, offset, length }: AnyEffect & { readonly _tag: "SendChunk" }
): Begun => {
  const stored = disk.snapshots.find((one) => same(one.snapshot, snapshot))
  if (stored === undefined) return told({ _tag: "SnapshotMissing", snapshot })
  const bytes = Library.read(stored, offset, length)
  return { told: [], sent: [{ from: id, to, message: { _tag: "InstallSnapshot", term, snapshot, offset, bytes } }] }
}

/** What it was at is done: one that it takes is stored, or one that it was sent is found whole, or neither. */
export const done = (stage: Stage, member: Member): ReadonlyArray<Arrival> => {
  const { taking, partial, disk, full } = member
  if (taking !== undefined) {
    member.taking = undefined
    if (full) return [{ _tag: "SnapshotFailed", last: taking.last }]
    const taken = { image: taking, chain: disk.chain, hand: member.number % 2 }
    const stored = Library.add(stage.library, stage.play.subject, taken)
    Disks.store(disk, stored)
    return [{ _tag: "SnapshotStored", snapshot: stored.snapshot }]
  }
  if (partial === undefined || partial.held < partial.snapshot.bytes) return []
  const { snapshot, sound } = partial
  member.partial = undefined
  const stored = Library.find(stage.library, snapshot)
  if (full || !sound || stored === undefined) return [{ _tag: "SnapshotSpoiled", snapshot }]
  Disks.store(disk, stored)
  return [{ _tag: "SnapshotReceived", snapshot, image: stored.image }]
}

/** A script says that it failed: no room, or other bytes than were sent. */
export const failed = (member: Member): ReadonlyArray<Arrival> => {
  const { taking, partial } = member
  member.taking = undefined
  if (taking !== undefined) return [{ _tag: "SnapshotFailed", last: taking.last }]
  member.partial = undefined
  return partial === undefined ? [] : [{ _tag: "SnapshotSpoiled", snapshot: partial.snapshot }]
}

/** Its value changes, and nobody has told it to. */
export const corrupt = (member: Member): void => {
  const { state } = member
  if (state === undefined) throw new Error(`${member.id} is down`)
  const value = new Map([...(state.stateMachine.value as Notes.Notes)].map(([name]) => [name, "?"]))
  member.state = { ...state, stateMachine: { ...state.stateMachine, value } }
}
