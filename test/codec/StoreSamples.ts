/** Commands with sessions, and what states they come to. */
import type { StateCodec } from "../../src/codec/StateCodec.ts"
import { StoreStateCodec } from "../../src/codec/StoreCodec.ts"
import type { DeleteRange, KvCommand, Put } from "../../src/kv/KvCommand.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import { type StoreCommand, StoreMachine, type StoreState } from "../../src/sessions/Store.ts"

export const put = (key: string, value: string, prevKv = false): Put => ({
  _tag: "Put",
  key,
  value: Buffer.from(value),
  prevKv
})
export const erase = (key: string, rangeEnd?: string): DeleteRange => ({
  _tag: "DeleteRange",
  key,
  rangeEnd,
  prevKv: true
})
export const once = (key: string, command: KvCommand): StoreCommand => ({ session: { _tag: "Key", key }, command })
export const register = (client: string): StoreCommand => ({ session: { _tag: "Register", client } })
export const by = (client: string, sequence: number, command: KvCommand): StoreCommand => ({
  session: { _tag: "Client", client, sequence },
  command
})

export const commands: ReadonlyArray<StoreCommand> = [
  put("a", "1"),
  once("k", put("a", "2", true)),
  once("\xff".repeat(255), erase("a", "b")),
  register("c"),
  by("c", 1, put("b", "")),
  by("c", Number.MAX_SAFE_INTEGER, erase("nothing")),
  erase("")
]

export const stateOf = (all: ReadonlyArray<StoreCommand>, from = StoreMachine.initial): StoreState =>
  all.reduce((state, command, at) => StoreMachine.apply(state, command, { time: ClusterTime(at), version: 2 })[0], from)

export const piecesOf = (state: StoreState, version: number): Array<Uint8Array> => [
  ...StoreStateCodec.encode(state, version)
]

export const load = <S>(codec: StateCodec<S>, pieces: ReadonlyArray<Uint8Array>, version: number): S | undefined => {
  const decoder = codec.decoder(version)!
  return pieces.every((piece) => decoder.push(piece)) ? decoder.finish() : undefined
}

export const sample = stateOf(commands)
