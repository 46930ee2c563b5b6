/** What the server stands in front of: one replica of the replicated key-value machine. */
import type { KvCommand, KvResult } from "../kv/KvCommand.ts"
import type { KvAnswer, KvQuery } from "../kv/KvQuery.ts"
import type { Replicated } from "../runtime/Replicated.ts"

export type KvReplica = Replicated<KvCommand, KvResult, KvQuery, KvAnswer>
