/** The bytes of the store with sessions: its commands, its state in snapshots, and a backup's state. */
import type { KvCommand, KvResult } from "../kv/KvCommand.ts"
import * as Compaction from "../kv/Compaction.ts"
import type { KvState } from "../kv/KvState.ts"
import * as Roster from "../sessions/Roster.ts"
import type { StateCodec, StateDecoder } from "./StateCodec.ts"
import { KvCommandCodec } from "./KvCommandCodec.ts"
import { KvResultCodec } from "./KvResultCodec.ts"
import { KvStateCodec } from "./KvStateCodec.ts"
import * as SessionCommandCodec from "./SessionCommandCodec.ts"
import * as SessionStateCodec from "./SessionStateCodec.ts"

/** The first version of commands that has sessions, as the machine has it. */
const since = 2

/**
 * A command of version 1 begins with 1, one with a session with 2, later ones with their version: the byte tells the version, as it
 * always did, but for what a session is around.
 */
export const StoreCommandCodec = SessionCommandCodec.over<KvCommand>(KvCommandCodec, { mark: since, since })

export const StoreStateCodec = SessionStateCodec.over<KvState, KvResult>({
  inner: KvStateCodec,
  results: KvResultCodec,
  since
})

/**
 * Keys, values and leases as they are, of any version. What clients may send again, and what the keys were before, belongs to a running
 * cluster, not to a backup: its revision is the first that can be read.
 */
export const BackupStateCodec: StateCodec<KvState> = {
  version: StoreStateCodec.version,
  // Where there is no more than pairs, a program that knows no sessions can read it too.
  versionFor: (agreed) => (KvStateCodec.versionFor(agreed) === 1 ? 1 : StoreStateCodec.version),
  encode: (state, version, scratch) =>
    StoreStateCodec.encode({ value: Compaction.forget(state), sessions: withoutSessions }, version, scratch),
  decoder: (version) => {
    const decoder = StoreStateCodec.decoder(version)
    return decoder && valueOf(decoder)
  }
}

const withoutSessions = { keys: Roster.empty, clients: Roster.empty }

const valueOf = <S>(decoder: StateDecoder<{ readonly value: S }>): StateDecoder<S> => ({
  push: (piece) => decoder.push(piece),
  finish: () => decoder.finish()?.value
})
