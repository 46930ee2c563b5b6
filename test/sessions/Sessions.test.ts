import { assert, describe, it } from "@effect/vitest"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import * as Roster from "../../src/sessions/Roster.ts"
import * as Random from "../../src/sim/Random.ts"
import * as Sessions from "../../src/sessions/Sessions.ts"
import type { SessionCommand } from "../../src/sessions/Session.ts"
import { type Count, counting, limits, machine, type State } from "./Counting.ts"
import { type Call, Model } from "./Model.ts"

const at = (time: number, version = 1) => ({ time: ClusterTime(time), version })

const count = (word: string, weight = 1): Count => ({ _tag: "Count", word, weight })

const commandOf = ({ name, sequence, word, weight }: Call): SessionCommand<Count> => {
  if (sequence === undefined) return { session: { _tag: "Key", key: name }, command: count(word, weight) }
  if (sequence === 0) return { session: { _tag: "Register", client: name } }
  return { session: { _tag: "Client", client: name, sequence }, command: count(word, weight) }
}

const key = (name: string, word: string, weight = 1): SessionCommand<Count> =>
  commandOf({ name, sequence: undefined, word, weight })
const client = (name: string, sequence: number, word: string): SessionCommand<Count> =>
  commandOf({ name, sequence, word, weight: 1 })

/** Applies one after the other, all at time 0 unless it is said, and gives what the last one said. */
const run = (...commands: ReadonlyArray<SessionCommand<Count> | number>) => {
  let state: State = machine.initial
  let time = 0
  const said: Array<unknown> = []
  for (const command of commands) {
    if (typeof command === "number") time = command
    else {
      const [next, result] = machine.apply(state, command, at(time))
      state = next
      said.push(result)
    }
  }
  return { state, said, last: said.at(-1) }
}

const counted = (n: number) => ({ _tag: "Count" as const, count: n, weight: 1 })

