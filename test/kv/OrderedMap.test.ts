/** The ordered map against its model, with every version that was ever kept looked at again. */
import { assert, describe, it } from "@effect/vitest"
import * as OrderedMap from "../../src/kv/OrderedMap.ts"
import { type Chance, chanceOf } from "./Chance.ts"
import * as Model from "./OrderedMapModel.ts"
import { assertSame } from "./OrderedMapModel.ts"

interface Both {
  readonly map: OrderedMap.OrderedMap<number>
  readonly model: Model.Pairs
}

const nothing: Both = { map: OrderedMap.empty, model: [] }

/** Few keys are overwritten and removed often; many make a tree of three levels. */
const keyOf = (chance: Chance, keys: number): string => {
  const n = chance.below(keys)
  return String.fromCharCode(n % 256, (n >>> 4) % 256, 255 - (n % 7)).slice(0, 1 + (n % 3)) + n.toString(36)
}

const inOrder = (count: number, by?: OrderedMap.Owner): Both => {
  const model = Array.from({ length: count }, (_, i) => [`k${String(i).padStart(6, "0")}`, i] as const)
  let map: OrderedMap.OrderedMap<number> = OrderedMap.empty
  for (const [key, value] of model) map = OrderedMap.set(map, key, value, by)
  return { map, model }
}

const change = ({ map, model }: Both, chance: Chance, keys: number, by?: OrderedMap.Owner): Both => {
  const key = keyOf(chance, keys)
  const kind = chance.below(100)
  if (kind < 55) {
    const value = chance.below(1_000_000)
    return { map: OrderedMap.set(map, key, value, by), model: Model.set(model, key, value) }
  }
  if (kind < 98) {
    const existing = kind < 90 ? (model[chance.below(model.length)]?.[0] ?? key) : key
    return { map: OrderedMap.remove(map, existing, by), model: Model.remove(model, existing) }
  }
  // Mostly short ranges: a long one leaves little to test with.
  const from = chance.below(model.length + 1)
  const to = model[from + chance.below(chance.below(10) === 0 ? model.length : 90)]?.[0] ?? keyOf(chance, keys)
  const start = model[from]?.[0] ?? key
  return { map: OrderedMap.removeRange(map, start, to), model: Model.removeRange(model, start, to) }
}

const assertReads = ({ map, model }: Both, chance: Chance, keys: number, what: string): void => {
  const from = keyOf(chance, keys)
  const to = chance.below(4) === 0 ? undefined : keyOf(chance, keys)
  const expected = Model.range(model, from, to)
  assert.deepStrictEqual(Model.pairsIn(map, from, to), expected, `${what}: range`)
  assert.strictEqual(OrderedMap.count(map, from, to), expected.length, `${what}: count`)
  assert.strictEqual(OrderedMap.get(map, from), model.find(([key]) => key === from)?.[1], `${what}: get`)
}

