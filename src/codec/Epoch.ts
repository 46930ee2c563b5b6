/**
 * An epoch says from which beginning a cluster's history stems: 0, or the restore that it came from. It
 * counts restores, and tells apart those of one count, by a hash of what each began with: replicas restored from
 * different backups, or with different options, do not belong together. Both are in one number.
 */
const idSpan = 2 ** 32

/** How many restores there were before. */
export const count = (epoch: number): number => (epoch < idSpan ? epoch : Math.floor(epoch / idSpan))

/** `id` is 32 bits. */
export const next = (epoch: number, id: number): number => (count(epoch) + 1) * idSpan + id

/** As people read it: `2 (00abcdef)`. */
export const show = (epoch: number): string =>
  epoch < idSpan ? String(epoch) : `${count(epoch)} (${(epoch % idSpan).toString(16).padStart(8, "0")})`
