/**
 * A hash chain over all that was applied, by which replicas find out that they have come to
 * differ: through memory or a disk that changed a bit, a machine that is not deterministic, a bug.
 * Nothing else in Raft would notice. 32 bits: meant for accidents, not for enemies.
 */
import type { Index, Term } from "./LogEntry.ts"

/** The chain after the entry at `index`. */
export interface Checkpoint {
  readonly index: Index
  readonly hash: number
}

/** The chain's next hash: `digest` is of the entry's command and of what applying it gave. */
export const extend = (hash: number, index: Index, term: Term, digest: number): number =>
  mix(mix(mix(hash, index), term), digest)

/** One round of a 32-bit mixing function (the finalizer of MurmurHash3). */
const mix = (hash: number, value: number): number => {
  let h = (hash + 0x9e3779b9) ^ Math.imul(value | 0, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** A checkpoint is kept of every so manieth index, and so many of them. */
const interval = 64
const keptMarks = 64

/** Checkpoints at multiples of the interval, oldest first: replicas that apply at their own pace meet at them. */
export const mark = (marks: ReadonlyArray<Checkpoint>, index: Index, hash: number): ReadonlyArray<Checkpoint> =>
  index % interval === 0 ? [...marks.slice(marks.length >= keptMarks ? 1 : 0), { index, hash }] : marks

/** The hash at `index`, if it is known. */
export const hashAt = (
  { marks, tip }: { readonly marks: ReadonlyArray<Checkpoint>; readonly tip: Checkpoint },
  index: Index
): number | undefined => (tip.index === index ? tip.hash : marks.find((one) => one.index === index)?.hash)
