/**
 * Commands with sessions as bytes. A plain command is as it is without sessions; the others are
 *
 *     mark (1), kind (1), then
 *       1 key       key (4 + n), then the command until the end
 *       2 client    client (4 + n), sequence (8), then the command until the end
 *       3 register  client (4 + n)
 *
 * The mark is a first byte that no plain command has. Another kind makes the bytes no command.
 */
import { isName, isSequence, type Name, type SessionCommand } from "../sessions/Session.ts"
import { Reader, Writer } from "./Bytes.ts"
import type { CommandCodec } from "./CommandCodec.ts"
import { kept } from "./Kept.ts"

const kinds = { key: 1, client: 2, register: 3 } as const

export interface SessionCommandOptions {
  readonly mark: number
  /** The version of the commands from which on there are sessions. */
  readonly since: number
}

export const over = <C extends object>(
  inner: CommandCodec<C>,
  { mark, since }: SessionCommandOptions
): CommandCodec<SessionCommand<C>> => {
  const encode = (command: SessionCommand<C>, version: number): Uint8Array | undefined => {
    if (!("session" in command)) return inner.encode(command, version)
    if (version < since) return undefined
    const to = new Writer()
    to.u8(mark)
    const { session } = command
    switch (session._tag) {
      case "Register":
        to.u8(kinds.register)
        to.latin1(session.client)
        return kept(to.finish())
      case "Key":
        to.u8(kinds.key)
        to.latin1(session.key)
        break
      case "Client":
        to.u8(kinds.client)
        to.latin1(session.client)
        to.safe(session.sequence)
        break
    }
    const bytes = inner.encode((command as { readonly command: C }).command, version)
    if (bytes === undefined) return undefined
    to.raw(bytes)
    return kept(to.finish())
  }

  const decode = (bytes: Uint8Array): SessionCommand<C> | undefined => {
    if (bytes[0] !== mark) return inner.decode(bytes)
    const from = new Reader(bytes, 1)
    switch (from.u8()) {
      case kinds.key: {
        const key = from.latin1()
        return named(from, bytes, isName(key), { _tag: "Key", key })
      }
      case kinds.client: {
        const client = from.latin1()
        const sequence = from.safe()
        return named(from, bytes, isName(client) && isSequence(sequence), { _tag: "Client", client, sequence })
      }
      case kinds.register: {
        const client = from.latin1()
        return from.done && isName(client) ? { session: { _tag: "Register", client } } : undefined
      }
      default:
        return undefined
    }
  }

  const named = (from: Reader, bytes: Uint8Array, sound: boolean, session: Name): SessionCommand<C> | undefined => {
    if (from.failed || !sound) return undefined
    // No command inside of a command.
    const rest = bytes.subarray(from.offset)
    const command = rest[0] === mark ? undefined : inner.decode(rest)
    return command === undefined ? undefined : { session, command }
  }

  /** Of a command with a session what is inside tells, if it is of a later version than sessions. */
  const versionOf = (bytes: Uint8Array): number => {
    if (bytes[0] !== mark) return innerVersionOf(bytes)
    const from = new Reader(bytes, 1)
    const kind = from.u8()
    if (kind === kinds.register) return since
    from.latin1()
    if (kind === kinds.client) from.safe()
    return from.failed || from.remaining === 0 ? since : Math.max(since, innerVersionOf(bytes.subarray(from.offset)))
  }

  const innerVersionOf = inner.versionOf ?? (() => 1)

  return { encode, decode, versionOf }
}
