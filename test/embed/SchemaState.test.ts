/** States as pieces: whatever their schema, they come back as they were, a piece at a time, and never throw. */
import { Option, Schema } from "effect"
import { assert, describe, it } from "vitest"
import type { StateCodec } from "../../src/codec/StateCodec.ts"
import type { Codec } from "../../src/embed/Definition.ts"
import * as SchemaState from "../../src/embed/SchemaState.ts"
import { everyDamage } from "./Damage.ts"
import { definition, type State } from "./Tally.ts"

const decode = <S>(codec: StateCodec<S>, pieces: Iterable<Uint8Array>): S | undefined => {
  const decoder = codec.decoder(codec.version)!
  for (const piece of pieces) if (!decoder.push(piece)) return undefined
  return decoder.finish()
}

const codec = SchemaState.make("tally", definition.state)

const stateOf = (words: number): State => ({
  said: new Map(Array.from({ length: words }, (_, number) => [`word ${number}`, number] as const)),
  since: new Date(1_700_000_000_000),
  total: 2n ** 70n
})

class Point extends Schema.Class<Point>("Point")({ x: Schema.Int, y: Schema.Int }) {}

const Odd = Schema.Struct({
  "": Schema.Array(Schema.String),
  maybe: Schema.optionalKey(Schema.Array(Schema.Int)),
  undefinable: Schema.UndefinedOr(Schema.Int),
  optional: Schema.optional(Schema.String),
  nothing: Schema.NullOr(Schema.Int),
  record: Schema.Record(Schema.String, Schema.Uint8Array),
  set: Schema.ReadonlySet(Schema.BigInt),
  point: Point,
  pair: Schema.Tuple([Schema.Int, Schema.String]),
  some: Schema.NonEmptyArray(Schema.Int),
  nested: Schema.Struct({ deep: Schema.ReadonlyMap(Schema.Struct({ key: Schema.Int }), Schema.Option(Schema.Int)) }),
  few: Schema.Array(Schema.Int).check(Schema.isMaxLength(3)),
  renamed: Schema.FiniteFromString
})

const odd: typeof Odd.Type = {
  "": ["", "\u2028"],
  undefinable: undefined,
  nothing: null,
  record: Object.fromEntries([
    ["__proto__", Uint8Array.of(1)],
    ["b", Uint8Array.of()],
    ["1", Uint8Array.of(255)]
  ]),
  set: new Set([2n ** 64n, -1n]),
  point: new Point({ x: 1, y: -1 }),
  pair: [1, "one"],
  some: [1, 2],
  nested: { deep: new Map([[{ key: 1 }, Option.some(2)]]) },
  few: [1, 2, 3],
  renamed: 1.5
}

