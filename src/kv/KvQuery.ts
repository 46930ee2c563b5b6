/** What reads the store, and the answers. */
import type { KeyRange, KeyValue } from "./KeyValue.ts"

export interface KvQuery extends KeyRange {
  readonly _tag: "Range"
  /** At most so many pairs; 0 is no limit. */
  readonly limit: number
  /** 0 is the present; another revision is answered only while it is the present one. */
  readonly revision: number
  readonly keysOnly: boolean
  readonly countOnly: boolean
}

export type KvAnswer =
  | {
      readonly _tag: "Range"
      /** The store's revision when it was read. */
      readonly revision: number
      /** In key order; with `keysOnly` their values are empty. */
      readonly kvs: ReadonlyArray<KeyValue>
      /** Whether `limit` left some out. */
      readonly more: boolean
      /** How many keys are in the range, `limit` or not. */
      readonly count: number
    }
  | { readonly _tag: "FutureRevision"; readonly revision: number }
  | { readonly _tag: "Compacted"; readonly revision: number }
