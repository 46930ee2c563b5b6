/**
 * Snapshots without encoding: what stands in a file is the image itself, kept by the checksum that
 * its bytes would have. Bytes are made up from the checksum, so that chunks can be cut, lost,
 * changed and put together again, and whoever has put them together right finds the image here.
 */
import type { Snapshot } from "../raft/Snapshot.ts"
import { mix, text } from "./Random.ts"
import type { AnyImage, AnySubject } from "./Subject.ts"

/** A snapshot in a file. */
export interface Stored {
  readonly snapshot: Snapshot
  readonly image: AnyImage
  /** Digests of the log that it stands for, from index 0 to its last entry. */
  readonly chain: ReadonlyArray<number>
  /** A bit of it has changed since it was written. */
  readonly damaged: boolean
}

/** All that was ever taken, by whom does not matter. */
export type Library = Map<string, Stored>

const name = ({ last, bytes, checksum }: Snapshot): string => `${last.index}@${last.term} ${bytes} ${checksum}`

/**
 * Writes an image down. Two replicas' files at one position hold the same, but need not be the same
 * bytes: `hand` stands for the difference.
 */
export const add = (
  library: Library,
  subject: AnySubject,
  taken: { readonly image: AnyImage; readonly chain: ReadonlyArray<number>; readonly hand: number }
): Stored => {
  const { image, chain, hand } = taken
  const checksum = mix(digest(subject, image), hand) >>> 0
  const snapshot: Snapshot = { last: image.last, bytes: 40 + (checksum % 361), checksum }
  const stored: Stored = { snapshot, image, chain: chain.slice(0, image.last.index + 1), damaged: false }
  library.set(name(snapshot), stored)
  return stored
}

export const find = (library: Library, snapshot: Snapshot): Stored | undefined => library.get(name(snapshot))

/** Equal images have equal digests. */
export const digest = (subject: AnySubject, { last, applied, hash, epoch, value }: AnyImage): number => {
  let folded = mix(mix(mix(last.index, last.term), subject.digest(value)), mix(hash, epoch))
  for (const replica of [...applied.keys()].sort()) {
    const { incarnation, sequence } = applied.get(replica)!
    folded = mix(mix(mix(folded, text(replica)), incarnation), sequence)
  }
  return folded
}

/** The bytes of a snapshot from `offset` on; those of a damaged one are not what they should be. */
export const read = (
  { snapshot, damaged }: Pick<Stored, "snapshot" | "damaged">,
  offset: number,
  length: number
): Uint8Array => {
  const end = Math.min(snapshot.bytes, offset + length)
  const bytes = new Uint8Array(Math.max(0, end - offset))
  for (let at = 0; at < bytes.length; at++) bytes[at] = mix(snapshot.checksum, offset + at)
  if (damaged && bytes.length > 0) bytes[0]! ^= 1
  return bytes
}

/** A snapshot that arrives in pieces. */
export interface Partial {
  readonly snapshot: Snapshot
  readonly held: number
  /** None of its bytes is another than it should be. */
  readonly sound: boolean
}

/** With a chunk more; `undefined` if the chunk does not continue it. One at offset 0 begins it anew. */
export const receive = (
  partial: Partial | undefined,
  chunk: { readonly snapshot: Snapshot; readonly offset: number; readonly bytes: Uint8Array }
): Partial | undefined => {
  const { snapshot, offset, bytes } = chunk
  const continues = partial !== undefined && name(partial.snapshot) === name(snapshot) && partial.held === offset
  if (offset !== 0 && !continues) return undefined
  const expected = read({ snapshot, damaged: false }, offset, bytes.length)
  const sound = expected.length === bytes.length && expected.every((byte, at) => byte === bytes[at])
  return { snapshot, held: offset + bytes.length, sound: sound && (offset === 0 || (partial?.sound ?? false)) }
}
