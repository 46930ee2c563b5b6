/**
 * The machine under test, with what the simulator must know about it: what clients ask of
 * it, and how to compare what they get. The world handles any machine alike, so its types
 * are erased here, in one place.
 */
import type { Context, Machine } from "../raft/Machine.ts"
import type { Message } from "../raft/Message.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import type { RaftEvent } from "../raft/RaftEvent.ts"
import type { Replica } from "../raft/Replica.ts"
import type { ServerState } from "../raft/ServerState.ts"
import type { Image } from "../raft/Snapshot.ts"
import type { Hub } from "./Watch.ts"
import type { Random } from "./Random.ts"

export type Versions = readonly [earlier: number, later: number]

export interface Subject<S, C, R, Q, A> {
  readonly name: string
  readonly machine: Machine<S, C, R, Q, A>
  /** The versions of commands that earlier programs and later ones understand; 1 and 2 where nothing is said. At most 4. */
  readonly versions?: (random: Random) => Versions
  /**
   * A fresh object every time: it stands for the client's operation `number`. `state` is the latest that is committed; what
   * is asked for may go by it.
   */
  readonly command: (random: Random, number: number, state: S) => C
  readonly query: (random: Random, state: S) => Q
  /** Equal states have equal digests, and different ones almost never. */
  readonly digest: (state: S) => number
  /** The state with something in it changed, as memory or a disk that lies would. */
  readonly alter: (random: Random, state: S) => S
  /** What the machine itself promises of each step that is applied: what is broken, in words. */
  readonly rule?: (before: S, after: S, command: C, result: R, context: Context) => string | undefined
  /** How a replica serves clients that watch the store; other machines cannot be watched. */
  readonly hub?: (state: S) => Hub<S>
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

/** The inverse, where no string looks like bytes or a bigint. */
export const fromWords = (words: string): unknown =>
  JSON.parse(words, (_, part: unknown) => {
    if (typeof part !== "string") return part
    if (/^-?\d+n$/.test(part)) return BigInt(part.slice(0, -1))
    if (!/^0x([0-9a-f]{2})*$/.test(part)) return part
    return Uint8Array.from(part.slice(2).match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
  })
