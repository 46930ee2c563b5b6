/** A machine over encoded commands: what the log, the disk and the peers carry. */
import { crc32 } from "node:zlib"
import type { CommandCodec } from "../codec/CommandCodec.ts"
import * as PackedCommands from "../codec/PackedCommands.ts"
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
  const versionOf = codec.versionOf ?? (() => 1)
  // A command is digested right after it was applied: it need not be decoded for that again.
  let meant: { readonly bytes: Uint8Array; readonly command: C | undefined } | undefined
  /**
   * What bytes mean to a cluster that has agreed on `version`. What is of a later one means nothing to anybody, also where it
   * is understood: members that do not understand it must come to the same.
   */
  const meaning = (bytes: Uint8Array, version: number): C | undefined => {
    meant = { bytes, command: versionOf(bytes) > version ? undefined : codec.decode(bytes) }
    return meant.command
  }
  const { migrate, version } = machine
  return {
    initial: machine.initial,
    query: machine.query,
    sizeOf: (bytes) => bytes.length,
    pack: PackedCommands.pack,
    ...(version === undefined ? {} : { version }),
    ...(migrate === undefined ? {} : { migrate }),
    apply: (state, bytes, context) => {
      const command = meaning(bytes, context.version)
      return command === undefined ? [state, unknownCommand(state)] : machine.apply(state, command, context)
    },
    // Who does not know a command comes to differ from those who do, and this is how they notice.
    digest: (bytes, result) => {
      const command = meant?.bytes === bytes ? meant.command : codec.decode(bytes)
      return command === undefined ? crc32(bytes) : machine.digest(command, result)
    }
  }
}
