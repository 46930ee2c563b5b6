/**
 * Transactions: comparisons, what to do when all of them hold, and what to do otherwise. They are values; the types of
 * the answers follow from the operations.
 *
 *     Txn.when(Compare.version("counter").equals(3))
 *       .andThen(Txn.put("counter", "4"), Txn.get("log"))
 *       .orElse(Txn.get("counter"))
 */
import type { Compare } from "./Compare.ts"
import * as Json from "./GatewayJson.ts"
import type { Bytes, Keys } from "./KeyRange.ts"
import { encode as encodeRange, type RangeOptions } from "./RangeRequest.ts"
import {
  type DeleteOptions,
  encodeDelete,
  encodePut,
  encodeTouch,
  type PutOptions,
  type TouchOptions
} from "./WriteRequest.ts"

/** Something to do in a transaction, and what its answer is. */
export interface Operation<out A> {
  readonly _tag: "Operation"
  /** As the gateway takes it. */
  readonly body: Json.Json
  /** `revision` is the transaction's; etcd leaves it out of some parts. */
  readonly decode: (response: Json.Json, revision: number) => A
}

export type Operations = ReadonlyArray<Operation<unknown>>

/** In the order of the operations. */
export type Answers<Ops extends Operations> = {
  readonly [At in keyof Ops]: Ops[At] extends Operation<infer A> ? A : never
}

export type TxnAnswer<Then extends Operations, Else extends Operations> =
  | { readonly succeeded: true; readonly revision: number; readonly answers: Answers<Then> }
  | { readonly succeeded: false; readonly revision: number; readonly answers: Answers<Else> }

export interface Transaction<Then extends Operations, Else extends Operations> {
  readonly compares: ReadonlyArray<Compare>
  readonly success: Then
  readonly failure: Else
  /** In the place of what was said before. */
  readonly andThen: <const Ops extends Operations>(...operations: Ops) => Transaction<Ops, Else>
  readonly orElse: <const Ops extends Operations>(...operations: Ops) => Transaction<Then, Ops>
}

/** Without any comparison the first branch is taken. */
export const when = (...compares: ReadonlyArray<Compare>): Transaction<readonly [], readonly []> =>
  make(compares, [], [])

const make = <const Then extends Operations, const Else extends Operations>(
  compares: ReadonlyArray<Compare>,
  success: Then,
  failure: Else
): Transaction<Then, Else> => ({
  compares,
  success,
  failure,
  andThen: (...operations) => make(compares, operations, failure),
  orElse: (...operations) => make(compares, success, operations)
})

const operation = <A>(
  request: string,
  response: string,
  body: Json.Json,
  decode: (body: Json.Json, revision: number) => A
): Operation<A> => ({
  _tag: "Operation",
  body: { [request]: body },
  decode: (found, revision) => decode(Json.isJson(found[response]) ? found[response] : {}, revision)
})

export const put = (key: Bytes, value: Bytes, options: PutOptions = {}): Operation<Json.PutAnswer> =>
  operation("request_put", "response_put", encodePut(key, value, options), Json.decodePut)

/** Another lease for what is there. */
export const touch = (key: Bytes, options: TouchOptions = {}): Operation<Json.PutAnswer> =>
  operation("request_put", "response_put", encodeTouch(key, options), Json.decodePut)

export const get = (key: Bytes, options: RangeOptions = {}): Operation<Json.KeyValue | undefined> =>
  operation("request_range", "response_range", encodeRange(key, options), (body) => Json.decodeRange(body).kvs[0])

export const range = (keys: Keys, options: RangeOptions = {}): Operation<Json.RangeAnswer> =>
  operation("request_range", "response_range", encodeRange(keys, options), Json.decodeRange)

export const remove = (keys: Keys, options: DeleteOptions = {}): Operation<Json.DeleteAnswer> =>
  operation("request_delete_range", "response_delete_range", encodeDelete(keys, options), Json.decodeDelete)

/** A transaction in a transaction. Its comparisons, too, are made before anything is done: they do not see what stands before it. */
export const nested = <Then extends Operations, Else extends Operations>(
  transaction: Transaction<Then, Else>
): Operation<TxnAnswer<Then, Else>> =>
  operation("request_txn", "response_txn", encode(transaction), (body, revision) => decode(transaction, body, revision))

export const encode = ({ compares, success, failure }: Transaction<Operations, Operations>): Json.Json => ({
  compare: compares.map(({ body }) => body),
  success: success.map(({ body }) => body),
  failure: failure.map(({ body }) => body)
})

export const decode = <Then extends Operations, Else extends Operations>(
  { success, failure }: Pick<Transaction<Then, Else>, "success" | "failure">,
  body: Json.Json,
  revision = Json.revisionOf(body)
): TxnAnswer<Then, Else> => {
  const responses = Array.isArray(body["responses"]) ? body["responses"] : []
  // False is left out.
  return body["succeeded"] === true
    ? { succeeded: true, revision, answers: answersOf(success, responses, revision) }
    : { succeeded: false, revision, answers: answersOf(failure, responses, revision) }
}

/** An answer for each operation, whatever came: what is missing is as if it had found nothing. */
const answersOf = <Ops extends Operations>(
  operations: Ops,
  responses: ReadonlyArray<unknown>,
  revision: number
): Answers<Ops> =>
  operations.map(({ decode }, at) => {
    const response = responses[at]
    return decode(Json.isJson(response) ? response : {}, revision)
  }) as Answers<Ops>
