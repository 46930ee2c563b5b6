/**
 * Linearizable reads without the log (ReadIndex, thesis §6.4). A read may be answered from
 * local state once everything is applied that was in the leader's log when it asked, and
 * once a majority has confirmed, after it asked, that this leader still leads.
 *
 * The index is the leader's *last* one, not its commit index: so a read that follows an
 * uncommitted write waits for that write's outcome (get safety). The acknowledgements
 * that confirm the round are the ones that commit the write, so it costs no round more.
 *
 * Every attempt has a fresh number, counted by this replica: an answer to an earlier
 * attempt, delayed past a change of leader, must not be taken for this one. Asking again
 * because an answer is overdue is the same attempt: no read has joined it since.
 */
import type { Index, Instant, ReplicaId, RequestId } from "./LogEntry.ts"

export interface Read<Q> {
  readonly request: RequestId
  readonly query: Q
}

export interface Reads<Q> {
  /** The number of the latest attempt of this replica to learn an index. */
  readonly number: number
  /** Not asked for yet. */
  readonly arrived: Pile<Q> | undefined
  /** A follower's questions to its leader, oldest first. */
  readonly asked: ReadonlyArray<Attempt<Q>>
  /** Index known: answered as soon as it is applied. Oldest first. */
  readonly known: ReadonlyArray<Known<Q>>
  /** How many reads there are in all of these, and in a leader's rounds. */
  readonly waiting: number
}

/** What arrived, a piece for each batch: adding one copies nothing. */
export interface Pile<Q> {
  readonly reads: ReadonlyArray<Read<Q>>
  readonly older: Pile<Q> | undefined
}

export interface Attempt<Q> {
  readonly number: number
  readonly askedAt: Instant
  readonly reads: ReadonlyArray<Read<Q>>
}

export interface Known<Q> {
  readonly index: Index
  readonly reads: ReadonlyArray<Read<Q>>
}

/** A leader's question to its followers, "do I still lead?", and who waits for the answer. */
export interface Round<Q> {
  readonly number: number
  readonly index: Index
  readonly askedAt: Instant
  readonly reads: ReadonlyArray<Read<Q>>
  readonly asks: ReadonlyArray<Ask>
}

/** A follower that wants to know an index, under the number that it gave its attempt. */
export interface Ask {
  readonly from: ReplicaId
  readonly number: number
}

/**
 * Numbers of different incarnations do not meet: an answer to the former one is not taken for
 * this one's. An incarnation is about a time in milliseconds, and nobody asks 4,096 times in one.
 */
export const initial = (incarnation: number): Reads<never> => none(incarnation * 4096)

const none = (number: number): Reads<never> => ({ number, arrived: undefined, asked: [], known: [], waiting: 0 })

export const arrive = <Q>(reads: Reads<Q>, fresh: ReadonlyArray<Read<Q>>): Reads<Q> =>
  fresh.length === 0
    ? reads
    : { ...reads, arrived: { reads: fresh, older: reads.arrived }, waiting: reads.waiting + fresh.length }

/** Everything that arrived, oldest first. */
export const flatten = <Q>(pile: Pile<Q> | undefined): ReadonlyArray<Read<Q>> => {
  if (pile === undefined) return []
  if (pile.older === undefined) return pile.reads
  const pieces: Array<ReadonlyArray<Read<Q>>> = []
  for (let piece: Pile<Q> | undefined = pile; piece !== undefined; piece = piece.older) pieces.push(piece.reads)
  return pieces.reverse().flat()
}

/**
 * The leader is another, or gone: every read goes back to the start, `led` (a leader's, in its
 * rounds) among them. Those with a known index too: it may name an entry that the new leader's
 * log does not hold, and in a quiet cluster nothing would ever be applied there.
 */
export const askAgain = <Q>(reads: Reads<Q>, led: ReadonlyArray<Read<Q>>): Reads<Q> => {
  if (reads.asked.length === 0 && reads.known.length === 0 && led.length === 0) return reads
  const { asked, known, arrived } = reads
  const again = [...[...known, ...asked].flatMap((one) => one.reads), ...led, ...flatten(arrived)]
  return { ...reads, arrived: { reads: again, older: undefined }, asked: [], known: [] }
}

/** One attempt for everything that arrived. */
export const ask = <Q>(reads: Reads<Q>, at: Instant): Reads<Q> => {
  const attempt = { number: reads.number + 1, askedAt: at, reads: flatten(reads.arrived) }
  return { ...reads, number: attempt.number, arrived: undefined, asked: [...reads.asked, attempt] }
}

/**
 * Attempts whose answer is overdue at `at`: the same question once more, to the same leader and
 * under the same number, so that an answer to either counts. (Under a new number, a round trip
 * longer than the patience would never end.) It is safe because an open attempt takes in no
 * more reads: whatever confirms it was asked after the last of them had come.
 */
export const overdue = <Q>(
  reads: Reads<Q>,
  at: Instant,
  retryMillis: number
): readonly [ReadonlyArray<Attempt<Q>>, Reads<Q>] => {
  const due = reads.asked.filter((attempt) => at >= attempt.askedAt + retryMillis)
  if (due.length === 0) return [due, reads]
  const asked = reads.asked.map((attempt) => (due.includes(attempt) ? { ...attempt, askedAt: at } : attempt))
  return [due, { ...reads, asked }]
}

/** The leader answered an attempt. An answer to no open attempt changes nothing. */
export const onIndex = <Q>(reads: Reads<Q>, number: number, index: Index): Reads<Q> => {
  const attempt = reads.asked.find((open) => open.number === number)
  if (attempt === undefined) return reads
  return {
    ...reads,
    asked: reads.asked.filter((open) => open !== attempt),
    known: [...reads.known, { index, reads: attempt.reads }]
  }
}

/** The reads that may be answered now that `applied` is, and the rest. */
export const ready = <Q>(reads: Reads<Q>, applied: Index): readonly [ReadonlyArray<Read<Q>>, Reads<Q>] => {
  const due = reads.known.filter((known) => known.index <= applied).flatMap((known) => known.reads)
  if (due.length === 0) return [due, reads]
  const known = reads.known.filter((later) => later.index > applied)
  return [due, { ...reads, known, waiting: reads.waiting - due.length }]
}

/** Every read that waits, and none left. */
export const drain = <Q>(reads: Reads<Q>): readonly [ReadonlyArray<Read<Q>>, Reads<Q>] => {
  return [flatten(askAgain(reads, []).arrived), none(reads.number)]
}
