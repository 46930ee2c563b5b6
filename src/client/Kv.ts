/**
 * The store: what is under a key or a range of keys, writing, deleting, transactions. Text is UTF-8 where bytes
 * are wanted; what comes back are bytes.
 */
import { Context, Effect, Layer, Option, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { expecting, type RequestError } from "./ClientError.ts"
import { ask, type Cluster, type Staleness, stalenessIn } from "./Gateway.ts"
import * as Json from "./GatewayJson.ts"
import * as KeyRange from "./KeyRange.ts"
import { encode as encodeRange, flag, integer, type RangeOptions } from "./RangeRequest.ts"
import { Connection } from "./Connection.ts"
import {
  type Compacted,
  type DuplicateKey,
  type FutureRevision,
  type KeyNotFound,
  type LeaseNotFound,
  type NoSpace,
  RequestRefused,
  type TooManyOperations
} from "./Refusal.ts"
import * as Txn from "./Txn.ts"
import * as Write from "./WriteRequest.ts"

export type RangeError = RequestError | Compacted | FutureRevision
export type PutError = RequestError | LeaseNotFound | NoSpace
export type TouchError = PutError | KeyNotFound
export type TxnError = TouchError | RangeError | TooManyOperations | DuplicateKey

/** With what Balsa says of the age of a serializable answer. */
export type Range = Json.RangeAnswer & { readonly staleness: Staleness | undefined }

export interface PageOptions extends Pick<RangeOptions, "revision" | "keysOnly" | "serializable"> {
  /** So many keys are asked for at once; 1000 if nothing is said. */
  readonly pageSize?: number | undefined
}

export interface KvService {
  readonly get: (
    key: KeyRange.Bytes,
    options?: Pick<RangeOptions, "revision" | "serializable" | "keysOnly">
  ) => Effect.Effect<Json.KeyValue | undefined, RangeError>
  readonly range: (keys: KeyRange.Keys, options?: RangeOptions) => Effect.Effect<Range, RangeError>
  /**
   * All of a range, page by page in the order of keys, as of one revision: that of the first page unless one is given. Fails with
   * `Compacted` when the store forgets that revision before the end.
   */
  readonly stream: (keys: KeyRange.Keys, options?: PageOptions) => Stream.Stream<Json.KeyValue, RangeError>
  readonly put: (
    key: KeyRange.Bytes,
    value: KeyRange.Bytes,
    options?: Write.PutOptions & Write.Named
  ) => Effect.Effect<Json.PutAnswer, TouchError>
  /** Another lease for what is there, or none; the value stays. */
  readonly touch: (
    key: KeyRange.Bytes,
    options?: Write.TouchOptions & Write.Named
  ) => Effect.Effect<Json.PutAnswer, TouchError>
  readonly delete: (
    keys: KeyRange.Keys,
    options?: Write.DeleteOptions & Write.Named
  ) => Effect.Effect<Json.DeleteAnswer, RequestError>
  readonly txn: <Then extends Txn.Operations, Else extends Txn.Operations>(
    transaction: Txn.Transaction<Then, Else>
  ) => Effect.Effect<Txn.TxnAnswer<Then, Else>, TxnError>
  /**
   * Forgets what was overwritten or deleted before `revision`. It is sent again after an answer that was lost, so
   * `Compacted` may also mean that the first one had worked.
   */
  readonly compact: (
    revision: number,
    options?: {
      /** Answers when the space is free, not when it is decided. */
      readonly physical?: boolean | undefined
    }
  ) => Effect.Effect<{ readonly revision: number }, RequestError | Compacted | FutureRevision>
}

export class Kv extends Context.Service<Kv, KvService>()("balsa/client/Kv") {
  static readonly layer: Layer.Layer<Kv, never, Connection> = Layer.effect(
    Kv,
    Effect.map(Connection, (cluster) => make(cluster))
  )
}

export const make = (cluster: Cluster): KvService => {
  const range: KvService["range"] = (keys, options = {}) =>
    ask(cluster, { path: "/v3/kv/range", body: encodeRange(keys, options), write: false }).pipe(
      Effect.map(({ body, headers }) => ({ ...Json.decodeRange(body), staleness: stalenessIn(headers) })),
      expecting("Compacted", "FutureRevision")
    )
  /** A write that Balsa carries out once, under the name that it has or gets. */
  const write = Effect.fnUntraced(function* (path: string, body: Json.Json, given: string | undefined) {
    if (given !== undefined && !Write.isIdempotencyKey(given)) return yield* badName(cluster)
    const idempotencyKey = given ?? (cluster.idempotencyKeys === true ? yield* uniqueName : undefined)
    return yield* ask(cluster, { path, body, write: true, idempotencyKey, repeatable: cluster.idempotencyKeys })
  })
  const put = (body: Json.Json, name: string | undefined): Effect.Effect<Json.PutAnswer, TouchError> =>
    write("/v3/kv/put", body, name).pipe(
      Effect.map(({ body }) => Json.decodePut(body)),
      expecting("LeaseNotFound", "NoSpace", "KeyNotFound")
    )
  return {
    range,
    get: (key, options = {}) => Effect.map(range(key, options), ({ kvs }) => kvs[0]),
    stream: (keys, options = {}) => pages(range, KeyRange.of(keys), options),
    put: (key, value, options = {}) => put(Write.encodePut(key, value, options), options.idempotencyKey),
    touch: (key, options = {}) => put(Write.encodeTouch(key, options), options.idempotencyKey),
    delete: (keys, options = {}) =>
      write("/v3/kv/deleterange", Write.encodeDelete(keys, options), options.idempotencyKey).pipe(
        Effect.map(({ body }) => Json.decodeDelete(body)),
        expecting<never>()
      ),
    txn: (transaction) => runTxn(cluster, transaction, false),
    compact: (revision, options = {}) =>
      ask(cluster, {
        path: "/v3/kv/compaction",
        body: { ...integer("revision", revision), ...flag("physical", options.physical) },
        write: true,
        repeatable: true
      }).pipe(
        Effect.map(({ body }) => ({ revision: Json.revisionOf(body) })),
        expecting("Compacted", "FutureRevision")
      )
  }
}

/** `repeatable`: it has the same effect and the same answer when it is carried out twice. */
export const runTxn = <Then extends Txn.Operations, Else extends Txn.Operations>(
  cluster: Cluster,
  transaction: Txn.Transaction<Then, Else>,
  repeatable: boolean
): Effect.Effect<Txn.TxnAnswer<Then, Else>, TxnError> =>
  ask(cluster, { path: "/v3/kv/txn", body: Txn.encode(transaction), write: true, repeatable }).pipe(
    Effect.map(({ body }) => Txn.decode(transaction, body)),
    expecting(
      "Compacted",
      "FutureRevision",
      "LeaseNotFound",
      "NoSpace",
      "KeyNotFound",
      "TooManyOperations",
      "DuplicateKey"
    )
  )

/** Not from a seed: two clients with one seed would take each other's puts for their own. */
const uniqueName: Effect.Effect<string> = Effect.sync(() => randomUUID())

/** Nothing was sent. */
const badName = ({ endpoints: [endpoint = nowhere] }: Cluster): RequestRefused => {
  const reason = "idempotencyKey takes 1 to 255 printable ASCII characters, without space at either end"
  return new RequestRefused({ endpoint, reason, status: 0, kind: "Invalid" })
}

const nowhere = { host: "nowhere", port: 0 }

const pages = (
  range: KvService["range"],
  keys: KeyRange.KeyRange,
  { pageSize = 1000, ...options }: PageOptions
): Stream.Stream<Json.KeyValue, RangeError> =>
  Stream.paginate(
    // Zero is the latest, which is another one for each page.
    { keys, revision: options.revision === 0 ? undefined : options.revision },
    Effect.fnUntraced(function* ({ keys, revision }) {
      const page = yield* range(keys, { ...options, revision, limit: pageSize })
      const last = page.kvs.at(-1)
      const next =
        page.more && last !== undefined
          ? Option.some({
              keys: { key: KeyRange.after(last.key), rangeEnd: keys.rangeEnd },
              revision: revision ?? page.revision
            })
          : Option.none()
      return [page.kvs, next] as const
    })
  )
