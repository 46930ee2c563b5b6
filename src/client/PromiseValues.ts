/** Values of a type, for those who do not use Effect. */
import type { Effect, Stream } from "effect"
import type { PutAnswer } from "./GatewayJson.ts"
import type { Bytes, Keys } from "./KeyRange.ts"
import type { KvService, PageOptions } from "./Kv.ts"
import type { RangeOptions } from "./RangeRequest.ts"
import { type Codec, type Entry, type EntryEvent, of } from "./Values.ts"
import type { WatchService } from "./Watch.ts"
import type { WatchOptions } from "./WatchConnection.ts"
import type { Named, PutOptions } from "./WriteRequest.ts"

export interface PromiseValues<A> {
  /** Rejects with ValueUnreadable when something else stands there. */
  readonly get: (key: Bytes, options?: Pick<RangeOptions, "revision" | "serializable">) => Promise<Entry<A> | undefined>
  readonly list: (keys: Keys, options?: Omit<PageOptions, "keysOnly">) => AsyncIterable<Entry<A>>
  /** Rejects with ValueRefused, before anything is sent, when the schema does. */
  readonly put: (key: Bytes, value: A, options?: PutOptions & Named) => Promise<PutAnswer>
  readonly watch: (keys: Keys, options?: Omit<WatchOptions, "previous">) => AsyncIterable<EntryEvent<A>>
  readonly encode: (key: Bytes, value: A) => Promise<Uint8Array>
}

export type Iterate = <A, E>(stream: Stream.Stream<A, E>) => AsyncIterable<A>
export type Run = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

export interface ValuesParts {
  readonly kv: KvService
  readonly watch: WatchService
  readonly run: Run
  readonly iterate: Iterate
}

export const valuesOf = <A>(schema: Codec<A>, { kv, watch, run, iterate }: ValuesParts): PromiseValues<A> => {
  const values = of(schema, kv, watch)
  return {
    get: (key, options) => run(values.get(key, options)),
    list: (keys, options) => iterate(values.stream(keys, options)),
    put: (key, value, options) => run(values.put(key, value, options)),
    watch: (keys, options) => iterate(values.watch(keys, options)),
    encode: (key, value) => run(values.encode(key, value))
  }
}
