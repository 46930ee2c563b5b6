/**
 * What changes the store, and what doing so gives. One command is one revision, or none if it changes nothing.
 * A revision below 0 or beyond 2^53 does not exist; ids of leases are whole numbers of 64 bits with their sign,
 * other than 0.
 */
import type { Key, KeyRange, KeyValue } from "./KeyValue.ts"
import type { RangeAnswer, RangeQuery } from "./KvQuery.ts"

/** The first version of the store's commands that has anything but plain puts and delete ranges. */
export const historySince = 3

export interface Put {
  readonly _tag: "Put"
  readonly key: Key
  readonly value: Uint8Array
  readonly prevKv: boolean
  /** The lease with which it goes; 0 or absent is none. */
  readonly lease?: bigint
  /**
   * It goes by itself so many milliseconds later, by the cluster's time: it gets a lease of its own, which ends with it or with
   * the next put. `lease` is none then.
   */
  readonly ttlMillis?: number
  /** Keeps the value that there is; refused with `KeyNotFound` where there is none. `value` is empty. */
  readonly ignoreValue?: boolean
  /** Keeps the lease that there is; refused with `KeyNotFound` where there is no such key. `lease` is none. */
  readonly ignoreLease?: boolean
}

export interface DeleteRange extends KeyRange {
  readonly _tag: "DeleteRange"
  readonly prevKv: boolean
}

/**
 * Compares, all of which must hold for `success`; otherwise `failure` is carried out. Atomic, and one revision. The compares of a
 * nested transaction are about the store before the outermost one has changed anything, as in etcd.
 */
export interface Txn {
  readonly _tag: "Txn"
  readonly compares: ReadonlyArray<Compare>
  readonly success: ReadonlyArray<Operation>
  readonly failure: ReadonlyArray<Operation>
  /**
   * Nested transactions compare what there is when they are reached (Redis' MULTI), and nothing is checked beforehand: a put
   * that may not be keeps from nothing else, and answers as it would alone.
   */
  readonly inOrder?: boolean
}

/** Makes a value from the one that there is, or from none; its lease stays. */
export interface Merge {
  readonly _tag: "Merge"
  readonly key: Key
  readonly by: /** To a decimal number of 64 bits with its sign, 0 where there is none. */
  { readonly _tag: "Add"; readonly amount: bigint } | { readonly _tag: "Append"; readonly bytes: Uint8Array }
}

/** How long a key has before it goes with its lease. It reads only, but the log alone tells the time: it is part of commands, not of queries. */
export interface TimeToLive {
  readonly _tag: "TimeToLive"
  readonly key: Key
}

export type Operation = Put | DeleteRange | RangeQuery | Txn | Merge | TimeToLive

/** Holds for a range if it holds for each key in it. A key that is not there has zeros, and no value that compares. */
export interface Compare extends KeyRange {
  readonly result: "Equal" | "Greater" | "Less" | "NotEqual"
  readonly target: CompareTarget
}

export type CompareTarget =
  | { readonly _tag: "Version" | "CreateRevision" | "ModRevision"; readonly number: number }
  | { readonly _tag: "Value"; readonly value: Uint8Array }
  | { readonly _tag: "Lease"; readonly lease: bigint }

/** Revisions before `revision` cannot be read any more. */
export interface Compact {
  readonly _tag: "Compact"
  readonly revision: number
}

export type LeaseCommand =
  /** `id` is one that is not taken. A TTL below the least one is raised to it (see Leases). */
  | { readonly _tag: "LeaseGrant"; readonly id: bigint; readonly ttlSeconds: number }
  /** Deletes the keys that are attached to it, as one revision. */
  | { readonly _tag: "LeaseRevoke"; readonly id: bigint }
  | { readonly _tag: "LeaseKeepAlive"; readonly id: bigint }
  /**
   * Revokes those whose time is over by the cluster's time, all as one revision, in this order and as many as one command may (see
   * Leases.take); what was kept alive meanwhile stays. At least one, and at most Leases.maxExpired are named.
   */
  | { readonly _tag: "LeaseExpire"; readonly ids: ReadonlyArray<bigint> }
  /** Changes nothing; it is in the log because that is what tells the cluster's time. */
  | { readonly _tag: "LeaseTimeToLive"; readonly id: bigint; readonly keys: boolean }

export type KvCommand = Put | DeleteRange | Txn | Merge | Compact | LeaseCommand

export interface PutResult {
  readonly _tag: "Put"
  readonly revision: number
  readonly prevKv: KeyValue | undefined
}

export interface DeleteRangeResult {
  readonly _tag: "DeleteRange"
  readonly revision: number
  readonly deleted: number
  /** In key order; empty unless asked for. */
  readonly prevKvs: ReadonlyArray<KeyValue>
}

export interface TxnResult {
  readonly _tag: "Txn"
  readonly revision: number
  readonly succeeded: boolean
  /** One for each operation of the branch that was taken, in their order; their revisions are as of then. */
  readonly responses: ReadonlyArray<OperationResult>
}

export interface MergeResult {
  readonly _tag: "Merge"
  readonly revision: number
  /**
   * The number that there is now, or how many bytes there are; or why nothing was changed: no such number, one that 64 bits do not
   * hold, or more bytes than may be (see Txns.maxMergedBytes).
   */
  readonly value: bigint | "NotANumber" | "Overflow" | "TooLong"
}

export interface TimeToLiveResult {
  readonly _tag: "TimeToLive"
  readonly revision: number
  /** -2 where there is no such key, -1 where it has no lease. */
  readonly ttlMillis: number
}

export type OperationResult =
  | PutResult
  | DeleteRangeResult
  | RangeAnswer
  | TxnResult
  | MergeResult
  | TimeToLiveResult
  | Rejected

/** Nothing was changed. */
export interface Rejected {
  readonly _tag: "Rejected"
  readonly revision: number
  readonly reason: Rejection
  readonly compacted: number
}

/** `revision` is the store's after the command, as etcd's header has it. */
export type KvResult =
  | PutResult
  | DeleteRangeResult
  | TxnResult
  | MergeResult
  | Rejected
  | { readonly _tag: "Compact"; readonly revision: number }
  | { readonly _tag: "LeaseGrant"; readonly revision: number; readonly id: bigint; readonly ttlSeconds: number }
  | { readonly _tag: "LeaseRevoke"; readonly revision: number }
  /** The TTL that it was granted, and has anew; 0 where there is no such lease, or its time is over. */
  | { readonly _tag: "LeaseKeepAlive"; readonly revision: number; readonly id: bigint; readonly ttlSeconds: number }
  /** How many of them have expired. */
  | { readonly _tag: "LeaseExpire"; readonly revision: number; readonly expired: number }
  | {
      readonly _tag: "LeaseTimeToLive"
      readonly revision: number
      readonly id: bigint
      /** Whole seconds that are left, 0 where its time is over; -1 where there is no such lease. */
      readonly ttlSeconds: number
      /** The same, exactly. */
      readonly ttlMillis: number
      readonly grantedTtlSeconds: number
      /** In byte order; empty unless asked for. */
      readonly keys: ReadonlyArray<Key>
    }
  /** The bytes in the log are no command that this version knows; nothing was changed. */
  | { readonly _tag: "UnknownCommand"; readonly revision: number }

export type Rejection =
  | "KeyNotFound"
  | "LeaseNotFound"
  | "LeaseExists"
  | "LeaseTtlTooLarge"
  /** A revision that is to be read or compacted is compacted already; `compacted` is the first that is not. */
  | "Compacted"
  | "FutureRevision"
  /** By a transaction, all in all (see Txns.maxLooked). */
  | "TooMuchRead"
