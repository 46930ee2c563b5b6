/**
 * Several watches on one stream, as etcd has them: what is asked of it, and the lines that come of that, one when one is asked
 * for. It holds no events, only the names of those watches for which the hub has some.
 */
import * as Watch from "../kv/Watch.ts"
import type { WatchHub } from "../kv/WatchHub.ts"
import type { Taken, Watcher } from "../kv/Watcher.ts"
import type { HeaderAt } from "./AnswerJson.ts"
import * as WatchLine from "./WatchLine.ts"
import type { WatchRequest } from "./WatchRequest.ts"

export interface WatchStreamOptions {
  readonly hub: WatchHub
  readonly headerAt: HeaderAt
  readonly maxWatchesPerStream: number
  /** A line of events has about so many at most, unless a single revision has more and may not be told in fragments. */
  readonly maxLineBytes: number
  /** Called when there may be a line again. */
  readonly onReady: () => void
}

interface Entry {
  readonly id: bigint
  readonly watcher: Watcher
  readonly fragment: boolean
  readonly progressNotify: boolean
  /** Whether nothing was told since its progress was due last. */
  isQuiet: boolean
}

type Creation = Extract<WatchRequest, { readonly _tag: "Create" }>

export class WatchStream {
  readonly #options: WatchStreamOptions
  readonly #entries = new Map<bigint, Entry>()
  /** Those for which there is something to take, the first first. */
  readonly #ready = new Set<Entry>()
  /** Those whose progress is to be told, if they have any. */
  readonly #due = new Set<Entry>()
  /** How many have asked for the progress of all. */
  #asked = 0
  #nextId = 0n
  #ended: string | undefined

  constructor(options: WatchStreamOptions) {
    this.#options = options
  }

  /** Why it is over, if it is. */
  get ended(): string | undefined {
    return this.#ended
  }

  /** Whether a question for progress waits until all watches have come as far. */
  get isAsked(): boolean {
    return this.#asked > 0
  }

  get wantsNotes(): boolean {
    for (const { progressNotify } of this.#entries.values()) if (progressNotify) return true
    return false
  }

  /** Gives the answer, where it has one at once. */
  handle(request: WatchRequest): string | undefined {
    switch (request._tag) {
      case "Create":
        return this.#create(request)
      case "Cancel":
        return this.#cancel(request.id)
      case "Progress":
        this.#asked++
        return undefined
    }
  }

  /** The next line, in parts, if there is one. */
  next(): Iterable<string> | undefined {
    for (const entry of this.#ready) {
      this.#ready.delete(entry)
      const line = this.#take(entry)
      if (line !== undefined || this.#ended !== undefined) return line
    }
    return this.#progress()
  }

  /** Those that want to be told of their progress are, unless they have been told anything else since this was called last. */
  noteProgress(): void {
    for (const entry of this.#entries.values()) {
      if (entry.progressNotify && entry.isQuiet) this.#due.add(entry)
      entry.isQuiet = true
    }
  }

  close(): void {
    for (const { watcher } of this.#entries.values()) watcher.close()
    this.#entries.clear()
    this.#ready.clear()
    this.#due.clear()
  }

  #create({ id: asked, watch, fragment, progressNotify }: Creation): string {
    const { hub, headerAt, maxWatchesPerStream } = this.#options
    const header = headerAt(hub.revision)
    if (Watch.isEmpty(watch)) return WatchLine.refused(header, "mvcc: watcher range is empty")
    if (asked !== 0n && this.#entries.has(asked)) {
      return WatchLine.refused(header, "mvcc: duplicate watch ID provided on the WatchStream")
    }
    if (this.#entries.size >= maxWatchesPerStream) {
      const reason = `balsa: ${maxWatchesPerStream} watches are on this stream already (maxWatchesPerStream)`
      return WatchLine.refused(header, reason)
    }
    if (hub.full !== undefined) return WatchLine.refused(header, hub.full)
    const watcher = hub.watch(watch, () => {
      this.#ready.add(entry)
      this.#options.onReady()
    })
    const entry: Entry = { id: asked === 0n ? this.#freeId() : asked, watcher, fragment, progressNotify, isQuiet: true }
    this.#entries.set(entry.id, entry)
    return WatchLine.created(header, entry.id)
  }

  #freeId(): bigint {
    while (this.#entries.has(this.#nextId)) this.#nextId++
    return this.#nextId++
  }

  /** As in etcd, one that is not there is not answered. */
  #cancel(id: bigint): string | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    const { hub, headerAt } = this.#options
    this.#forget(entry)
    return WatchLine.cancelled(headerAt(hub.revision), id)
  }

  #forget(entry: Entry): void {
    entry.watcher.close()
    this.#entries.delete(entry.id)
    this.#ready.delete(entry)
    this.#due.delete(entry)
  }

  #take(entry: Entry): Iterable<string> | undefined {
    const taken = entry.watcher.take(this.#options.maxLineBytes)
    switch (taken._tag) {
      case "Changes":
        return taken.revisions.length === 0 ? undefined : this.#events(entry, taken)
      case "Compacted":
        this.#forget(entry)
        return [WatchLine.compacted(this.#options.headerAt(0), entry.id, taken.compacted)]
      case "Ended":
        this.#ended = taken.reason
        return undefined
    }
  }

  /** Its header's revision is never ahead of what has been given out, so whoever goes on from there misses nothing. */
  #events(entry: Entry, taken: Extract<Taken, { readonly _tag: "Changes" }>): Iterable<string> {
    const { id, watcher, fragment } = entry
    entry.isQuiet = false
    const revision = taken.done ? taken.upTo : taken.revisions.at(-1)!.revision
    const maxBytes = fragment ? this.#options.maxLineBytes : Number.POSITIVE_INFINITY
    return WatchLine.events(watcher.watch, taken, { header: this.#options.headerAt(revision), id, maxBytes })
  }

  #progress(): Iterable<string> | undefined {
    const { hub, headerAt } = this.#options
    for (const entry of this.#due) {
      this.#due.delete(entry)
      const revision = entry.watcher.progress()
      if (revision !== undefined) return [WatchLine.progress(headerAt(revision), entry.id)]
    }
    if (this.#asked === 0) return undefined
    for (const { watcher } of this.#entries.values()) if (watcher.progress() === undefined) return undefined
    this.#asked--
    return [WatchLine.progress(headerAt(hub.progress), -1n)]
  }
}
