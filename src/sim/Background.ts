/**
 * Snapshots on a host: written, read, received and checked beside all else, each taking a while. A
 * crash leaves of what is not finished nothing. What is read or written may fail or be changed.
 */
import { same } from "../raft/Snapshot.ts"
import * as Disks from "./Disk.ts"
import type { Host } from "./Host.ts"
import * as Library from "./Library.ts"
import * as Marks from "./Marks.ts"
import * as Oracles from "./Oracle.ts"
import * as Promises from "./Promises.ts"
import * as Recordings from "./Recording.ts"
import type { AnyEffect, AnyImage, AnyMessage } from "./Subject.ts"
import { require } from "./Violation.ts"
import type { Work, World } from "./World.ts"
import * as Worlds from "./World.ts"

type Asked = AnyEffect & { readonly _tag: "TakeSnapshot" | "SendChunk" | "StoreChunk" }

/** A replica has asked for it. */
export const begin = (world: World, host: Host, effect: Asked): void => {
  const { snapshots } = world.plan
  switch (effect._tag) {
    case "TakeSnapshot":
      Oracles.onImage(world.oracle, host, effect.image, "taken")
      Marks.hit(world.marks, "a snapshot taken")
      return soon(world, host, snapshots.takeMillis, { _tag: "Take", image: effect.image })
    case "SendChunk":
      return soon(world, host, snapshots.readMillis, { _tag: "Read", chunk: effect })
    case "StoreChunk":
      return receive(world, host, effect)
  }
}

const soon = (world: World, host: Host, mean: number, work: Work): void => {
  // A transfer of many chunks shall not take longer than a cluster may need to recover.
  const share = world.calm ? 0.1 : 1
  const millis = world.lockstep || mean === 0 ? 0 : world.chance.snapshots.wait(mean * share)
  Worlds.plan(world, world.now + millis, { _tag: "Background", host: host.number, life: host.life, work })
}

/** It is done, unless its replica has died meanwhile. */
export const done = (world: World, host: Host, work: Work): void => {
  switch (work._tag) {
    case "Take":
      return taken(world, host, work.image)
    case "Read":
      return read(world, host, work.chunk)
    case "Finish":
      return finish(world, host, work.partial)
    case "Spoil":
      return Worlds.report(world, host, { _tag: "SnapshotSpoiled", snapshot: work.snapshot })
  }
}

const happens = (world: World, fault: string, probability: number): boolean => {
  const does = !world.calm && probability > 0 && world.chance.snapshots.chance(probability)
  if (does) Worlds.countFault(world, fault)
  return does
}

const taken = (world: World, host: Host, image: AnyImage): void => {
  if (host.full || happens(world, "snapshotFail", world.plan.snapshots.fail)) {
    Marks.hit(world.marks, "a snapshot that could not be stored")
    return Worlds.report(world, host, { _tag: "SnapshotFailed", last: image.last })
  }
  const chain = world.oracle.chains[host.number]!
  const stored = Library.add(world.library, world.subject, { image, chain, hand: host.number % 2 })
  Disks.store(host.disk, stored)
  if (world.recording !== undefined) Recordings.onStored(world.recording, host, stored.snapshot)
  Worlds.report(world, host, { _tag: "SnapshotStored", snapshot: stored.snapshot })
}

const read = (world: World, host: Host, chunk: AnyEffect & { readonly _tag: "SendChunk" }): void => {
  const { to, term, snapshot, offset, length } = chunk
  const found = readable(world, host, chunk)
  if (found === undefined) {
    Marks.hit(world.marks, "a snapshot missing when it was to be sent")
    return Worlds.report(world, host, { _tag: "SnapshotMissing", snapshot })
  }
  host.reading = found
  const bytes = Library.read(found, offset, length)
  const message: AnyMessage = { _tag: "InstallSnapshot", term, snapshot, offset, bytes }
  Promises.onSend(world.oracle, host, to, message)
  if (world.recording !== undefined) Recordings.onChunk(world.recording, host.id, to, message)
  Worlds.send(world, host.number, Disks.replicaNumber(to), message)
}

/**
 * One that is being read stays for a while, though newer ones have taken its place. One that turns out to be
 * damaged stays so; there is another to start from then.
 */
const readable = (
  world: World,
  host: Host,
  { snapshot }: AnyEffect & { readonly _tag: "SendChunk" }
): Library.Stored | undefined => {
  const { disk } = host
  const found = disk.snapshots.find((stored) => same(stored.snapshot, snapshot))
  const spare =
    disk.base.index === 0 ||
    disk.snapshots.some((other) => other !== found && !other.damaged && Disks.holds(disk, other.snapshot.last))
  if (found !== undefined && spare && happens(world, "snapshotGone", world.plan.snapshots.gone)) {
    disk.snapshots = disk.snapshots.map((stored) => (stored === found ? { ...stored, damaged: true } : stored))
    return undefined
  }
  if (found !== undefined) return found.damaged ? undefined : found
  return host.reading !== undefined && same(host.reading.snapshot, snapshot) ? host.reading : undefined
}

const receive = (world: World, host: Host, chunk: AnyEffect & { readonly _tag: "StoreChunk" }): void => {
  const { snapshots } = world.plan
  const { snapshot } = chunk
  const bytes = happens(world, "spoil", snapshots.spoil) ? changed(chunk.bytes) : chunk.bytes
  host.partial = host.full ? undefined : Library.receive(host.partial, { ...chunk, bytes })
  if (host.partial === undefined) return soon(world, host, snapshots.readMillis, { _tag: "Spoil", snapshot })
  if (chunk.offset > 0) Marks.hit(world.marks, "a snapshot of several chunks")
  if (host.partial.held < snapshot.bytes) return
  soon(world, host, snapshots.finishMillis, { _tag: "Finish", partial: host.partial })
  host.partial = undefined
}

const changed = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at === 0 ? byte ^ 0x10 : byte))

const finish = (world: World, host: Host, { snapshot, sound, held }: Library.Partial): void => {
  if (host.full || !sound || held !== snapshot.bytes) {
    Marks.hit(world.marks, "a spoiled snapshot")
    return Worlds.report(world, host, { _tag: "SnapshotSpoiled", snapshot })
  }
  const stored = Library.find(world.library, snapshot)
  require(stored !== undefined, "what arrives whole was sent", () => `${host.id} at ${snapshot.last.index}`)
  Oracles.onImage(world.oracle, host, stored!.image, "received")
  Disks.store(host.disk, stored!)
  if (world.recording !== undefined) Recordings.onReceived(world.recording, host, snapshot)
  Worlds.report(world, host, { _tag: "SnapshotReceived", snapshot, image: stored!.image })
}
