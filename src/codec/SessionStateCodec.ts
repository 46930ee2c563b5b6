/**
 * A machine's state with sessions as pieces, and back. Version 1 is the machine's own state in its version 1, of a time or a
 * cluster without sessions. Each later version goes around the machine's own version before it, so 2 around 1, 3 around 2:
 *
 *     first piece: version of the machine's own state (4), how many keys are remembered (8), how many clients (8)
 *     then until all of them were there: about 64 KiB of them each, keys before clients, the oldest first:
 *         name (4 + n), sequence (8), digest (8), bytes (8), time (8),
 *         whether there is a result (1), and it
 *     then the pieces of the machine's own state
 *
 * Equal states give equal bytes: what is remembered has an order of its own, and places in it are counted anew.
 */
import { ClusterTime } from "../raft/LogEntry.ts"
import * as Roster from "../sessions/Roster.ts"
import { isName } from "../sessions/Session.ts"
import type { Sessioned, Sessions } from "../sessions/Sessions.ts"
import { Reader, Writer } from "./Bytes.ts"
import { readOptional, writeOptional } from "./Fields.ts"
import type { ResultCodec } from "./ResultCodec.ts"
import type { StateCodec, StateDecoder } from "./StateCodec.ts"

/** A piece ends with the one that makes it so large. */
const targetBytes = 64 * 1024

const plain = 1
/** Around the machine's own version 1. */
const sessioned = 2

export interface SessionStateOptions<S, R> {
  /** The machine's own state; of version 1 where there are no sessions. */
  readonly inner: StateCodec<S>
  readonly results: ResultCodec<R>
  /** The version of the commands from which on there are sessions. */
  readonly since: number
}

export const over = <S, R>({ inner, results, since }: SessionStateOptions<S, R>): StateCodec<Sessioned<S, R>> => {
  const latest = inner.version + 1
  const encode = function* (
    { value, sessions }: Sessioned<S, R>,
    version = latest,
    scratch?: Writer
  ): Generator<Uint8Array, void> {
    if (version === plain) return yield* inner.encode(value, plain, scratch)
    const first = scratch?.begin() ?? new Writer(20)
    first.u32(version - 1)
    first.safe(Roster.size(sessions.keys))
    first.safe(Roster.size(sessions.clients))
    yield first.finish()
    yield* rosterPieces(sessions.keys, results, scratch)
    yield* rosterPieces(sessions.clients, results, scratch)
    yield* inner.encode(value, version - 1, scratch)
  }
  return {
    version: latest,
    versionFor: (agreed) => (agreed < since ? plain : (inner.versionFor?.(agreed) ?? inner.version) + 1),
    encode,
    decoder: (version) => {
      const own = inner.decoder(version < sessioned ? version : version - 1)
      if (own === undefined) return undefined
      return version < sessioned ? withoutSessions(own) : new Decoding(own, version - 1, results)
    }
  }
}

const rosterPieces = function* <R>(
  roster: Roster.Roster<R>,
  results: ResultCodec<R>,
  scratch?: Writer
): Generator<Uint8Array, void> {
  let from: number | undefined = 0
  while (from !== undefined) {
    const to = scratch?.begin() ?? new Writer(1024)
    const { piece, next }: Slice = pieceFrom(roster, from, results, to)
    if (piece !== undefined) yield piece
    from = next
  }
}

interface Slice {
  readonly piece: Uint8Array | undefined
  /** The place from which to go on; `undefined` at the end. */
  readonly next: number | undefined
}

const pieceFrom = <R>(roster: Roster.Roster<R>, from: number, results: ResultCodec<R>, to: Writer): Slice => {
  let last = from
  Roster.walk(roster, from, (name, one, place) => {
    writeRemembered(to, name, one, results)
    last = place
    return to.length < targetBytes
  })
  return {
    piece: to.length > 0 ? to.finish() : undefined,
    next: to.length < targetBytes ? undefined : last + 1
  }
}

const writeRemembered = <R>(
  to: Writer,
  name: string,
  { sequence, digest, bytes, time, result }: Roster.Remembered<R>,
  results: ResultCodec<R>
): void => {
  to.latin1(name)
  to.safe(sequence)
  to.safe(digest)
  to.safe(bytes)
  to.safe(time)
  writeOptional(to, result, (known) => results.write(to, known))
}

const none = { keys: Roster.empty, clients: Roster.empty }

const withoutSessions = <S, R>(inner: StateDecoder<S>): StateDecoder<Sessioned<S, R>> => ({
  push: (piece) => inner.push(piece),
  finish: () => {
    const value = inner.finish()
    return value === undefined ? undefined : { value, sessions: none }
  }
})

class Decoding<S, R> implements StateDecoder<Sessioned<S, R>> {
  private readonly inner: StateDecoder<S>
  private readonly innerVersion: number
  private readonly results: ResultCodec<R>
  private begun = false
  private left = { keys: 0, clients: 0 }
  private sessions: Sessions<R> = none
  private failed = false

  constructor(inner: StateDecoder<S>, innerVersion: number, results: ResultCodec<R>) {
    this.inner = inner
    this.innerVersion = innerVersion
    this.results = results
  }

  push(piece: Uint8Array): boolean {
    if (!this.failed) this.failed = !this.take(piece)
    return !this.failed
  }

  finish(): Sessioned<S, R> | undefined {
    if (this.failed || !this.begun || this.left.keys + this.left.clients > 0) return undefined
    const value = this.inner.finish()
    return value === undefined ? undefined : { value, sessions: this.sessions }
  }

  private take(piece: Uint8Array): boolean {
    const { inner, left } = this
    if (!this.begun) return this.takeHead(new Reader(piece))
    if (left.keys + left.clients === 0) return inner.push(piece)
    const from = new Reader(piece)
    if (from.remaining === 0) return false
    while (from.remaining > 0 && !from.failed) this.takeOne(from)
    return !from.failed
  }

  private takeHead(from: Reader): boolean {
    const version = from.u32()
    this.left = { keys: from.safe(), clients: from.safe() }
    this.begun = true
    return from.done && version === this.innerVersion
  }

  private takeOne(from: Reader): void {
    const which = this.left.keys > 0 ? "keys" : "clients"
    if (this.left[which] === 0) return from.fail()
    const name = from.latin1()
    const one = {
      sequence: from.safe(),
      digest: from.safe(),
      bytes: from.safe(),
      time: ClusterTime(from.safe()),
      result: readOptional(from, () => this.results.read(from))
    }
    const roster = this.sessions[which]
    const isSound = isName(name) && Roster.youngest(roster) <= one.time && !Roster.has(roster, name)
    if (from.failed || !isSound) return from.fail()
    this.sessions = { ...this.sessions, [which]: Roster.remember(roster, name, one) }
    this.left[which]--
  }
}