describe("a state in pieces", () => {
  it("comes back as it was, whatever its schema", () => {
    const comesBack = <S>(schema: Codec<S>, state: S): void => {
      const one = SchemaState.make("one", schema)
      assert.deepEqual(decode(one, one.encode(state)), state)
    }
    comesBack(Odd, odd)
    comesBack(Odd, { ...odd, maybe: [], optional: undefined, undefinable: 1 })
    comesBack(Odd, { ...odd, maybe: [1], optional: "text" })
    comesBack(Schema.Int, 7)
    comesBack(Schema.NullOr(Schema.String), null)
    comesBack(Schema.Array(Schema.Struct({ a: Schema.Int })), [{ a: 1 }, { a: 2 }])
    comesBack(Schema.ReadonlyMap(Schema.String, Schema.Array(Schema.Int)), new Map([["a", [1]]]))
    comesBack(Schema.ReadonlySet(Schema.String), new Set())
    comesBack(Schema.Record(Schema.String, Schema.Int), { a: 1 })
    comesBack(Schema.Struct({}), {})
    comesBack(Point, new Point({ x: 0, y: 0 }))
    for (const words of [0, 1, 20_000]) comesBack(definition.state, stateOf(words))
  })

  it("has an own key that others inherit", () => {
    const one = SchemaState.make("one", Odd)
    assert.isTrue(Object.hasOwn(decode(one, one.encode(odd))!.record, "__proto__"))
  })

  it("makes each piece when it is asked for, of bounded size, and asks the schema for no more than that", () => {
    const asked: Array<string> = []
    const Watched = Schema.String.check(
      Schema.makeFilter((text) => {
        asked.push(text)
        return true
      })
    )
    const watching = SchemaState.make("watched", Schema.Struct({ map: Schema.ReadonlyMap(Watched, Schema.Int) }))
    const pieces = watching.encode({ map: stateOf(20_000).said })[Symbol.iterator]()
    let before = 0
    let count = 0
    for (let next = pieces.next(); next.done !== true; next = pieces.next()) {
      assert.isBelow(next.value.length, 2 * SchemaState.targetLength)
      assert.isBelow(asked.length - before, 10_000)
      before = asked.length
      count++
    }
    assert.isAbove(count, 3)
    assert.isAtLeast(asked.length, 20_000)
  })

  it("is the same bytes for the same state", () => {
    const [one, other] = [0, 1].map(() => Buffer.concat([...codec.encode(stateOf(500))]))
    assert.isTrue(one!.equals(other!))
  })

  it("is of the recorded form", () => {
    const texts = [...codec.encode(stateOf(2))].map((piece) => Buffer.from(piece).toString("latin1"))
    assert.deepEqual(texts, [
      '\u0001[0,[["word 0",0],["word 1",1]]]',
      '\u0001[1,"2023-11-14T22:13:20.000Z"]',
      '\u0001[2,"1180591620717411303424"]',
      "\u0001[3]"
    ])
  })

  it("never throws when pieces are damaged", () => {
    const pieces = [...codec.encode(stateOf(3))]
    const valid = Schema.is(definition.state)
    for (const [at, piece] of pieces.entries()) {
      for (const damaged of everyDamage(piece)) {
        const decoded = decode(codec, pieces.with(at, damaged))
        if (damaged.length < piece.length) assert.isUndefined(decoded)
        else assert.isTrue(decoded === undefined || valid(decoded))
      }
    }
  })

  it("is nothing when a piece is missing, doubled, or of something else", () => {
    const pieces = [...codec.encode(stateOf(20_000))]
    assert.isAbove(pieces.length, 5)
    assert.isUndefined(decode(codec, []))
    for (const at of pieces.keys()) {
      assert.isUndefined(decode(codec, pieces.toSpliced(at, 1)))
      assert.isUndefined(decode(codec, pieces.toSpliced(at, 0, pieces[at]!)))
    }
    const end = pieces.at(-1)!
    for (const text of ["[9,1]", "[0,1]", "[0]", "[]", "[0,[],1]", "null", '["__proto__",[]]', "[-1,[]]", "[0.5,[]]"]) {
      assert.isUndefined(decode(codec, [Buffer.from(`\u0001${text}`), end]), text)
    }
    const [said, since, total] = [...codec.encode(stateOf(1))]
    const fourth = Buffer.from("\u0001[4]")
    assert.isDefined(decode(codec, [said!, said!, since!, total!, fourth]), "items may come in many pieces")
    assert.isUndefined(decode(codec, [said!, since!, since!, total!, fourth]), "one value comes once")
    assert.isUndefined(codec.decoder(2))
  })

  it("is checked and transformed as a whole where its schema does", () => {
    const few = SchemaState.make("few", Schema.Array(Schema.Int).check(Schema.isMaxLength(2)))
    assert.throws(() => [...few.encode([1, 2, 3])], "its schema refuses")
    assert.isUndefined(decode(few, SchemaState.make("many", Schema.Array(Schema.Int)).encode([1, 2, 3])))
    const Both = Schema.Struct({ low: Schema.Int, high: Schema.Int }).check(
      Schema.makeFilter(({ low, high }) => low <= high)
    )
    assert.throws(() => [...SchemaState.make("both", Both).encode({ low: 2, high: 1 })], "its schema refuses")
    const text = SchemaState.make("text", Schema.fromJsonString(Schema.Struct({ a: Schema.Int })))
    assert.strictEqual(Buffer.from([...text.encode({ a: 1 })][0]!).toString("latin1"), '\u0001[0,"{\\"a\\":1}"]')
  })

  it("that its schema refuses is a mistake of the machine's, and named as one", () => {
    const broken = { ...stateOf(0), total: 1 } as unknown as State
    assert.throws(() => [...codec.encode(broken)], '"tally" has a state that its schema refuses')
  })
})
