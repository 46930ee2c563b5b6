/** What commands and results take, about: for the limits on what is in flight, and on what sessions keep. */
import type { Key, KeyRange, KeyValue } from "./KeyValue.ts"
import type { Compare, KvCommand, KvResult, Operation, OperationResult } from "./KvCommand.ts"

/** Besides keys and values. */
const overheadBytes = 32
const idBytes = 8

export const sizeOf = (command: KvCommand | Operation): number => {
  switch (command._tag) {
    case "Put":
      return overheadBytes + command.key.length + command.value.byteLength
    case "DeleteRange":
    case "Range":
      return overheadBytes + sizeOfKeys(command)
    case "Txn": {
      const { compares, success, failure } = command
      return overheadBytes + sum(compares, sizeOfCompare) + sum(success, sizeOf) + sum(failure, sizeOf)
    }
    case "Merge":
      return overheadBytes + command.key.length + (command.by._tag === "Append" ? command.by.bytes.byteLength : 0)
    case "TimeToLive":
      return overheadBytes + command.key.length
    case "Compact":
    case "LeaseGrant":
    case "LeaseRevoke":
    case "LeaseKeepAlive":
    case "LeaseTimeToLive":
      return overheadBytes
    case "LeaseExpire":
      return overheadBytes + idBytes * command.ids.length
  }
}

const sizeOfCompare = (compare: Compare): number =>
  overheadBytes + sizeOfKeys(compare) + (compare.target._tag === "Value" ? compare.target.value.byteLength : 0)

const sizeOfKeys = ({ key, rangeEnd }: KeyRange): number => key.length + (rangeEnd?.length ?? 0)

/** In memory. */
export const weigh = (result: KvResult | OperationResult): number => {
  switch (result._tag) {
    case "Put":
      return overheadBytes + (result.prevKv === undefined ? 0 : weighPair(result.prevKv))
    case "DeleteRange":
      return overheadBytes + sum(result.prevKvs, weighPair)
    case "Range":
      return overheadBytes + sum(result.kvs, weighPair)
    case "Txn":
      return overheadBytes + sum(result.responses, weigh)
    case "LeaseTimeToLive":
      return overheadBytes + sum(result.keys, weighKey)
    case "Compact":
    case "LeaseGrant":
    case "LeaseRevoke":
    case "LeaseKeepAlive":
    case "LeaseExpire":
    case "Merge":
    case "TimeToLive":
    case "Rejected":
    case "UnknownCommand":
      return overheadBytes
  }
}

const weighPair = (kv: KeyValue): number => 2 * overheadBytes + kv.key.length + kv.value.byteLength

const weighKey = (key: Key): number => overheadBytes + key.length

const sum = <A>(all: ReadonlyArray<A>, weight: (one: A) => number): number =>
  all.reduce((total, one) => total + weight(one), 0)
