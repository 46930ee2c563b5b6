/** What the server stands in front of: one replica of the replicated key-value store, with sessions around it. */
import type { KvAnswer, KvQuery } from "../kv/KvQuery.ts"
import type { Replicated } from "../runtime/Replicated.ts"
import type { StoreCommand, StoreResult } from "../sessions/Store.ts"

export type KvReplica = Replicated<StoreCommand, StoreResult, KvQuery, KvAnswer>
