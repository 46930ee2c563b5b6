/** Waits until a key is deleted: what whoever queues for a lock or an election does about the one before. */
import type { Key } from "./KeyValue.ts"
import type { WatchHub } from "./WatchHub.ts"

export type Deletion =
  | { readonly _tag: "Deleted"; readonly revision: number }
  /** Whether it was deleted meanwhile is no longer known: look, and wait from `compacted` on if need be. */
  | { readonly _tag: "Compacted"; readonly compacted: number }
  /** The replica is not to be believed, or stops, or too many watch already: it is not known. */
  | { readonly _tag: "Ended"; readonly reason: string }

/**
 * Calls `done` once, later, with the first deletion of `key` at `fromRevision` or after. Who has seen the key in the store at
 * revision r waits from r + 1 on. Gives what to call to wait no longer; after that `done` is not called.
 */
export const whenDeleted = (
  hub: WatchHub,
  key: Key,
  fromRevision: number,
  done: (deletion: Deletion) => void
): (() => void) => {
  const watch = {
    key,
    rangeEnd: undefined,
    startRevision: fromRevision,
    prevKv: false,
    noPut: true,
    noDelete: false
  }
  const look = (): void => {
    const taken = watcher.take(1)
    if (taken._tag !== "Changes") return done(taken)
    const first = taken.revisions[0]
    if (first === undefined) return
    watcher.close()
    done({ _tag: "Deleted", revision: first.revision })
  }
  const watcher = hub.watch(watch, look)
  return () => watcher.close()
}
