/** The bytes of the store with sessions: its commands, its state in snapshots, and a backup's state. */
import type { KvCommand, KvResult } from "../kv/KvCommand.ts"
import type { KvState } from "../kv/KvState.ts"
import type { StateCodec, StateDecoder } from "./StateCodec.ts"
import { KvCommandCodec } from "./KvCommandCodec.ts"
import { KvResultCodec } from "./KvResultCodec.ts"
import { KvStateCodec } from "./KvStateCodec.ts"
import * as SessionCommandCodec from "./SessionCommandCodec.ts"
import * as SessionStateCodec from "./SessionStateCodec.ts"

/** The first version of commands that has sessions, as the machine has it. */
const since = 2

/** A command of version 1 begins with 1, one with a session with 2: the byte tells the version, as it always did. */
export const StoreCommandCodec = SessionCommandCodec.over<KvCommand>(KvCommandCodec, { mark: since, since })

export const StoreStateCodec = SessionStateCodec.over<KvState, KvResult>({
  inner: KvStateCodec,
  results: KvResultCodec,
  since
})

/** Of either version the keys and values. What clients may send again belongs to a running cluster, not to a backup. */
export const BackupStateCodec: StateCodec<KvState> = {
  version: KvStateCodec.version,
  encode: KvStateCodec.encode,
  decoder: (version) => {
    const decoder = StoreStateCodec.decoder(version)
    return decoder && valueOf(decoder)
  }
}

const valueOf = <S>(decoder: StateDecoder<{ readonly value: S }>): StateDecoder<S> => ({
  push: (piece) => decoder.push(piece),
  finish: () => decoder.finish()?.value
})
