/** Entries in one buffer: equal to those that were packed, and holding on to nothing else. */
import { expect, test } from "vitest"
import { pack } from "../../src/codec/PackedCommands.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import * as Invariants from "../../src/raft/Invariants.ts"
import { ClusterTime, Index, Instant, type LogEntry, origin, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import * as Replica from "../../src/raft/Replica.ts"

const large = 2 ** 53 - 1

const command = (index: number, bytes: number, replica = "A"): LogEntry<Uint8Array> => ({
  index: Index(index),
  term: Term(1 + Math.floor(index / 10)),
  payload: {
    _tag: "Command",
    request: { replica: ReplicaId(replica), incarnation: large - index, sequence: index * 7 },
    time: ClusterTime(index * 1000 + 0.5),
    command: Uint8Array.from({ length: bytes }, (_, at) => (index + at) % 251)
  }
})

/** As plain data: a command may be a Buffer before or after. */
const plain = ({ index, term, payload }: LogEntry<Uint8Array>) =>
  payload._tag === "Command" ? { index, term, ...payload, command: [...payload.command] } : { index, term, ...payload }

const expectSame = (entries: ReadonlyArray<LogEntry<Uint8Array>>): void => {
  const packed = pack(entries)
  expect(packed).toBeDefined()
  expect(entries.map((_, place) => plain(packed!.entryAt(place)))).toEqual(entries.map(plain))
  expect(entries.map((_, place) => packed!.termAt(place))).toEqual(entries.map(({ term }) => term))
}

test.each([1, 2, 64])("%d entries of one replica are the same", (count) => {
  expectSame(Array.from({ length: count }, (_, at) => command(100 + at, at * 3)))
})

test("commands of none and of the most bytes, of many replicas, and far along the log", () => {
  expectSame([command(5, 0), command(6, 4096), command(7, 0), command(8, 1)])
  expectSame(Array.from({ length: 64 }, (_, at) => command(2 ** 40 + at, 5, ["A", "B", "C"][at % 3])))
})

test("nothing is shared with what was packed, and a command that is asked for pins no more than its block", () => {
  const shared = new Uint8Array(1_000_000)
  const entries = Array.from({ length: 64 }, (_, at): LogEntry<Uint8Array> => {
    const one = command(1 + at, 0)
    const bytes = shared.subarray(at * 100, at * 100 + 100)
    return { ...one, payload: { ...one.payload, command: bytes } as LogEntry<Uint8Array>["payload"] }
  })
  const packed = pack(entries)!
  shared.fill(1)
  const { payload } = packed.entryAt(3)
  if (payload._tag !== "Command") throw new Error("not a command")
  expect([...payload.command]).toEqual(Array.from({ length: 100 }, () => 0))
  expect(payload.command.buffer.byteLength).toBe(64 * (100 + 40))
})

test("what is large or no command stays as it is", () => {
  expect(pack([])).toBe(undefined)
  expect(pack([command(1, 5), command(2, 4097)])).toBe(undefined)
  const noOp: LogEntry<Uint8Array> = { index: Index(2), term: Term(1), payload: { _tag: "NoOp" } }
  expect(pack([command(1, 5), noOp, command(3, 5)])).toBe(undefined)
})

test("a replica whose log packs them breaks no rule, when what it stores was packed in the very same step too", () => {
  const [A, B] = [ReplicaId("A"), ReplicaId("B")]
  const [at, term] = [Instant(0), Term(1)]
  const replica = Replica.make<number, Uint8Array, number, never, never>({
    initial: 0,
    apply: (count) => [count + 1, count + 1],
    query: (_, query) => query,
    sizeOf: ({ length }) => length,
    digest: () => 0,
    pack
  })
  let state = replica.init({
    id: A,
    incarnation: 1,
    configuration: Configurations.of([A, B]),
    at,
    seed: 1,
    hardState: { currentTerm: term, votedFor: undefined },
    admitted: true,
    image: undefined,
    base: origin,
    entries: [],
    snapshots: []
  })
  let last = 0
  let packed = 0
  for (const count of [4000, 90, 10, 100]) {
    const entries = Array.from({ length: count }, () => ({ ...command(++last, 4), term }))
    const prev = last === count ? origin : { index: Index(last - count), term }
    const message = { _tag: "AppendEntries", term, prev, entries, leaderCommit: Index(0), round: 0 } as const
    const [after, effects] = replica.reduce(state, { _tag: "MessageReceived", from: B, at, message })
    expect([...Invariants.ofState(after), ...Invariants.ofStep(state, effects, after)]).toEqual([])
    for (const effect of effects) {
      if (effect._tag !== "Persist") continue
      packed += effect.log!.entries.filter((entry, at) => entry !== entries[at]).length
    }
    state = after
  }
  expect(packed).toBeGreaterThan(4000 - 6 * 64)
})