describe("sessions", () => {
  it("a key takes effect once, and whoever says it again hears the same", () => {
    const { said, state } = run(key("k", "a"), count("x"), key("k", "a"))
    assert.deepStrictEqual(said, [counted(1), counted(2), { _tag: "Repeated", result: counted(1) }])
    assert.strictEqual(state.value, 2)
  })

  it("a key with another command changes nothing", () => {
    const { last, state } = run(key("k", "a"), key("k", "b"))
    assert.deepStrictEqual(last, { _tag: "NotApplied", reason: "KeyReused" })
    assert.strictEqual(state.value, 1)
  })

  it("a key is forgotten when its time is over, by the cluster's time, and not before", () => {
    assert.deepStrictEqual(run(key("k", "a"), 99, key("k", "a")).last, { _tag: "Repeated", result: counted(1) })
    assert.deepStrictEqual(run(key("k", "a"), 100, key("k", "a")).last, counted(2))
    // Said again it does not live longer: its age is that of its first use.
    assert.deepStrictEqual(run(key("k", "a"), 60, key("k", "a"), 100, key("k", "a")).last, counted(2))
  })

  it("the oldest keys are forgotten first, beyond a number and beyond bytes", () => {
    const seven = Array.from({ length: 7 }, (_, n) => key(`k${n}`, "a"))
    assert.deepStrictEqual(run(...seven, key("k1", "a")).last, { _tag: "Repeated", result: counted(2) })
    assert.deepStrictEqual(run(...seven, key("k0", "a")).last, counted(8))
    const { state } = run(...Array.from({ length: 6 }, (_, n) => key(`k${n}`.padEnd(200, "."), "a")))
    assert.isAtMost(state.sessions.keys.bytes, limits.keys.maxBytes)
    assert.isBelow(Roster.size(state.sessions.keys), 6)
  })

  it("a result that is too long is not kept, that it was applied is", () => {
    assert.deepStrictEqual(run(key("k", "a", 51), key("k", "a", 51)).last, { _tag: "Repeated", result: undefined })
    assert.strictEqual(run(key("k", "a", 51), key("k", "a", 51)).state.value, 1)
  })

  it("a client registers, counts, and repeats its last command only", () => {
    const { said } = run(
      client("c", 1, "a"),
      client("c", 0, ""),
      client("c", 1, "a"),
      client("c", 1, "a"),
      client("c", 5, "b"),
      client("c", 1, "a"),
      client("c", 5, "c"),
      client("c", 0, "")
    )
    assert.deepStrictEqual(said, [
      { _tag: "NotApplied", reason: "SessionExpired" },
      { _tag: "Registered", sequence: 0 },
      counted(1),
      { _tag: "Repeated", result: counted(1) },
      counted(2),
      { _tag: "NotApplied", reason: "TooOld" },
      { _tag: "NotApplied", reason: "KeyReused" },
      { _tag: "Registered", sequence: 5 }
    ])
  })

  it("a client that is silent too long is refused, not applied again; each command makes it young", () => {
    const expired = { _tag: "NotApplied", reason: "SessionExpired" }
    assert.deepStrictEqual(run(client("c", 0, ""), client("c", 1, "a"), 100, client("c", 1, "a")).last, expired)
    const kept = run(client("c", 0, ""), 60, client("c", 1, "a"), 120, client("c", 2, "b"))
    assert.deepStrictEqual(kept.last, counted(2))
  })

  it("beyond a number the client that was silent longest is forgotten", () => {
    const four = [0, 1, 2, 3].map((n) => client(`c${n}`, 0, ""))
    assert.deepStrictEqual(run(...four, client("c0", 1, "a")).last, { _tag: "NotApplied", reason: "SessionExpired" })
    assert.deepStrictEqual(run(...four, client("c1", 1, "a")).last, counted(1))
  })

  it("a name that is none, or a sequence, is refused and changes nothing", () => {
    const wrong: ReadonlyArray<SessionCommand<Count>> = [
      key("", "a"),
      key("x".repeat(256), "a"),
      key("\u0100", "a"),
      { session: { _tag: "Register", client: "" } },
      client("c", -1, "a"),
      client("c", 1.5, "a"),
      client("c", Number.NaN, "a")
    ]
    for (const command of wrong) {
      const { last, state } = run(command)
      assert.deepStrictEqual(last, { _tag: "NotApplied", reason: "InvalidName" })
      assert.strictEqual(state, machine.initial)
    }
  })

  it("keys and clients of one name have nothing to do with each other", () => {
    const { said } = run(client("x", 0, ""), key("x", "a"), client("x", 1, "a"))
    assert.deepStrictEqual(said.slice(1), [counted(1), counted(2)])
  })

  it("a quiet night is not made up for in one command", () => {
    const wide = Sessions.over(counting, {
      identify: ({ word }) => word.length,
      weigh: () => 1,
      limits: { keys: { lifetimeMillis: 10, maxCount: 1000, maxBytes: 1e9 } }
    })
    let state = wide.initial
    const say = (name: string, time: number) => {
      state = wide.apply(state, key(name, "a"), at(time))[0]
    }
    for (let n = 0; n < 100; n++) say(`k${n}`, 0)
    say("next", 1000)
    assert.strictEqual(Roster.size(state.sessions.keys), 97)
    for (let n = 0; n < 40; n++) say(`later ${n}`, 1000)
    assert.strictEqual(Roster.size(state.sessions.keys), 41)
  })

  it("an earlier state stays as it was", () => {
    const { state } = run(key("k", "a"))
    const before = Roster.size(state.sessions.keys)
    machine.apply(state, key("l", "b"), at(1))
    machine.apply(state, key("m", "b"), at(1000))
    assert.strictEqual(Roster.size(state.sessions.keys), before)
    assert.deepStrictEqual(machine.apply(state, key("k", "a"), at(1))[1], { _tag: "Repeated", result: counted(1) })
  })

  it("sessions go when the cluster agrees on a version that has none", () => {
    const later = Sessions.over(counting, { since: 2, identify: () => 1, weigh: () => 1 })
    const [state] = later.apply(later.initial, key("k", "a"), at(0, 2))
    assert.strictEqual(later.version, 2)
    assert.deepStrictEqual(later.migrate!(state, 2), state)
    assert.deepStrictEqual(later.migrate!(state, 1), { value: 1, sessions: Sessions.none })
  })

  it("results go that an earlier version does not know, and their commands are not applied again", () => {
    const later = Sessions.over(counting, {
      since: 1,
      identify: () => 1,
      weigh: () => 1,
      isKnown: (result, version) => version > 1 || result.count < 2
    })
    let state = later.initial
    const register = commandOf({ name: "c", sequence: 0, word: "", weight: 1 })
    for (const [n, command] of [key("k", "a"), key("l", "a"), register, client("c", 1, "a")].entries()) {
      state = later.apply(state, command, at(n, 2))[0]
    }
    const down = later.migrate!(state, 1)
    const repeated = [key("k", "a"), key("l", "a"), client("c", 1, "a")].map((command) =>
      later.apply(down, command, at(9, 1))
    )
    for (const [after] of repeated) assert.strictEqual(after, down)
    assert.deepStrictEqual(
      repeated.map(([, result]) => result),
      [counted(1), undefined, undefined].map((result) => ({ _tag: "Repeated" as const, result }))
    )
    assert.strictEqual(down.sessions.keys.bytes, state.sessions.keys.bytes)
    assert.strictEqual(later.migrate!(state, 2).sessions.keys, state.sessions.keys)
  })

  it("what differs in its command, its name or its result differs in its digest", () => {
    const commands = [
      key("k", "a"),
      key("l", "a"),
      key("k", "ab"),
      client("k", 1, "a"),
      client("k", 2, "a"),
      count("a")
    ]
    const results = [
      counted(1),
      counted(2),
      { _tag: "Repeated", result: counted(1) },
      { _tag: "Repeated", result: undefined },
      { _tag: "NotApplied", reason: "TooOld" },
      { _tag: "NotApplied", reason: "KeyReused" }
    ] as const
    const digests = commands.flatMap((command) =>
      (!("session" in command) ? results.slice(0, 2) : results).map((result) => machine.digest(command, result))
    )
    assert.strictEqual(new Set(digests).size, digests.length)
    for (const digest of digests) assert.isTrue(Number.isInteger(digest))
  })

  it("does what its model does, whatever is said, and however often", () => {
    const words = ["a", "b", "c"]
    const seen = new Set<string>()
    for (let seed = 1; seed <= 300; seed++) {
      const random = Random.stream(seed, "sessions")
      const model = new Model(limits)
      let state: State = machine.initial
      let time = 0
      for (let step = 0; step < 120; step++) {
        if (random.chance(0.2)) time += random.below(70)
        const call: Call = {
          name: random.pick(["k", "l", "m", "n", "o", "p", "q", "r", "s".repeat(200)]),
          sequence: random.pick([undefined, undefined, 0, 1, 2, 3, 4]),
          word: random.pick(words),
          weight: random.pick([1, 1, 50, 51])
        }
        const [next, result] = machine.apply(state, commandOf(call), at(time))
        const expected = model.say(call, time)
        assert.deepStrictEqual<unknown>(result, expected, `seed ${seed}, step ${step}`)
        assert.strictEqual(next.value, model.applied.length, `seed ${seed}, step ${step}`)
        seen.add(expected._tag === "NotApplied" ? expected.reason : expected._tag)
        state = next
      }
    }
    const all = ["Count", "KeyReused", "Registered", "Repeated", "SessionExpired", "TooOld"]
    assert.deepStrictEqual([...seen].toSorted(), all)
  })
})
