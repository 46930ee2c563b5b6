/**
 * A transaction from JSON. Reading it through goes on after the first thing that is wrong, and tells that one at the end; what etcd
 * checks before it proposes is checked when it is read as a whole (see TxnCheck).
 */
import { maxTxnDepth } from "../codec/KvTxnCodec.ts"
import type { Compare, CompareTarget, Operation, Txn } from "../kv/KvCommand.ts"
import * as TxnCheck from "../kv/TxnCheck.ts"
import { type GatewayError, invalid } from "./GatewayError.ts"
import * as GatewayRequest from "./GatewayRequest.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"
import * as StoreError from "./StoreError.ts"

export interface TxnRequest {
  readonly _tag: "TxnRequest"
  readonly txn: Txn
  /** Nothing in it writes, in whichever branch. */
  readonly isReadOnly: boolean
  /** Nothing in it asks for more than what this replica has. */
  readonly serializable: boolean
}

export const txn = (object: JsonObject, maxRequestBytes: number): TxnRequest | GatewayError => {
  const reading: Reading = { problem: undefined, bytes: 0, isReadOnly: true, serializable: true }
  const read = txnOf(object, reading, 1)
  if (reading.problem !== undefined) return reading.problem
  const problem = TxnCheck.problemOf(read)
  if (problem !== undefined) return StoreError.ofProblem(problem)
  if (reading.bytes > maxRequestBytes) return StoreError.requestTooLarge
  const { isReadOnly, serializable } = reading
  return { _tag: "TxnRequest", txn: read, isReadOnly, serializable: isReadOnly && serializable }
}

/** What is found on the way through. */
interface Reading {
  problem: GatewayError | undefined
  bytes: number
  isReadOnly: boolean
  serializable: boolean
}

const txnOf = (object: JsonObject, reading: Reading, depth: number): Txn => {
  if (depth > maxTxnDepth) {
    reading.problem ??= tooDeep
    return { _tag: "Txn", compares: [], success: [], failure: [] }
  }
  const fields = new RequestFields(object)
  const compares = fields.objects("compare")
  const success = fields.objects("success")
  const failure = fields.objects("failure")
  reading.problem ??= fields.problem
  return {
    _tag: "Txn",
    compares: compares.map((compare) => compareOf(compare, reading)),
    success: success.flatMap((operation) => operationOf(operation, reading, depth)),
    failure: failure.flatMap((operation) => operationOf(operation, reading, depth))
  }
}

const results = { EQUAL: "Equal", GREATER: "Greater", LESS: "Less", NOT_EQUAL: "NotEqual" } as const

const compareOf = (object: JsonObject, reading: Reading): Compare => {
  const fields = new RequestFields(object)
  const result = results[fields.choice("result", "result", ["EQUAL", "GREATER", "LESS", "NOT_EQUAL"])]
  const key = fields.key("key", "key")
  const rangeEnd = GatewayRequest.rangeEndIn(fields)
  const target = targetOf(fields)
  reading.problem ??= fields.problem
  const value = target._tag === "Value" ? target.value : undefined
  reading.bytes += GatewayRequest.sizeOf({ key, rangeEnd, ...(value === undefined ? {} : { value }) })
  return { key, rangeEnd, result, target }
}

/** Of what to compare with only the field counts that goes with the target; but none of them may be wrong. */
const targetOf = (fields: RequestFields): CompareTarget => {
  const target = fields.choice("target", "target", ["VERSION", "CREATE", "MOD", "VALUE", "LEASE"])
  const targets = {
    VERSION: { _tag: "Version", number: fields.int64("version", "version") },
    CREATE: { _tag: "CreateRevision", number: fields.int64("create_revision", "createRevision") },
    MOD: { _tag: "ModRevision", number: fields.int64("mod_revision", "modRevision") },
    VALUE: { _tag: "Value", value: fields.bytes("value", "value") },
    LEASE: { _tag: "Lease", lease: fields.bigInt64("lease", "lease") }
  } as const
  return targets[target]
}

/** One, unless there is something wrong with it. */
const operationOf = (object: JsonObject, reading: Reading, depth: number): ReadonlyArray<Operation> => {
  const fields = new RequestFields(object)
  const range = fields.message("request_range", "requestRange")
  const put = fields.message("request_put", "requestPut")
  const deleteRange = fields.message("request_delete_range", "requestDeleteRange")
  const txn = fields.message("request_txn", "requestTxn")
  reading.problem ??= fields.problem
  const operations = [
    ...(range === undefined ? [] : [rangeOf(range, reading)]),
    ...(put === undefined ? [] : [putOf(put, reading)]),
    ...(deleteRange === undefined ? [] : [deleteRangeOf(deleteRange, reading)]),
    ...(txn === undefined ? [] : [txnOf(txn, reading, depth + 1)])
  ]
  if (operations.length > 1) reading.problem ??= severalOperations
  return operations.length === 0 ? [TxnCheck.nothing] : operations
}

/** etcd has a limit as well, by way of how many operations there may be. */
const tooDeep = invalid(`balsa: transactions are nested deeper than ${maxTxnDepth} levels`)

const severalOperations = invalid(
  "balsa: an operation is one of request_range, request_put, request_delete_range and request_txn, not several"
)

const rangeOf = (object: JsonObject, reading: Reading): Operation => {
  const fields = new RequestFields(object)
  const { query, serializable } = GatewayRequest.rangeIn(fields)
  reading.problem ??= fields.problem
  reading.bytes += GatewayRequest.sizeOf(query)
  reading.serializable &&= serializable
  return query
}

const putOf = (object: JsonObject, reading: Reading): Operation => {
  const fields = new RequestFields(object)
  const put = GatewayRequest.putIn(fields)
  reading.problem ??= fields.problem
  reading.bytes += GatewayRequest.sizeOf(put)
  reading.isReadOnly = false
  return put
}

const deleteRangeOf = (object: JsonObject, reading: Reading): Operation => {
  const fields = new RequestFields(object)
  const deleteRange = GatewayRequest.deleteRangeIn(fields)
  reading.problem ??= fields.problem
  reading.bytes += GatewayRequest.sizeOf(deleteRange)
  reading.isReadOnly = false
  return deleteRange
}
