/** Bytes from schemas: what goes out comes back, and nothing that comes in makes them throw. */
import { Result, Schema } from "effect"
import { assert, describe, it } from "vitest"
import * as SchemaBytes from "../../src/embed/SchemaBytes.ts"
import * as SchemaMachine from "../../src/embed/SchemaMachine.ts"
import { pieceBytes } from "../../src/embed/SchemaState.ts"
import * as ByteMachine from "../../src/runtime/ByteMachine.ts"
import { type Command, definition, say, type State } from "./Tally.ts"

const machine = SchemaMachine.make(definition)

const bytesOf = (command: Command): Uint8Array => Result.getOrThrow(machine.prepare(command)).bytes

const stateOf = (words: number): State => ({
  said: new Map(Array.from({ length: words }, (_, number) => [`word ${number}`, number] as const)),
  since: new Date(1_700_000_000_000),
  total: 2n ** 70n
})

const decodeState = (pieces: Iterable<Uint8Array>): State | undefined => {
  const decoder = machine.state.decoder(1)!
  for (const piece of pieces) if (!decoder.push(piece)) return undefined
  return decoder.finish()
}

/** A flipped byte may well be another command; what must not happen is that it throws, or gives what the schema refuses. */
const everyDamage = function* (bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length)
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [0x01, 0x20, 0x80, 0xff]) {
      const damaged = Uint8Array.from(bytes)
      damaged[at]! ^= flip
      yield damaged
    }
  }
}

describe("commands as bytes", () => {
  it("come back as they were", () => {
    for (const command of [
      say("hello", 3),
      say('日本 \u{1f600} "quoted"\n', 1),
      { _tag: "Forget", word: "x" } as const
    ]) {
      assert.deepEqual(machine.codec.decode(bytesOf(command))?.command, command)
    }
  })

  it("keep the bytes they came in", () => {
    const bytes = bytesOf(say("hello"))
    assert.strictEqual(machine.codec.encode(machine.codec.decode(bytes)!), bytes)
  })

  it("give nothing when they are cut short, and only what the schema allows when a byte is flipped", () => {
    const whole = bytesOf(say("hello", 3))
    const valid = Schema.is(definition.command)
    let refused = 0
    for (const damaged of everyDamage(whole)) {
      const decoded = machine.codec.decode(damaged)
      if (damaged.length < whole.length) assert.isUndefined(decoded)
      if (decoded === undefined) refused++
      else assert.isTrue(valid(decoded.command))
    }
    assert.isAbove(refused, whole.length)
  })

  it("give nothing for what nests without end, for other forms, and for bytes that are no UTF-8", () => {
    const nested = Buffer.concat([Buffer.of(1), Buffer.from("[".repeat(2_000_000))])
    for (const bytes of [nested, Uint8Array.of(), Uint8Array.of(2, 0x7b, 0x7d), Uint8Array.of(1, 0x22, 0xff, 0x22)]) {
      assert.isUndefined(machine.codec.decode(bytes))
    }
  })

  it("are of the recorded form", () => {
    assert.strictEqual(
      Buffer.from(bytesOf(say("hi", 2))).toString("latin1"),
      '\u0001{"_tag":"Say","word":"hi","times":2}'
    )
  })

  it("are refused with the place named, before they are bytes", () => {
    const refused = machine.prepare(say("", 1))
    assert.isTrue(Result.isFailure(refused))
    if (Result.isFailure(refused)) {
      assert.strictEqual(refused.failure._tag, "InvalidCommand")
      assert.include(refused.failure.message, 'no command of "tally"')
      assert.include(refused.failure.message, "word")
    }
    assert.isTrue(Result.isFailure(machine.prepare({ _tag: "Shout" } as unknown as Command)))
    assert.isTrue(Result.isFailure(machine.prepare(undefined as unknown as Command)))
  })

  it("are refused, not thrown, when a transformation throws", () => {
    const bytes = SchemaBytes.make(
      Schema.String.check(
        Schema.makeFilter(() => {
          throw new Error("a filter that throws")
        })
      )
    )
    assert.isTrue(Result.isFailure(bytes.encode("x")))
    assert.isUndefined(bytes.decode(Buffer.from('\u0001"x"')))
  })
})

describe("queries", () => {
  it("are checked against their schema", () => {
    assert.isTrue(Result.isSuccess(machine.check({ word: "x" })))
    const refused = machine.check({ word: 7 } as unknown as { word: string })
    assert.isTrue(Result.isFailure(refused) && refused.failure._tag === "InvalidQuery")
  })
})

describe("states as pieces", () => {
  it("come back as they were, in pieces of bounded size", () => {
    for (const words of [0, 1, 20_000]) {
      const pieces = [...machine.state.encode(stateOf(words))]
      assert.isTrue(pieces.every(({ length }) => length > 0 && length <= pieceBytes))
      assert.isAbove(pieces.length, words > 1000 ? 3 : 0)
      assert.deepEqual(decodeState(pieces), stateOf(words))
    }
  })

  it("are the same bytes for the same state", () => {
    const [one, other] = [0, 1].map(() => Buffer.concat([...machine.state.encode(stateOf(500))]))
    assert.isTrue(one!.equals(other!))
  })

  it("never throw at pieces that are damaged, missing or in excess", () => {
    const pieces = [...machine.state.encode(stateOf(3))]
    const valid = Schema.is(definition.state)
    for (const [at, piece] of pieces.entries()) {
      for (const damaged of everyDamage(piece)) {
        const decoded = decodeState(pieces.with(at, damaged))
        if (damaged.length < piece.length) assert.isUndefined(decoded)
        else assert.isTrue(decoded === undefined || valid(decoded))
      }
    }
    const many = [...machine.state.encode(stateOf(20_000))]
    assert.isUndefined(decodeState([]))
    for (let missing = 0; missing < many.length; missing++) {
      assert.isUndefined(decodeState(many.filter((_, at) => at !== missing)))
    }
    assert.isUndefined(decodeState([...many, many[0]!]))
    assert.isUndefined(machine.state.decoder(2))
  })

  it("that the schema refuses are a mistake of the machine's, and named as one", () => {
    const broken = { ...stateOf(0), total: 1 } as unknown as State
    assert.throws(() => [...machine.state.encode(broken)], '"tally" has a state that its schema refuses')
  })
})

describe("digests", () => {
  const bytes = ByteMachine.make(machine)
  const { initial } = definition

  it("are equal for equal commands and results, and differ where either does", () => {
    const apply = (command: Command, state: State = initial): number => {
      const encoded = bytesOf(command)
      return bytes.digest(encoded, bytes.apply(state, encoded)[1])
    }
    assert.strictEqual(apply(say("a")), apply(say("a")))
    assert.notStrictEqual(apply(say("a")), apply(say("b")))
    assert.notStrictEqual(apply(say("a")), apply(say("a"), { ...initial, said: new Map([["a", 1]]) }))
  })

  it("throw for a result that its schema refuses", () => {
    const odd = SchemaMachine.make({ ...definition, apply: (state) => [state, { before: 0.5, known: true }] })
    const [, result] = odd.machine.apply(initial, Result.getOrThrow(machine.prepare(say("a"))))
    assert.throws(() => odd.machine.digest(Result.getOrThrow(machine.prepare(say("a"))), result), "its schema refuses")
  })

  it("leave the state alone for bytes that are no command", () => {
    const [state, result] = bytes.apply(initial, Uint8Array.of(9, 9))
    assert.strictEqual(state, initial)
    assert.isTrue(SchemaMachine.isUnknown(result))
  })
})
