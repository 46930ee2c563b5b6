/**
 * What a client says about a command so that it takes effect once, however often it is sent, and what it
 * may hear instead of the command's own result (Raft §8, thesis §6.3, RIFL).
 *
 * There are two ways to name a command. A *key* names one command and needs nothing beforehand; it is
 * forgotten after a stated time, and then the same command is applied again. A *client* registers first and
 * counts its commands; when it is forgotten, its commands are refused, never applied twice.
 */

/** A command that sessions can go around: told apart from a named one by having no `session`. */
export interface Plain {
  readonly _tag: string
  readonly session?: never
}

/** The command that goes by this name. */
export interface Named<C> {
  readonly session: Name
  readonly command: C
}

export type Name =
  /** This one command. */
  | { readonly _tag: "Key"; readonly key: string }
  /**
   * The client's command of this number: a whole number from 1 on, rising, gaps allowed. The next one is sent when this
   * one's result is known: only the last result is kept.
   */
  | { readonly _tag: "Client"; readonly client: string; readonly sequence: number }

/** Makes a session for a client, whose name nobody else has; tells where it stands if there is one. */
export interface Registration {
  readonly session: { readonly _tag: "Register"; readonly client: string }
}

export type SessionCommand<C> = C | Named<C> | Registration

export type SessionResult<R> =
  | R
  /** It was applied before, and this is what that gave; `undefined` where that was too long to keep. */
  | { readonly _tag: "Repeated"; readonly result: R | undefined }
  /** The last of the client's commands that was applied; 0 before the first. */
  | { readonly _tag: "Registered"; readonly sequence: number }
  /** It was not applied now, and changed nothing. */
  | { readonly _tag: "NotApplied"; readonly reason: Objection }

export type Objection =
  /** Another command went by this name. */
  | "KeyReused"
  /** The client has gone on since; whether this one was applied is not known any more. */
  | "TooOld"
  /** There is no such session, or none any more; whether the command was applied before is not known. */
  | "SessionExpired"
  /** A name of no characters, of too many, or with one that is no byte; or a sequence below 1. */
  | "InvalidName"

/** In bytes; a character is one byte. */
export const maxNameLength = 255

export const isName = (name: string): boolean => {
  if (name.length === 0 || name.length > maxNameLength) return false
  for (let at = 0; at < name.length; at++) if (name.charCodeAt(at) > 0xff) return false
  return true
}

export const isSequence = (sequence: number): boolean => Number.isSafeInteger(sequence) && sequence >= 1
