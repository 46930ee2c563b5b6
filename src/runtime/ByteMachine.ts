/** A machine over encoded commands: what the log, the disk and the peers carry. */
import { crc32 } from "node:zlib"
import type { CommandCodec } from "../codec/CommandCodec.ts"
import type { Machine } from "../raft/Machine.ts"

export interface ByteMachineOptions<S, C, R, Q, A> {
  readonly machine: Machine<S, C, R, Q, A>
  readonly codec: CommandCodec<C>
  /** What applying gives for bytes that are no command of this version; they change nothing. */
  readonly unknownCommand: (state: S) => R
}

export const make = <S, C, R, Q, A>({
  machine,
  codec,
  unknownCommand
}: ByteMachineOptions<S, C, R, Q, A>): Machine<S, Uint8Array, R, Q, A> => {
  // A command is digested right after it was applied: it need not be decoded for that again.
  let decoded: { readonly bytes: Uint8Array; readonly command: C | undefined } | undefined
  const decode = (bytes: Uint8Array): C | undefined => {
    if (decoded?.bytes !== bytes) decoded = { bytes, command: codec.decode(bytes) }
    return decoded.command
  }
  return {
    initial: machine.initial,
    query: machine.query,
    sizeOf: (bytes) => bytes.length,
    ...(machine.version === undefined ? {} : { version: machine.version }),
    apply: (state, bytes, context) => {
      const command = decode(bytes)
      return command === undefined ? [state, unknownCommand(state)] : machine.apply(state, command, context)
    },
    // Who does not know a command comes to differ from those who do, and this is how they notice.
    digest: (bytes, result) => {
      const command = decode(bytes)
      return command === undefined ? crc32(bytes) : machine.digest(command, result)
    }
  }
}
