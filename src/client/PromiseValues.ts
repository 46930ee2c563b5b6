/** Values of a type, for those who do not use Effect. */
import { Effect, type Stream } from "effect"
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

type Iterate = <A, E>(stream: Stream.Stream<A, E>) => AsyncIterable<A>

export const valuesOf = <A>(
  schema: Codec<A>,
  kv: KvService,
  watch: WatchService,
  iterate: Iterate
): PromiseValues<A> => {
  const values = of(schema, kv, watch)
  return {
    get: (key, options) => Effect.runPromise(values.get(key, options)),
    list: (keys, options) => iterate(values.stream(keys, options)),
    put: (key, value, options) => Effect.runPromise(values.put(key, value, options)),
    watch: (keys, options) => iterate(values.watch(keys, options)),
    encode: (key, value) => Effect.runPromise(values.encode(key, value))
  }
}
