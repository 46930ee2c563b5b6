/** What one of Redis' commands asks of the store, and how the answer reads. */
import type { Key } from "../../kv/KeyValue.ts"
import type { Compare, Operation, OperationResult, Txn } from "../../kv/KvCommand.ts"
import type { RangeQuery } from "../../kv/KvQuery.ts"
import type { RespWriter } from "./RespWriter.ts"

/** Of a word that is one. */
export { parse as integerOf } from "../../kv/Integer.ts"

export type Words = ReadonlyArray<Buffer>

export interface Step {
  readonly operation: Operation
  /** Whether it has to go through the log: it changes something, or asks for the time. */
  readonly logged: boolean
  readonly reply: (result: OperationResult, to: RespWriter) => void
}

/** Of one line, beginning with its code. */
export class RespError {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

export const syntaxError = new RespError("ERR syntax error")
export const notAnInteger = new RespError("ERR value is not an integer or out of range")

/** One byte is one unit. */
export const keyOf = (word: Buffer): Key => word.toString("latin1")

export const nameOf = (word: Buffer): string => word.toString("latin1").toUpperCase()

export const bytesOf = (words: Words): number => words.reduce((sum, word) => sum + word.length, 0)

export const get = (key: Key): RangeQuery => ({
  _tag: "Range",
  key,
  rangeEnd: undefined,
  limit: 0,
  revision: 0,
  keysOnly: false,
  countOnly: false
})

export const exists = (key: Key): Compare => ({
  key,
  rangeEnd: undefined,
  result: "Greater",
  target: { _tag: "Version", number: 0 }
})

export const isAbsent = (key: Key): Compare => ({ ...exists(key), result: "Equal" })

export const all = (operations: ReadonlyArray<Operation>): Txn => choose([], operations, [])

export const choose = (
  compares: ReadonlyArray<Compare>,
  success: ReadonlyArray<Operation>,
  failure: ReadonlyArray<Operation>
): Txn => ({ _tag: "Txn", inOrder: true, compares, success, failure })

/** What came of the branch that was taken. */
export const branchOf = (
  result: OperationResult
): { readonly succeeded: boolean; readonly responses: ReadonlyArray<OperationResult> } =>
  result._tag === "Txn" ? result : { succeeded: false, responses: [] }

export const valueOf = (result: OperationResult | undefined): Uint8Array | undefined => {
  switch (result?._tag) {
    case "Range":
      return result.kvs[0]?.value
    case "Put":
      return result.prevKv?.value
    case "DeleteRange":
      return result.prevKvs[0]?.value
    default:
      return undefined
  }
}

export const deletedIn = (result: OperationResult | undefined): number =>
  result?._tag === "DeleteRange" ? result.deleted : 0

export const replyValue = (result: OperationResult | undefined, to: RespWriter): void => {
  const value = valueOf(result)
  if (value === undefined) to.nothing()
  else to.bulk(value)
}

export const replyOk = (_: OperationResult, to: RespWriter): void => to.ok()
