/**
 * Values of a type instead of bytes: written as the JSON of their schema, and read by it. What stands under a key and
 * does not fit is an error that names the key.
 */
import { Data, Effect, Exit, Schema, Stream } from "effect"
import type { KeyValue, PutAnswer } from "./GatewayJson.ts"
import { type Bytes, type Keys, toBytes } from "./KeyRange.ts"
import type { KvService, PageOptions, RangeError, TouchError } from "./Kv.ts"
import type { RangeOptions } from "./RangeRequest.ts"
import type { WatchError, WatchService } from "./Watch.ts"
import type { WatchOptions } from "./WatchConnection.ts"
import type { Named, PutOptions } from "./WriteRequest.ts"

/** A schema that needs no services. */
export type Codec<A> = Schema.Codec<A, unknown>

const quoted = (key: Uint8Array): string => JSON.stringify(Buffer.from(key).toString())

/** The schema refuses what is to be written; nothing was sent. */
export class ValueRefused extends Data.TaggedError("ValueRefused")<{
  readonly key: Uint8Array
  readonly reason: string
}> {
  override get message(): string {
    return `the value for ${quoted(this.key)} does not fit its schema: ${this.reason}`
  }
}

/** What stands under the key is no such value. */
export class ValueUnreadable extends Data.TaggedError("ValueUnreadable")<{
  readonly key: Uint8Array
  readonly modRevision: number
  readonly reason: string
}> {
  override get message(): string {
    return `what stands under ${quoted(this.key)} (revision ${this.modRevision}) is no such value: ${this.reason}`
  }
}

/** A key with a value of the type. */
export interface Entry<A> extends Omit<KeyValue, "value"> {
  readonly value: A
}

export type EntryEvent<A> =
  | { readonly _tag: "Put"; readonly entry: Entry<A> }
  | { readonly _tag: "Delete"; readonly key: Uint8Array; readonly modRevision: number }

export interface Values<A> {
  readonly get: (
    key: Bytes,
    options?: Pick<RangeOptions, "revision" | "serializable">
  ) => Effect.Effect<Entry<A> | undefined, RangeError | ValueUnreadable>
  /** All of a range as of one revision, in the order of keys. */
  readonly stream: (
    keys: Keys,
    options?: Omit<PageOptions, "keysOnly">
  ) => Stream.Stream<Entry<A>, RangeError | ValueUnreadable>
  readonly put: (
    key: Bytes,
    value: A,
    options?: PutOptions & Named
  ) => Effect.Effect<PutAnswer, TouchError | ValueRefused>
  readonly watch: (
    keys: Keys,
    options?: Omit<WatchOptions, "previous">
  ) => Stream.Stream<EntryEvent<A>, WatchError | ValueUnreadable>
  /** For transactions and comparisons. */
  readonly encode: (key: Bytes, value: A) => Effect.Effect<Uint8Array, ValueRefused>
  readonly decode: (kv: KeyValue) => Effect.Effect<Entry<A>, ValueUnreadable>
}

export const of = <A>(schema: Codec<A>, kv: KvService, watch: WatchService): Values<A> => {
  const codec = Schema.fromJsonString(Schema.toCodecJson(schema))
  const encodeText = Schema.encodeUnknownExit(codec)
  const decodeText = Schema.decodeUnknownExit(codec)
  const encode: Values<A>["encode"] = (key, value) => {
    const text = attempt(() => encodeText(value))
    return text._tag === "Made"
      ? Effect.succeed(Buffer.from(text.made))
      : new ValueRefused({ key: toBytes(key), reason: text.reason })
  }
  const decode: Values<A>["decode"] = (kv) => {
    const value = attempt(() => decodeText(utf8.decode(kv.value)))
    const { key, modRevision } = kv
    return value._tag === "Made"
      ? Effect.succeed({ ...kv, value: value.made })
      : new ValueUnreadable({ key, modRevision, reason: value.reason })
  }
  return {
    encode,
    decode,
    get: (key, options) =>
      Effect.flatMap(
        kv.get(key, options),
        (found): Effect.Effect<Entry<A> | undefined, ValueUnreadable> =>
          found === undefined ? Effect.undefined : decode(found)
      ),
    stream: (keys, options) => Stream.mapEffect(kv.stream(keys, options), decode),
    put: (key, value, options) => Effect.flatMap(encode(key, value), (bytes) => kv.put(key, bytes, options)),
    watch: (keys, options) =>
      Stream.mapEffect(
        watch.events(keys, options),
        ({ _tag, kv }): Effect.Effect<EntryEvent<A>, ValueUnreadable> =>
          _tag === "Put"
            ? Effect.map(decode(kv), (entry) => ({ _tag, entry }))
            : Effect.succeed({ _tag, key: kv.key, modRevision: kv.modRevision })
      )
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

type Attempt<T> = { readonly _tag: "Made"; readonly made: T } | { readonly _tag: "Refused"; readonly reason: string }

/** A transformation of the user's may throw, and so do bytes that are no text. */
const attempt = <T>(make: () => Exit.Exit<T, Schema.SchemaError>): Attempt<T> => {
  try {
    const exit = make()
    if (Exit.isSuccess(exit)) return { _tag: "Made", made: exit.value }
    for (const reason of exit.cause.reasons) {
      if (reason._tag === "Fail") return { _tag: "Refused", reason: reason.error.message }
      if (reason._tag === "Die") return { _tag: "Refused", reason: String(reason.defect) }
    }
    return { _tag: "Refused", reason: "it was interrupted" }
  } catch (error) {
    return { _tag: "Refused", reason: String(error) }
  }
}
