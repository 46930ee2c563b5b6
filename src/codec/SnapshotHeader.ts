/** The first chunk of a snapshot: all of an image but its value. SnapshotCodec has the layout. */
import * as Configurations from "../raft/Configuration.ts"
import { ClusterTime, type ReplicaId, type RequestId } from "../raft/LogEntry.ts"
import type { Image } from "../raft/Snapshot.ts"
import { Reader, Writer } from "./Bytes.ts"
import { readConfiguration, readIds, writeConfiguration, writeIds } from "./ConfigurationCodec.ts"
import { readOptional, readSoundPosition, writeOptional, writePosition } from "./Fields.ts"
import { readRequestId, writeRequestId } from "./LogEntryCodec.ts"

export interface Header extends Omit<Image<unknown>, "value"> {
  readonly _tag: "Header"
  readonly stateVersion: number
}

export type Decoded =
  | Header
  | { readonly _tag: "Malformed" }
  /** Of a later version, and a reader must understand it. */
  | { readonly _tag: "UnknownField"; readonly field: number }

/** Never reused. */
const tags = {
  last: 1,
  voters: 2,
  applied: 3,
  hash: 4,
  epoch: 5,
  stateVersion: 6,
  configuration: 7,
  time: 8,
  version: 9
} as const
/** From here on, who does not know a field may pass over it. */
const firstOptional = 128

export const encode = (image: Omit<Image<unknown>, "value">, stateVersion: number): Buffer => {
  const { last, configuration, applied, hash, epoch, time, version, ceiling } = image
  const to = new Writer(256)
  field(to, tags.last, () => writePosition(to, last))
  field(to, tags.voters, () => writeIds(to, configuration.voters))
  field(to, tags.applied, () => {
    to.u32(applied.size)
    for (const replica of [...applied.keys()].toSorted()) writeRequestId(to, { ...applied.get(replica)!, replica })
  })
  field(to, tags.hash, () => to.u32(hash))
  field(to, tags.epoch, () => to.safe(epoch))
  field(to, tags.stateVersion, () => to.u32(stateVersion))
  // What is as it was before these could be told is not told, and an older program reads it.
  const { outgoing, learners, addresses } = configuration
  const isPlain = outgoing.length === 0 && learners.length === 0 && addresses.length === 0
  if (!isPlain) field(to, tags.configuration, () => writeConfiguration(to, configuration))
  if (time > 0) field(to, tags.time, () => to.safe(time))
  if (version !== 1 || ceiling !== undefined) {
    field(to, tags.version, () => {
      to.u32(version)
      writeOptional(to, ceiling, (most) => to.u32(most))
    })
  }
  return to.finish()
}

const field = (to: Writer, tag: number, write: () => void): void => {
  to.u8(tag)
  const at = to.length
  to.u32(0)
  write()
  to.patchU32(at, to.length - at - 4)
}

/** Total. */
export const decode = (bytes: Uint8Array): Decoded => {
  const fields = new Map<number, Reader>()
  const from = new Reader(bytes)
  let before = 0
  while (from.remaining > 0) {
    const tag = from.u8()
    const contents = from.bytes()
    if (from.failed || tag <= before) return malformed
    if (tag > tags.version && tag < firstOptional) return { _tag: "UnknownField", field: tag }
    fields.set(tag, new Reader(contents))
    before = tag
  }
  /** Every field must be there, and hold nothing else. */
  let sound = true
  const read = <A>(tag: number, as: (from: Reader) => A): A => {
    const contents = fields.get(tag) ?? new Reader(nothing)
    const value = as(contents)
    sound &&= fields.has(tag) && contents.done
    return value
  }
  const readIfThere = <A>(tag: number, as: (from: Reader) => A): A | undefined =>
    fields.has(tag) ? read(tag, as) : undefined
  const last = read(tags.last, readSoundPosition)
  const voters = read(tags.voters, readIds)
  const agreed = readIfThere(tags.version, readVersion)
  const header: Header = {
    _tag: "Header",
    last,
    configuration: readIfThere(tags.configuration, readConfiguration) ?? Configurations.of(voters),
    applied: read(tags.applied, readApplied),
    hash: read(tags.hash, (from) => from.u32()),
    epoch: read(tags.epoch, (from) => from.safe()),
    time: ClusterTime(readIfThere(tags.time, (from) => from.safe()) ?? 0),
    version: agreed?.version ?? 1,
    ceiling: agreed?.ceiling,
    stateVersion: read(tags.stateVersion, (from) => from.u32())
  }
  return sound ? header : malformed
}

const nothing = new Uint8Array(0)
const malformed = { _tag: "Malformed" } as const

const readVersion = (from: Reader): { readonly version: number; readonly ceiling: number | undefined } => {
  const version = from.u32()
  return { version, ceiling: readOptional(from, () => from.u32()) }
}

const readApplied = (from: Reader): ReadonlyMap<ReplicaId, RequestId> => {
  const count = from.u32()
  const applied = new Map<ReplicaId, RequestId>()
  let before: string | undefined
  for (let i = 0; i < count && !from.failed; i++) {
    const request = readRequestId(from)
    if (before !== undefined && !(before < request.replica)) from.fail()
    before = request.replica
    applied.set(request.replica, request)
  }
  return applied
}
