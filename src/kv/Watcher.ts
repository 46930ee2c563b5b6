/**
 * One watch, as whoever has asked for it holds it: it says what there is to take when it is asked, and is told when there is
 * something. Everything that it does is the hub's business (see WatchHub).
 */
import type * as History from "./History.ts"
import type { Watch } from "./Watch.ts"

export type Taken =
  | {
      readonly _tag: "Changes"
      /** In order, each whole, and none without changes; perhaps none for now. */
      readonly revisions: ReadonlyArray<History.Changes>
      /** Everything up to this revision has been given out. */
      readonly upTo: number
      /** As of which revision what there was before may be told (see `Watch.previous`). */
      readonly compacted: number
      /** There is nothing more for now. Otherwise it is told again, and may take without waiting for that. */
      readonly done: boolean
    }
  /** What it has not seen is gone; `compacted` is the first revision that can be watched from. It is over. */
  | { readonly _tag: "Compacted"; readonly compacted: number }
  /** The replica is not to be believed any more, or stops. It is over. */
  | { readonly _tag: "Ended"; readonly reason: string }

export interface Watcher {
  readonly watch: Watch
  /**
   * The next revisions that it has not seen, of about so many bytes; at least one, if there is one. They count as seen from
   * then on.
   */
  take(maxBytes: number): Taken
  /**
   * A revision up to which everything was given out, so that nothing is missed from the next one on. `undefined` while
   * there is something to take, and where it has not begun.
   */
  progress(): number | undefined
  /** It is told nothing after that. */
  close(): void
}

/** All of a watcher's state; the rest is in the hub. There may be very many, so each is small. */
export class Cursor implements Watcher {
  readonly watch: Watch
  /** It sees nothing before it. */
  readonly from: number
  /** The first revision that it may not have seen; `seenAll` if it has seen all that the hub has looked at. */
  next: number
  isQueued = false
  over: Taken | undefined = undefined
  onReady: () => void
  readonly #desk: Desk

  constructor(watch: Watch, from: number, next: number, onReady: () => void, desk: Desk) {
    this.watch = watch
    this.from = from
    this.next = next
    this.onReady = onReady
    this.#desk = desk
  }

  take(maxBytes: number): Taken {
    return this.#desk.take(this, maxBytes)
  }

  progress(): number | undefined {
    return this.#desk.progress(this)
  }

  close(): void {
    this.onReady = nothing
    this.#desk.close(this, { _tag: "Ended", reason: "it was closed" })
  }
}

/** What a cursor asks the hub for. */
export interface Desk {
  readonly take: (cursor: Cursor, maxBytes: number) => Taken
  readonly progress: (cursor: Cursor) => number | undefined
  readonly close: (cursor: Cursor, over: Taken) => Taken
}

const nothing = (): void => {}

export const seenAll = 0
