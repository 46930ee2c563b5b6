/**
 * The store's commands as bytes, as they stand in the log and travel to peers:
 *
 *     version (1: 1), kind (1: 1 Put, 2 DeleteRange), flags (1), key (4 + n), then
 *     Put: value (4 + n); DeleteRange: rangeEnd (4 + n) if flagged
 *
 * Flags: 1 prevKv, 2 there is a rangeEnd. A flag, kind or version that is not listed here makes
 * the bytes no command, so that what a later version means is never half understood.
 */
import type { KvCommand } from "../kv/KvCommand.ts"
import { Reader, Writer } from "./Bytes.ts"
import type { CommandCodec } from "./CommandCodec.ts"

const version = 1
const kinds = { Put: 1, DeleteRange: 2 } as const
const prevKvFlag = 1
const rangeEndFlag = 2
/** Version, kind, flags and two lengths. */
const fixedBytes = 11

const encode = (command: KvCommand): Uint8Array | undefined => {
  switch (command._tag) {
    case "Put": {
      const { key, value, prevKv } = command
      const to = new Writer(fixedBytes + key.length + value.byteLength)
      to.u8(version)
      to.u8(kinds.Put)
      to.u8(prevKv ? prevKvFlag : 0)
      to.latin1(key)
      to.bytes(value)
      return to.finish()
    }
    case "DeleteRange": {
      const { key, rangeEnd, prevKv } = command
      const to = new Writer(fixedBytes + key.length + (rangeEnd?.length ?? 0))
      to.u8(version)
      to.u8(kinds.DeleteRange)
      to.u8((prevKv ? prevKvFlag : 0) | (rangeEnd === undefined ? 0 : rangeEndFlag))
      to.latin1(key)
      if (rangeEnd !== undefined) to.latin1(rangeEnd)
      return to.finish()
    }
    default:
      return undefined
  }
}

/** The value of a decoded put is a view into the bytes, not a copy. */
const decode = (bytes: Uint8Array): KvCommand | undefined => {
  const from = new Reader(bytes)
  if (from.u8() !== version) return undefined
  const command = read(from)
  return from.done ? command : undefined
}

const read = (from: Reader): KvCommand | undefined => {
  const kind = from.u8()
  const flags = from.u8()
  const prevKv = (flags & prevKvFlag) !== 0
  switch (kind) {
    case kinds.Put:
      if ((flags & ~prevKvFlag) !== 0) return undefined
      return { _tag: "Put", key: from.latin1(), value: from.bytes(), prevKv }
    case kinds.DeleteRange: {
      if ((flags & ~(prevKvFlag | rangeEndFlag)) !== 0) return undefined
      const key = from.latin1()
      const rangeEnd = (flags & rangeEndFlag) === 0 ? undefined : from.latin1()
      return { _tag: "DeleteRange", key, rangeEnd, prevKv }
    }
    default:
      return undefined
  }
}

/** What stands first. */
const versionOf = (bytes: Uint8Array): number => bytes[0] ?? version

export const KvCommandCodec = { encode, decode, versionOf } satisfies CommandCodec<KvCommand>
