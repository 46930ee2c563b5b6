/**
 * Looks at the disk's room once a second, before it is gone: while there is too little the replica
 * takes no commands, but still answers reads, and still has room for what must be written.
 */
import { Effect } from "effect"
import type { DiskStatus, Storage } from "../storage/Storage.ts"

export interface DiskWatch {
  /** As last looked at. */
  readonly status: () => DiskStatus
  readonly isFull: () => boolean
  /** A write waits for room just now, and with it all that the replica does. */
  readonly isStuck: () => boolean
  /** Runs until interrupted; `onChange` hears of each change once. */
  readonly run: (onChange: (full: boolean) => void) => Effect.Effect<never>
}

export const lookEveryMillis = 1000
/** There must be so much more room than the reserve before commands are taken again: it should last a while. */
const enough = 1.25

export const make = Effect.fnUntraced(function* (storage: Pick<Storage["Service"], "status">) {
  let status = yield* storage.status
  let full = false

  const look = Effect.fnUntraced(function* (onChange: (full: boolean) => void) {
    status = yield* storage.status
    const now = isFull(status, full)
    if (now === full) return
    full = now
    yield* full ? Effect.logWarning(describeFull(status)) : Effect.logInfo("there is room on the disk again")
    onChange(full)
  })

  const watch: DiskWatch = {
    status: () => status,
    isFull: () => full,
    isStuck: () => full && status.waitsForRoom,
    run: (onChange) => Effect.forever(Effect.andThen(look(onChange), Effect.sleep(lookEveryMillis)))
  }
  return watch
})

const isFull = ({ freeBytes, reserveBytes, waitsForRoom }: DiskStatus, before: boolean): boolean => {
  if (waitsForRoom) return true
  return freeBytes !== undefined && freeBytes < (before ? enough * reserveBytes : reserveBytes)
}

const describeFull = ({ freeBytes, reserveBytes, waitsForRoom }: DiskStatus): string =>
  waitsForRoom
    ? "the disk is full: a write found no room. Until there is room where the data directory is, this replica waits, and serves nobody"
    : `the disk is full: ${mebibytes(freeBytes ?? 0)} MiB are free, and ${mebibytes(reserveBytes)} MiB are kept for what must be ` +
      "written. Until there is more room where the data directory is, no commands are taken; reads go on"

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
