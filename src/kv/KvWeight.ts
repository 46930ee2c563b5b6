/** What commands and results weigh, about, in bytes. */
import type { KeyValue } from "./KeyValue.ts"
import type { KvCommand, KvResult } from "./KvCommand.ts"

/** What a command weighs besides its key and value, about. */
const overheadBytes = 32

export const sizeOf = (command: KvCommand): number => {
  switch (command._tag) {
    case "Put":
      return overheadBytes + command.key.length + command.value.byteLength
    case "DeleteRange":
      return overheadBytes + command.key.length + (command.rangeEnd?.length ?? 0)
    default:
      return overheadBytes
  }
}

/** What a result takes in memory, about. */
export const weigh = (result: KvResult): number => {
  switch (result._tag) {
    case "Put":
      return overheadBytes + weighPair(result.prevKv)
    case "DeleteRange":
      return result.prevKvs.reduce((sum, kv) => sum + weighPair(kv), overheadBytes)
    default:
      return overheadBytes
  }
}

const weighPair = (kv: KeyValue | undefined): number =>
  kv === undefined ? 0 : 2 * overheadBytes + kv.key.length + kv.value.byteLength
