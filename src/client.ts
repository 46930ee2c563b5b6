/**
 * A client for Balsa and for etcd (3.4 and later), over the JSON gateway of both. `Client.layer` is where to begin with Effect,
 * `connect` without; the README and `examples/client` show how.
 */
export * as Client from "./client/Client.ts"
export {
  type Attempt,
  ClientClosed,
  ClusterUnavailable,
  OutcomeUnknown,
  ReadUnanswered,
  type RequestError,
  UnexpectedAnswer
} from "./client/ClientError.ts"
export * as Compare from "./client/Compare.ts"
export { type ClientOptions, Connection, InvalidClientOptions } from "./client/Connection.ts"
export { Election, type ElectionService, type Leader, type Leadership, NotLeader } from "./client/Election.ts"
export type { Endpoint } from "./client/Endpoint.ts"
export type { DeleteAnswer, KeyValue, PutAnswer, RangeAnswer } from "./client/GatewayJson.ts"
export { type HeldLease, LeaseLost } from "./client/HeldLease.ts"
export { all, between, type Bytes, fromKey, type KeyRange, type Keys, prefixRange } from "./client/KeyRange.ts"
export {
  Kv,
  type KvService,
  type PageOptions,
  type PutError,
  type Range,
  type RangeError,
  type TouchError,
  type TxnError
} from "./client/Kv.ts"
export { type GrantOptions, Lease, type LeaseService, type TimeToLive } from "./client/Lease.ts"
export { fromHex, LeaseId, toHex } from "./client/LeaseId.ts"
export { type HeldLock, Lock, type LockError, type LockOptions, type LockService } from "./client/Lock.ts"
export { connect, type PromiseClient } from "./client/PromiseClient.ts"
export type { Held, PromiseLeadership, PromiseLease, PromiseLock } from "./client/PromiseHeld.ts"
export type { PromiseValues } from "./client/PromiseValues.ts"
export type { RangeOptions, SortTarget } from "./client/RangeRequest.ts"
export {
  Compacted,
  DuplicateKey,
  FutureRevision,
  KeyNotFound,
  LeaseExists,
  LeaseNotFound,
  NoSpace,
  RequestRefused,
  TooManyOperations,
  Unauthorized
} from "./client/Refusal.ts"
export * as Txn from "./client/Txn.ts"
export { type Codec, type Entry, type EntryEvent, ValueRefused, ValueUnreadable } from "./client/Values.ts"
export * as Values from "./client/Values.ts"
export { Watch, type WatchError, type WatchService } from "./client/Watch.ts"
export type { WatchOptions } from "./client/WatchConnection.ts"
export type { WatchBatch } from "./client/WatchCursor.ts"
export type { WatchEvent } from "./client/WatchResponse.ts"
export type { DeleteOptions, PutOptions, TouchOptions } from "./client/WriteRequest.ts"
