/**
 * A range of keys in pages, all as of one revision: that of the first page, unless another one was asked for. A store is larger
 * than one answer should be, and what is there in between can be told.
 */
import { Effect } from "effect"
import type { KeyValue } from "../client/GatewayJson.ts"
import * as KeyRange from "../client/KeyRange.ts"
import type { KvService, Range, RangeError } from "../client/Kv.ts"
import type { RangeOptions } from "../client/RangeRequest.ts"

const firstPageKeys = 1000
const maxPageKeys = 10_000
/** What a page should not exceed by much; one value may. */
const pageBytes = 4 * 1024 * 1024

export interface Taken {
  /** What the first page said: of which revision it is, how many keys there are in all. */
  readonly first: Range
  readonly shown: number
  /** The limit left some out. */
  readonly more: boolean
}

/** `take` gets each page, and the first one beside it. */
export const read = Effect.fnUntraced(function* <E>(
  kv: KvService,
  keys: KeyRange.KeyRange,
  options: RangeOptions,
  take: (page: Range, taken: Taken) => Effect.Effect<void, E>
): Effect.fn.Return<Taken, RangeError | E> {
  const whole = isWhole(keys, options)
  const limit = options.limit === undefined || options.limit === 0 ? Number.POSITIVE_INFINITY : options.limit
  let { key } = keys
  let pageKeys = firstPageKeys
  let taken: Taken | undefined
  while (true) {
    const asked = whole ? options.limit : Math.min(pageKeys, limit - (taken?.shown ?? 0))
    // Zero is the latest, which is another one for each page.
    const revision = options.revision || taken?.first.revision
    const page: Range = yield* kv.range({ key, rangeEnd: keys.rangeEnd }, { ...options, revision, limit: asked })
    const shown: number = (taken?.shown ?? 0) + page.kvs.length
    taken = { first: taken?.first ?? page, shown, more: page.more }
    yield* take(page, taken)
    const last = page.kvs.at(-1)
    if (whole || last === undefined || !page.more || shown >= limit) return taken
    key = KeyRange.after(last.key)
    pageKeys = Math.max(1, Math.min(maxPageKeys, Math.floor((pageBytes * page.kvs.length) / bytesOf(page.kvs))))
  }
})

/** Only what comes in the order of keys can be asked for piece by piece; each piece of the rest would cost as much as all of it. */
const isWhole = ({ rangeEnd }: KeyRange.KeyRange, options: RangeOptions): boolean =>
  rangeEnd === undefined ||
  options.countOnly === true ||
  options.sort !== undefined ||
  [options.minModRevision, options.maxModRevision, options.minCreateRevision, options.maxCreateRevision].some(
    (bound) => bound !== undefined && bound > 0
  )

const bytesOf = (kvs: ReadonlyArray<KeyValue>): number =>
  kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 1)
