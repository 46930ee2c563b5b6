/**
 * All watches on one replica's store. A watcher is a cursor into the history that the state has anyway: nothing is copied
 * or queued for it. One that has seen everything is only in the index, and costs nothing while others' keys change. One
 * whose keys change is marked with the first revision that it has not seen, told once that there is something to take, and
 * takes it when it likes. Until then nothing more happens for it, so one that is slow costs nobody else anything. Where the
 * history that it has not seen is compacted it is over, and says so: it is never given a gap.
 *
 * Everything is done in turns of a bounded size, in which those that have something to take come one after the
 * other: who catches up with a long past holds up nobody.
 */
import * as History from "./History.ts"
import { firstKept, type KvState } from "./KvState.ts"
import * as Watch from "./Watch.ts"
import { Cursor, type Desk, seenAll, type Taken, type Watcher } from "./Watcher.ts"
import { WatchIndex } from "./WatchIndex.ts"

export interface WatchLimits {
  /** Watchers together; those beyond it end at once. */
  readonly maxWatchers: number
  /**
   * How much is looked at, and how much is taken, from one turn to the next: a unit for each revision, each of its changes, and each
   * 256 bytes that are given out.
   */
  readonly maxTurnUnits: number
  /** Revisions that are taken at once. etcd's number. */
  readonly maxTakenRevisions: number
}

export const defaultWatchLimits: WatchLimits = {
  maxWatchers: 100_000,
  maxTurnUnits: 8192,
  maxTakenRevisions: 1000
}

export interface WatchHubOptions {
  /** Has `turn` called soon, not at once; each time it is asked. */
  readonly schedule: (turn: () => void) => void
  readonly limits?: Partial<WatchLimits>
}

