/**
 * The key-value store with sessions around it: what Balsa's server replicates. Version 1 of its commands is
 * the store's own; version 2 has sessions, version 3 history, transactions and leases.
 */
import { historySince, type KvCommand, type KvResult } from "../kv/KvCommand.ts"
import { identify } from "../kv/KvDigest.ts"
import { KvMachine, unknownCommand as unknownToKv } from "../kv/KvMachine.ts"
import type { KvState } from "../kv/KvState.ts"
import { weigh } from "../kv/KvWeight.ts"
import type { KvAnswer, KvQuery } from "../kv/KvQuery.ts"
import type { Machine } from "../raft/Machine.ts"
import type { SessionCommand, SessionResult } from "./Session.ts"
import * as Sessions from "./Sessions.ts"

export type StoreState = Sessions.Sessioned<KvState, KvResult>
export type StoreCommand = SessionCommand<KvCommand>
export type StoreResult = SessionResult<KvResult>

/** The first version of the store's commands that has sessions. */
export const sessionsSince = 2

/** What programs that know no history remember, too. */
const firstResults: ReadonlyArray<KvResult["_tag"]> = ["Put", "DeleteRange", "UnknownCommand"]

export const StoreMachine: Machine<StoreState, StoreCommand, StoreResult, KvQuery, KvAnswer> = Sessions.over(
  KvMachine,
  {
    since: sessionsSince,
    identify,
    weigh,
    isKnown: ({ _tag }, version) => version >= historySince || firstResults.includes(_tag)
  }
)

/** What applying gives for bytes that are no command; the state stays as it is. */
export const unknownCommand = ({ value }: StoreState): StoreResult => unknownToKv(value)
