/** Snapshots in a small scope: values are small there, so a file is the image as text, and a single chunk. */
import type { ReplicaId, RequestId } from "../raft/LogEntry.ts"
import { same, type Snapshot } from "../raft/Snapshot.ts"
import { text } from "./Random.ts"
import type { Disk } from "./Reaction.ts"
import type { AnyEffect, AnyImage, AnyMessage } from "./Subject.ts"

export interface Kept {
  readonly snapshot: Snapshot
  readonly image: AnyImage
}

export const keep = (image: AnyImage): Kept => {
  const bytes = write(image)
  return { snapshot: { last: image.last, bytes: bytes.length, checksum: text(String(bytes)) >>> 0 }, image }
}

/** Beside the others, newest first; the same once more is one. */
export const add = (disk: Disk, kept: Kept): Disk => {
  const others = disk.snapshots.filter(({ snapshot }) => !same(snapshot, kept.snapshot))
  const snapshots = [kept, ...others].sort((one, other) => other.image.last.index - one.image.last.index)
  return { ...disk, snapshots }
}

export const chunk = (
  { snapshots }: Disk,
  { term, snapshot, offset, length }: AnyEffect & { readonly _tag: "SendChunk" }
): AnyMessage | undefined => {
  const kept = snapshots.find((one) => same(one.snapshot, snapshot))
  const bytes = kept && write(kept.image).slice(offset, offset + length)
  return bytes && { _tag: "InstallSnapshot", term, snapshot, offset, bytes }
}

const write = ({ applied, ...rest }: AnyImage): Uint8Array => {
  const ordered = [...applied].sort(([one], [other]) => (one < other ? -1 : 1))
  return new TextEncoder().encode(JSON.stringify({ ...rest, applied: ordered }))
}

export const read = (snapshot: Snapshot, bytes: Uint8Array): Kept => {
  const { applied, ...rest } = JSON.parse(new TextDecoder().decode(bytes)) as Omit<AnyImage, "applied"> & {
    readonly applied: ReadonlyArray<readonly [ReplicaId, RequestId]>
  }
  return { snapshot, image: { ...rest, applied: new Map(applied) } }
}