export class WatchHub {
  readonly #index = new WatchIndex<Cursor>()
  readonly #desk: Desk = {
    take: (cursor, maxBytes) => this.#take(cursor, maxBytes),
    progress: (cursor) => this.#progress(cursor),
    close: (cursor, over) => this.#close(cursor, over)
  }
  readonly #schedule: WatchHubOptions["schedule"]
  readonly #limits: WatchLimits
  #state: KvState
  /** What has changed up to here is known to all who watch it. */
  #lookedAt: number
  readonly #queue: Array<Cursor> = []
  /** Those that came too late to take anything, and come first therefore. */
  readonly #leftOut: Array<Cursor> = []
  /** What may still be taken before the next turn. */
  #unitsLeft: number
  #isScheduled = false
  #silence: string | undefined
  #isClosed = false

  constructor(state: KvState, { schedule, limits }: WatchHubOptions) {
    this.#state = state
    this.#lookedAt = state.revision
    this.#schedule = schedule
    this.#limits = { ...defaultWatchLimits, ...limits }
    this.#unitsLeft = this.#limits.maxTurnUnits
  }

  /** The last revision that it has been told of. */
  get revision(): number {
    return this.#state.revision
  }

  get size(): number {
    return this.#index.size
  }

  /** Up to here whoever watches has been told that there is something to take, where there is. */
  get progress(): number {
    return this.#lookedAt
  }

  /** Why nobody can watch here now. */
  get silence(): string | undefined {
    return this.#silence
  }

  /** Why no more can watch than do already. */
  get full(): string | undefined {
    const { maxWatchers } = this.#limits
    return this.#index.size < maxWatchers ? undefined : `balsa: ${maxWatchers} watch already (maxWatchers)`
  }

  /** The replica has come to this state, at one go or by many steps. One that is not newer says nothing. */
  advance(state: KvState): void {
    if (!this.#isClosed) this.#silence = undefined
    if (state === this.#state || state.revision < this.#state.revision) return
    this.#state = state
    this.#look()
  }

  /** The replica stops: all watches end, and no more begin. */
  close(reason: string): void {
    this.end(reason)
    this.#isClosed = true
  }

  /** The replica is not to be believed: all watches end, and none begin until it advances. */
  end(reason: string): void {
    if (this.#silence !== undefined) return
    this.#silence = reason
    this.#index.visitEach((cursor) => this.#finish(cursor, { _tag: "Ended", reason }))
  }

  /**
   * `onReady` is called in a later turn when there is something to take, and not again before it was taken. Where nobody
   * can watch now that is the end of it.
   */
  watch(watch: Watch.Watch, onReady: () => void): Watcher {
    const refused = this.#silence ?? this.full
    const { revision } = this.#state
    const from = watch.startRevision === 0 ? revision + 1 : Math.max(1, watch.startRevision)
    const cursor = new Cursor(watch, from, from <= this.#lookedAt ? from : seenAll, onReady, this.#desk)
    this.#index.add(watch, cursor)
    if (refused !== undefined) this.#finish(cursor, { _tag: "Ended", reason: refused })
    else if (cursor.next !== seenAll) this.#enqueue(cursor)
    return cursor
  }

  /** What is due, as far as one turn goes. */
  turn(): void {
    this.#isScheduled = false
    this.#unitsLeft = this.#limits.maxTurnUnits
    if (this.#lookedAt < this.#state.revision) this.#look()
    // Each that is told takes a unit or two, then or soon.
    const most = Math.max(1, this.#limits.maxTurnUnits >>> 1)
    const told = this.#leftOut.splice(0, most)
    told.push(...this.#queue.splice(0, most - told.length))
    for (const cursor of told) {
      cursor.isQueued = false
      cursor.onReady()
    }
    if (this.#queue.length + this.#leftOut.length > 0) this.#ask()
  }

  /** Finds out whose keys have changed, and leaves the rest to the next turn where that is a lot. */
  #look(): void {
    const state = this.#state
    if (this.#index.size === 0) {
      this.#lookedAt = state.revision
      return
    }
    if (this.#lookedAt + 1 < state.history.first) this.#jump(state.history.first)
    let unitsLeft = this.#limits.maxTurnUnits
    while (this.#lookedAt < state.revision) {
      if (unitsLeft <= 0) return this.#ask()
      const record = recordAt(state, this.#lookedAt + 1)
      for (const change of record.changes) {
        this.#index.visit(History.keyOf(change), (cursor) => this.#mark(cursor, change))
      }
      this.#lookedAt = record.revision
      unitsLeft -= 1 + record.changes.length
    }
  }

  /** What has changed before `kept` cannot be known any more: as far as one can tell, all who wait have missed something. */
  #jump(kept: number): void {
    const first = this.#lookedAt + 1
    this.#lookedAt = kept - 1
    this.#index.visitEach((cursor) => {
      if (cursor.next === seenAll && cursor.from < kept) {
        cursor.next = Math.max(first, cursor.from)
        this.#enqueue(cursor)
      }
    })
  }

  #mark(cursor: Cursor, change: History.Change): void {
    if (cursor.next !== seenAll || !Watch.isWanted(cursor.watch, change)) return
    const revision = Watch.revisionOf(change)
    if (revision < cursor.from) return
    cursor.next = revision
    this.#enqueue(cursor)
  }

  #take(cursor: Cursor, maxBytes: number): Taken {
    if (cursor.over !== undefined) return cursor.over
    const compacted = this.#state.compacted
    const kept = firstKept(this.#state)
    if (cursor.next !== seenAll && cursor.next < kept) {
      return this.#close(cursor, { _tag: "Compacted", compacted: kept })
    }
    const isLeftOut = this.#unitsLeft <= 0
    const revisions: Array<History.Changes> = []
    let bytes = 0
    let next = cursor.next === seenAll ? this.#lookedAt + 1 : cursor.next
    while (next <= this.#lookedAt && this.#unitsLeft > 0 && revisions.length < this.#limits.maxTakenRevisions) {
      const record = recordAt(this.#state, next)
      const seen = Watch.seen(cursor.watch, record)
      const weight = seen === undefined ? 0 : Watch.weigh(cursor.watch, seen)
      if (seen !== undefined && revisions.length > 0 && bytes + weight > maxBytes) break
      if (seen !== undefined) revisions.push(seen)
      bytes += weight
      this.#unitsLeft -= 1 + record.changes.length + (weight >>> 8)
      next++
    }
    const done = next > this.#lookedAt
    cursor.next = done ? seenAll : next
    if (!done) this.#enqueue(cursor, isLeftOut ? this.#leftOut : this.#queue)
    return { _tag: "Changes", revisions, upTo: next - 1, compacted, done }
  }

  #progress({ next, from, over }: Cursor): number | undefined {
    return over === undefined && next === seenAll && from <= this.#lookedAt + 1 ? this.#lookedAt : undefined
  }

  #close(cursor: Cursor, over: Taken): Taken {
    if (cursor.over === undefined) {
      cursor.over = over
      this.#index.remove(cursor.watch, cursor)
    }
    return cursor.over
  }

  /** Ends it from here, which it is told. */
  #finish(cursor: Cursor, over: Taken): void {
    this.#close(cursor, over)
    this.#enqueue(cursor)
  }

  #enqueue(cursor: Cursor, queue = this.#queue): void {
    if (cursor.isQueued) return
    cursor.isQueued = true
    queue.push(cursor)
    this.#ask()
  }

  #ask(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#schedule(() => this.turn())
  }
}

/** Every revision that is kept has one. */
const recordAt = ({ history }: KvState, revision: number): History.Changes => History.at(history, revision)!
