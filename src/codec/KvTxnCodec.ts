/**
 * Transactions as bytes; KvOperationCodec has what is in them:
 *
 *     Txn          how many compares (4), and they; operations of success, then of failure: how many (4),
 *                  then each with its kind (1: 1 Put, 2 DeleteRange, 3 Range, 4 Txn, 11 Txn in order, 12 Merge,
 *                  13 TimeToLive)
 *     TimeToLive   key
 *     compare      result (1), target (1), whether there is a rangeEnd (1), key, rangeEnd if there is one,
 *                  then what it compares with: a number, a value, or a lease's id (8)
 *
 * Enumerations count from 0 in the order in which they are listed below, which is etcd's.
 */
import type { Compare, CompareTarget, Operation, Txn } from "../kv/KvCommand.ts"
import type { Reader } from "./Bytes.ts"
import { readBoolean, writeBoolean } from "./Fields.ts"
import {
  type CommandWriter,
  fixedBytes,
  kinds,
  readDeleteRange,
  readMany,
  readMerge,
  readOneOf,
  readPut,
  readRange,
  readWhole,
  writeDeleteRange,
  writeMerge,
  writePut,
  writeRange
} from "./KvOperationCodec.ts"

/** The outermost transaction counts. Deeper ones are no commands: bytes must not be able to exhaust the stack. */
export const maxTxnDepth = 16

const results: ReadonlyArray<Compare["result"]> = ["Equal", "Greater", "Less", "NotEqual"]
const targets: ReadonlyArray<CompareTarget["_tag"]> = ["Version", "CreateRevision", "ModRevision", "Value", "Lease"]
export const kindOf = (operation: Operation): number =>
  operation._tag === "Txn" && operation.inOrder === true ? kinds.TxnInOrder : kinds[operation._tag]

export const writeTxn = (to: CommandWriter, { compares, success, failure }: Txn, depth = 1): void => {
  if (depth > maxTxnDepth) return to.refuse()
  to.u32(compares.length)
  for (const compare of compares) writeCompare(to, compare)
  for (const operations of [success, failure]) {
    to.u32(operations.length)
    for (const operation of operations) writeOperation(to, operation, depth)
  }
}

const writeOperation = (to: CommandWriter, operation: Operation, depth: number): void => {
  to.u8(kindOf(operation))
  switch (operation._tag) {
    case "Put":
      return writePut(to, operation)
    case "DeleteRange":
      return writeDeleteRange(to, operation)
    case "Range":
      return writeRange(to, operation)
    case "Merge":
      return writeMerge(to, operation)
    case "TimeToLive":
      return to.latin1(operation.key)
    case "Txn":
      return writeTxn(to, operation, depth + 1)
  }
}

/** Of one as most are: without nested ones and leases. */
export const roomForTxn = ({ compares, success, failure }: Txn): number =>
  compares.length * roomForCompare + roomForOperations(success) + roomForOperations(failure)

const roomForCompare = 64

const roomForOperations = (operations: ReadonlyArray<Operation>): number => {
  let bytes = 0
  for (const operation of operations) {
    // Its kind stands where a command's version and kind stand.
    bytes += fixedBytes - 1
    if (operation._tag === "Put") bytes += operation.key.length + operation.value.byteLength
    else if (operation._tag === "Txn") bytes += roomForTxn(operation)
    else bytes += operation.key.length + 16
  }
  return bytes
}

export const readTxn = (from: Reader, depth = 1): Txn => {
  if (depth > maxTxnDepth) from.fail()
  const compares = readMany(from, readCompare)
  const success = readMany(from, () => readOperation(from, depth))
  return { _tag: "Txn", compares, success, failure: readMany(from, () => readOperation(from, depth)) }
}

const readOperation = (from: Reader, depth: number): Operation => {
  switch (from.u8()) {
    case kinds.DeleteRange:
      return readDeleteRange(from)
    case kinds.Range:
      return readRange(from)
    case kinds.Merge:
      return readMerge(from)
    case kinds.TimeToLive:
      return { _tag: "TimeToLive", key: from.latin1() }
    case kinds.Txn:
      return readTxn(from, depth + 1)
    case kinds.TxnInOrder:
      return { ...readTxn(from, depth + 1), inOrder: true }
    case kinds.Put:
      break
    default:
      from.fail()
  }
  return readPut(from)
}

const writeCompare = (to: CommandWriter, { key, rangeEnd, result, target }: Compare): void => {
  to.u8(results.indexOf(result))
  to.u8(targets.indexOf(target._tag))
  writeBoolean(to, rangeEnd !== undefined)
  to.latin1(key)
  if (rangeEnd !== undefined) to.latin1(rangeEnd)
  switch (target._tag) {
    case "Value":
      return to.bytes(target.value)
    case "Lease":
      return to.id(target.lease)
    default:
      return to.whole(target.number)
  }
}

const readCompare = (from: Reader): Compare => {
  const result = readOneOf(from, results)
  const target = readOneOf(from, targets)
  const ranged = readBoolean(from)
  const key = from.latin1()
  const rangeEnd = ranged ? from.latin1() : undefined
  return { key, rangeEnd, result, target: readTarget(from, target) }
}

const readTarget = (from: Reader, _tag: CompareTarget["_tag"]): CompareTarget => {
  switch (_tag) {
    case "Value":
      return { _tag, value: from.bytes() }
    case "Lease":
      return { _tag, lease: from.i64() }
    default:
      return { _tag, number: readWhole(from) }
  }
}