describe("OrderedMap", () => {
  for (const keys of [40, 4000]) {
    for (let seed = 1; seed <= 8; seed++) {
      it(`is a sorted array to those who look, and old versions stay (${keys} keys, seed ${seed})`, () => {
        const chance = chanceOf(seed)
        const kept: Array<Both> = []
        let now = keys > 1000 ? inOrder(1500) : nothing
        for (let step = 0; step < 150; step++) {
          if (step % 5 === 0) kept.push(now)
          const by = chance.below(2) === 0 ? undefined : OrderedMap.owner()
          for (let left = chance.below(12); left >= 0; left--) now = change(now, chance, keys, by)
          assertReads(now, chance, keys, `step ${step}`)
        }
        kept.push(now)
        for (const [i, { map, model }] of kept.entries()) assertSame(map, model, `version ${i}`)
      })
    }
  }

  it("keeps what one batch made through the next batch", () => {
    const first = inOrder(200, OrderedMap.owner())
    const by = OrderedMap.owner()
    let map = first.map
    for (const [key] of first.model) map = OrderedMap.set(map, key, -1, by)
    assertSame(first.map, first.model, "the first batch")
    assert.isTrue(Model.pairsIn(map, "", undefined).every(([, value]) => value === -1))
  })

  it("changes in place what its own batch made", () => {
    const by = OrderedMap.owner()
    const { map } = inOrder(200, by)
    assert.strictEqual(OrderedMap.set(map, "k000007", -1, by), map)
    assert.notStrictEqual(OrderedMap.set(map, "k000007", -2), map)
    assert.strictEqual(OrderedMap.get(map, "k000007"), -1)
  })

  it("gives back the very same map when nothing is removed", () => {
    const { map } = inOrder(100)
    assert.strictEqual(OrderedMap.remove(map, "absent"), map)
    assert.strictEqual(OrderedMap.removeRange(map, "k000050x", "k000051"), map)
    assert.strictEqual(OrderedMap.removeRange(map, "k000050", "k000050"), map)
    assert.strictEqual(OrderedMap.removeRange(map, "k000050", "a"), map)
  })

  it("removes every range of a small tree", () => {
    const { map, model } = inOrder(120)
    for (let i = 0; i <= 120; i += 4) {
      for (let j = i; j <= 120; j += 4) {
        const from = model[i]?.[0] ?? "z"
        const to = model[j]?.[0]
        const what = `[${from}, ${to})`
        assertSame(OrderedMap.removeRange(map, from, to), Model.removeRange(model, from, to), what)
      }
    }
    assertSame(map, model, "the tree they were removed from")
  })

  it("empties from either end and from the middle", () => {
    const { map, model } = inOrder(3000)
    const orders: ReadonlyArray<(i: number) => number> = [
      (i) => i,
      (i) => 2999 - i,
      (i) => (i % 2 === 0 ? 1500 + i / 2 : 1499 - (i - 1) / 2)
    ]
    for (const order of orders) {
      let left = map
      for (let i = 0; i < 3000; i++) {
        left = OrderedMap.remove(left, model[order(i)]![0])
        if (i % 500 === 0) assertSame(left, Model.range(Model.pairsIn(left, "", undefined), "", undefined), `${i}`)
        assert.strictEqual(OrderedMap.size(left), 2999 - i)
      }
      assert.strictEqual(left, OrderedMap.empty)
    }
    assertSame(map, model, "the tree they were removed from")
  })

  it("takes any byte string for a key, in byte order", () => {
    const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i))
    const odd = ["", "\0\0", "__proto__", "constructor", "\xff\xff", "a\0", "x".repeat(1 << 20)]
    const keys = [...bytes, ...odd]
    let map: OrderedMap.OrderedMap<number> = OrderedMap.empty
    for (const [i, key] of keys.entries()) map = OrderedMap.set(map, key, i)
    const byteOrder = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a, "latin1"), Buffer.from(b, "latin1")))
    assert.deepStrictEqual(
      Model.pairsIn(map, "", undefined).map(([key]) => key),
      byteOrder
    )
    for (const [i, key] of keys.entries()) assert.strictEqual(OrderedMap.get(map, key), i)
    assert.isUndefined(OrderedMap.get(OrderedMap.empty, "__proto__"))
  })

  for (let seed = 1; seed <= 8; seed++) {
    it(`finds keys that begin alike, or end where others go on (seed ${seed})`, () => {
      const chance = chanceOf(seed)
      // Few different bytes, the least and the greatest among them, after beginnings of any length.
      const bytes = ["\0", "\x01", "a", "\xfe", "\xff"]
      const beginnings = ["", "\0".repeat(7), "a".repeat(chance.below(40)), "\xff".repeat(6), "b"]
      const anyKey = (): string => {
        const tail = Array.from({ length: chance.below(9) }, () => bytes[chance.below(bytes.length)]!).join("")
        return beginnings[chance.below(beginnings.length)]! + tail
      }
      let both = nothing
      const probe = (key: string, what: string): void =>
        assert.strictEqual(OrderedMap.get(both.map, key), both.model.find(([other]) => other === key)?.[1], what)
      for (let step = 0; step < 500; step++) {
        const key = anyKey()
        const isRemoved = chance.below(3) === 0
        probe(key, `step ${step}, before`)
        both = isRemoved
          ? { map: OrderedMap.remove(both.map, key), model: Model.remove(both.model, key) }
          : { map: OrderedMap.set(both.map, key, step), model: Model.set(both.model, key, step) }
        probe(key, `step ${step}, after`)
        probe(anyKey(), `step ${step}, another`)
        if (step % 90 === 0) assertSame(both.map, both.model, `step ${step}`)
      }
      // A set after a look-up goes where the key is, and nowhere else.
      for (const [key, value] of both.model) {
        assert.strictEqual(OrderedMap.get(both.map, key), value)
        both = { ...both, map: OrderedMap.set(both.map, key, -1) }
      }
      assertSame(
        both.map,
        both.model.map(([key]) => [key, -1] as const),
        "other values"
      )
    })
  }

  it("walks on from where it stopped", () => {
    const { map, model } = inOrder(1000)
    const seen: Array<readonly [string, number]> = []
    let from = ""
    for (let slices = 0; slices < 1000 && seen.length < 1000; slices++) {
      let left = 7
      OrderedMap.walk(map, from, undefined, (value, key) => {
        seen.push([key, value])
        from = `${key}\0`
        return --left > 0
      })
    }
    assert.deepStrictEqual(seen, [...model])
  })

  it("is built from ascending pairs as if they had been set, whatever their number", () => {
    const sizes = [...Array.from({ length: 70 }, (_, i) => i), 1023, 1024, 1025, 1056, 32_769]
    for (const size of sizes) {
      const { map, model } = inOrder(size)
      const builder = OrderedMap.builder<number>()
      for (const [key, value] of model) assert.isTrue(builder.add(key, value))
      assert.strictEqual(builder.size, size)
      const built = builder.finish()
      assertSame(built, model, `${size} pairs`)
      // And it lives on as any other.
      const more = OrderedMap.remove(OrderedMap.set(OrderedMap.set(built, "k0000005", -1), "z", -2), "k000000")
      const expected = OrderedMap.remove(OrderedMap.set(OrderedMap.set(map, "k0000005", -1), "z", -2), "k000000")
      assertSame(more, Model.pairsIn(expected, "", undefined), `${size} pairs and two`)
      assertSame(built, model, `${size} pairs, afterwards`)
    }
    assert.strictEqual(OrderedMap.builder().finish(), OrderedMap.empty)
  })

  it("is built from nothing but ascending pairs", () => {
    const builder = OrderedMap.builder<number>()
    assert.isTrue(builder.add("", 0))
    assert.isFalse(builder.add("", 1))
    assert.isTrue(builder.add("b", 2))
    assert.isFalse(builder.add("b", 3))
    assert.isFalse(builder.add("a\xff", 4))
    assert.isTrue(builder.add("b\0", 5))
    assertSame(
      builder.finish(),
      [
        ["", 0],
        ["b", 2],
        ["b\0", 5]
      ],
      "three pairs"
    )
  })
})
