/** Bytes from schemas: what goes out comes back, and nothing that comes in makes them throw. */
import { unstamped } from "../../src/raft/Machine.ts"
import { Result, Schema } from "effect"
import { assert, describe, it } from "vitest"
import * as SchemaBytes from "../../src/embed/SchemaBytes.ts"
import * as SchemaMachine from "../../src/embed/SchemaMachine.ts"
import * as ByteMachine from "../../src/runtime/ByteMachine.ts"
import { everyDamage } from "./Damage.ts"
import { type Command, definition, say, type State } from "./Tally.ts"

const machine = SchemaMachine.make(definition)

const bytesOf = (command: Command): Uint8Array => Result.getOrThrow(machine.prepare(command)).bytes

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
    assert.strictEqual(machine.codec.encode(machine.codec.decode(bytes)!, 1), bytes)
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
    const good = Buffer.from('\u0001{"_tag":"Forget","word":"?"}', "latin1")
    assert.isDefined(machine.codec.decode(good))
    const notText = Buffer.from(good.map((byte) => (byte === 0x3f ? 0xff : byte)))
    const otherForm = Buffer.from(good.map((byte) => (byte === 1 ? 2 : byte)))
    for (const bytes of [nested, Uint8Array.of(), notText, otherForm]) {
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

describe("digests", () => {
  const bytes = ByteMachine.make(machine)
  const { initial } = definition

  it("are equal for equal commands and results, and differ where either does", () => {
    const apply = (command: Command, state: State = initial): number => {
      const encoded = bytesOf(command)
      return bytes.digest(encoded, bytes.apply(state, encoded, unstamped)[1])
    }
    assert.strictEqual(apply(say("a")), apply(say("a")))
    assert.notStrictEqual(apply(say("a")), apply(say("b")))
    assert.notStrictEqual(apply(say("a")), apply(say("a"), { ...initial, said: new Map([["a", 1]]) }))
  })

  it("throw for a result that its schema refuses", () => {
    const odd = SchemaMachine.make({ ...definition, apply: (state) => [state, { before: 0.5, known: true }] })
    const [, result] = odd.machine.apply(initial, Result.getOrThrow(machine.prepare(say("a"))), unstamped)
    assert.throws(() => odd.machine.digest(Result.getOrThrow(machine.prepare(say("a"))), result), "its schema refuses")
  })

  it("leave the state alone for bytes that are no command", () => {
    const [state, result] = bytes.apply(initial, Uint8Array.of(9, 9), unstamped)
    assert.strictEqual(state, initial)
    assert.isTrue(SchemaMachine.isUnknown(result))
  })
})
