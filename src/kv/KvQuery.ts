/** What reads the store, and the answers. */
import type { KeyRange, KeyValue } from "./KeyValue.ts"
import type { Txn, TxnResult } from "./KvCommand.ts"

export interface RangeQuery extends KeyRange {
  readonly _tag: "Range"
  /** At most so many pairs; 0 is no limit. Sorting and filtering come first. */
  readonly limit: number
  /** 0 is the present. */
  readonly revision: number
  readonly keysOnly: boolean
  readonly countOnly: boolean
  /** In ascending order of keys where it is absent. Equal ones are in ascending order of keys. */
  readonly sort?: Sort
  /** Pairs outside are left out; 0 or absent is no bound. `count` counts them all the same, as in etcd. */
  readonly minModRevision?: number
  readonly maxModRevision?: number
  readonly minCreateRevision?: number
  readonly maxCreateRevision?: number
}

export interface Sort {
  readonly order: "None" | "Ascend" | "Descend"
  readonly target: "Key" | "Version" | "Create" | "Mod" | "Value"
}

/** A transaction that is queried has ranges and nested transactions only. */
export type KvQuery = RangeQuery | Txn | { readonly _tag: "Leases" }

export interface RangeAnswer {
  readonly _tag: "Range"
  /** The store's revision when it was read. */
  readonly revision: number
  /** With `keysOnly` their values are empty. */
  readonly kvs: ReadonlyArray<KeyValue>
  /** Whether `limit` left some out. */
  readonly more: boolean
  /** How many keys are in the range, `limit` or not. */
  readonly count: number
}

export interface LeasesAnswer {
  readonly _tag: "Leases"
  readonly revision: number
  /** Those that expire first come first. */
  readonly ids: ReadonlyArray<bigint>
}

export type KvAnswer =
  | RangeAnswer
  | TxnResult
  | LeasesAnswer
  | { readonly _tag: "FutureRevision" | "TooMuchRead"; readonly revision: number }
  /** `compacted` is the first revision that can still be read. */
  | { readonly _tag: "Compacted"; readonly revision: number; readonly compacted: number }
