/**
 * The machine under test, with what the simulator must know about it: what clients ask of
 * it, and how to compare what they get. The world handles any machine alike, so its types
 * are erased here, in one place.
 */
import type { Machine } from "../raft/Machine.ts"
import type { Message } from "../raft/Message.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import type { RaftEvent } from "../raft/RaftEvent.ts"
import type { Replica } from "../raft/Replica.ts"
import type { ServerState } from "../raft/ServerState.ts"
import type { Image } from "../raft/Snapshot.ts"
import type { Random } from "./Random.ts"

export interface Subject<S, C, R, Q, A> {
  readonly name: string
  readonly machine: Machine<S, C, R, Q, A>
  /** A fresh object every time: it stands for the client's operation `number`. */
  readonly command: (random: Random, number: number) => C
  readonly query: (random: Random) => Q
  /** Equal states have equal digests, and different ones almost never. */
  readonly digest: (state: S) => number
  /** The state with something in it changed, as memory or a disk that lies would. */
  readonly alter: (random: Random, state: S) => S
  /** What the machine itself promises of each step that is applied: what is broken, in words. */
  readonly rule?: (before: S, after: S, command: C, result: R) => string | undefined
  readonly sameResult: (one: R, other: R) => boolean
  readonly sameAnswer: (one: A, other: A) => boolean
}

export type AnySubject = Subject<unknown, unknown, unknown, unknown, unknown>
export type AnyReplica = Replica<unknown, unknown, unknown, unknown, unknown>
export type State = ServerState<unknown, unknown, unknown>
export type AnyEvent = RaftEvent<unknown, unknown>
export type AnyEffect = RaftEffect<unknown, unknown, unknown>
export type AnyMessage = Message<unknown>
export type AnyImage = Image<unknown>

/** Sound because a subject is only ever given what came out of itself. */
export const erase = <S, C, R, Q, A>(subject: Subject<S, C, R, Q, A>): AnySubject => subject as unknown as AnySubject

/** Any input or output as text: for comparing, and for people. */
export const inWords = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === "bigint") return `${part}n`
    return part instanceof Uint8Array
      ? `0x${Array.from(part, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
      : part
  }) ?? "nothing"

/** The inverse, for what has no bigint in it. */
export const fromWords = (words: string): unknown =>
  JSON.parse(words, (_, part: unknown) =>
    typeof part === "string" && /^0x([0-9a-f]{2})*$/.test(part)
      ? Uint8Array.from(part.slice(2).match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
      : part
  )
