/** The digest tells commands and results apart that differ in anything by which replicas could come to differ. */
import { unstamped } from "../../src/raft/Machine.ts"
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import type { KeyValue } from "../../src/kv/KeyValue.ts"
import { KvCommandCodec } from "../../src/codec/KvCommandCodec.ts"
import { historySince, type KvCommand, type KvResult } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import { identify } from "../../src/kv/KvDigest.ts"
import { commandBy, later, results, txn } from "../codec/KvCommandSamples.ts"
import { chanceOf } from "./Chance.ts"

const { digest } = KvMachine
const put: KvCommand = { _tag: "Put", key: "key", value: Buffer.from("value"), prevKv: false }
const erase: KvCommand = { _tag: "DeleteRange", key: "key", rangeEnd: "kez", prevKv: false }
const done: KvResult = { _tag: "Put", revision: 7, prevKv: undefined }
const erased: KvResult = { _tag: "DeleteRange", revision: 7, deleted: 2, prevKvs: [] }
const kv: KeyValue = { key: "key", value: Buffer.from("old"), createRevision: 2, modRevision: 5, version: 3, lease: 0n }

/** Of so few, two would be equal by chance once in a million such lists. */
const assertDistinct = (pairs: ReadonlyArray<readonly [KvCommand, KvResult]>): void => {
  const digests = pairs.map(([command, result]) => digest(command, result))
  for (const one of digests) assert.isTrue(Number.isInteger(one) && one >= 0 && one <= 0xffff_ffff)
  assert.strictEqual(new Set(digests).size, pairs.length)
}

describe("the digest", () => {
  it("depends on every part of a command", () => {
    assertDistinct([
      [put, done],
      [{ ...put, prevKv: true }, done],
      [{ ...put, key: "kez" }, done],
      [{ ...put, key: "keyv", value: Buffer.from("alue") }, done],
      [{ ...put, key: "" }, done],
      [{ ...put, value: Buffer.from("valuf") }, done],
      [{ ...put, value: Buffer.from("value\0") }, done],
      [{ ...put, value: Buffer.alloc(0) }, done],
      [{ ...put, value: Buffer.alloc(4) }, done],
      [erase, erased],
      [{ ...erase, prevKv: true }, erased],
      [{ ...erase, key: "kex" }, erased],
      [{ ...erase, rangeEnd: "ke{" }, erased],
      [{ ...erase, rangeEnd: undefined }, erased],
      [{ ...erase, rangeEnd: "" }, erased],
      [{ ...erase, rangeEnd: "\0" }, erased],
      [{ ...erase, key: "keykez", rangeEnd: undefined }, erased]
    ])
  })

  it("depends on the kind and revision of a result, on what was deleted, and on what was there before", () => {
    assertDistinct([
      [put, done],
      [put, { ...done, revision: 8 }],
      [put, { ...done, revision: 7 + 2 ** 32 }],
      [put, { ...done, prevKv: kv }],
      [put, { ...done, prevKv: { ...kv, modRevision: 4 } }],
      [put, { ...done, prevKv: { ...kv, version: 2 } }],
      [put, { _tag: "UnknownCommand", revision: 7 }],
      [erase, erased],
      [erase, { ...erased, revision: 6 }],
      [erase, { ...erased, deleted: 3 }],
      [erase, { ...erased, prevKvs: [kv] }],
      [erase, { ...erased, prevKvs: [kv, kv] }],
      [erase, { ...erased, prevKvs: [{ ...kv, modRevision: 6 }] }]
    ])
  })

  it("is the same for the same, wherever its bytes lie", () => {
    const around = Buffer.concat([Buffer.alloc(3, 255), Buffer.from("value"), Buffer.alloc(3, 255)])
    assert.strictEqual(digest({ ...put, value: around.subarray(3, 8) }, done), digest(put, done))
    assert.strictEqual(digest(put, done), 0x88a7_563c)
  })

  it("every bit of a key and a value counts", () => {
    const pairs: Array<readonly [KvCommand, KvResult]> = []
    for (const length of [1, 4, 7, 30]) {
      for (let bit = 0; bit < length * 8; bit++) {
        const bytes = Buffer.alloc(length)
        bytes[bit >>> 3]! ^= 1 << (bit & 7)
        pairs.push([{ ...put, value: bytes }, done], [{ ...put, key: bytes.toString("latin1") }, done])
      }
    }
    assertDistinct(pairs)
  })

  it("two stores that have come to differ are told apart by what they do next", () => {
    const chance = chanceOf(5)
    let one = KvMachine.initial
    const history = Array.from({ length: 200 }, (_, i): KvCommand => {
      const key = `k${chance.below(20)}`
      return i % 7 === 0
        ? { _tag: "DeleteRange", key, rangeEnd: `${key}~`, prevKv: false }
        : { _tag: "Put", key, value: Buffer.from(`${i}`), prevKv: i % 3 === 0 }
    })
    // One that has lost a command, with the next commands that would show it.
    for (const [lost, command] of history.entries()) {
      let other = one
      one = KvMachine.apply(one, command, unstamped)[0]
      if (one === other) continue
      const next = history[(lost + 1) % history.length]!
      const [, ours] = KvMachine.apply(one, next, unstamped)
      const [, theirs] = KvMachine.apply(other, next, unstamped)
      assert.notStrictEqual(digest(next, ours), digest(next, theirs), `without command ${lost}`)
      other = one
    }
  })
})

/** All that differ from `value` in one place, other than in fields that need not count. */
const mutationsOf = (value: unknown, passedOver: ReadonlySet<string>): ReadonlyArray<unknown> => {
  switch (typeof value) {
    case "number":
      return [value + 1, value - 1, value + 2 ** 32]
    case "bigint":
      return [value + 1n, value ^ (1n << 40n)]
    case "boolean":
      return [!value]
    case "string":
      return [`${value}x`, `${value}\0`, value === "" ? "a" : value.slice(1)]
    case "object":
      break
    default:
      return []
  }
  if (value === null) return []
  if (value instanceof Uint8Array) return [Buffer.concat([value, Buffer.alloc(1)]), Buffer.alloc(9, 3)]
  if (Array.isArray(value)) {
    const each = value.flatMap((item, at) => mutationsOf(item, passedOver).map((other) => value.with(at, other)))
    return [...each, ...value.map((_, at) => value.toSpliced(at, 1)), ...value.map((item) => [...value, item])]
  }
  return Object.entries(value).flatMap(([name, field]) =>
    name === "_tag" || passedOver.has(name)
      ? []
      : mutationsOf(field, passedOver).map((other) => ({ ...value, [name]: other }))
  )
}

/** By what they mean: two mutations may come to the same. */
const distinct = <A>(values: ReadonlyArray<A>, meaning: (value: A) => string): ReadonlyArray<A> => [
  ...new Map(values.map((value) => [meaning(value), value])).values()
]

const inFull = (value: unknown): string => inspect(value, { depth: 99, maxArrayLength: 99 })

/** Those that cannot be said are no commands. */
const commandsOf = (commands: ReadonlyArray<KvCommand>): ReadonlyArray<KvCommand> => {
  const bytesOf = (command: KvCommand) => KvCommandCodec.encode(command, historySince)
  const possible = commands.filter((command) => bytesOf(command) !== undefined)
  return distinct(possible, (command) => Buffer.from(bytesOf(command)!).toString("hex"))
}

describe("every field", () => {
  const enumerations = new Set(["result", "sort", "reason"])

  it("of a command counts, for the digest and for what identifies it", () => {
    const mutations = later.flatMap((command) => mutationsOf(command, enumerations)) as ReadonlyArray<KvCommand>
    const commands = commandsOf([...later, ...mutations, put, erase])
    assert.isAbove(commands.length, 500)
    assertDistinct(commands.map((command) => [command, done]))
    const names = commands.map(identify)
    for (const name of names) assert.isTrue(Number.isSafeInteger(name) && name >= 0)
    assert.strictEqual(new Set(names).size, commands.length)
  })

  it("that is one of a few counts as well", () => {
    const target = { _tag: "Version", number: 1 } as const
    const compares = (["Equal", "Greater", "Less", "NotEqual"] as const).flatMap((result) =>
      (["Version", "CreateRevision", "ModRevision"] as const).map((_tag) => ({
        ...txn,
        compares: [{ key: "a", rangeEnd: undefined, result, target: { ...target, _tag } }]
      }))
    )
    const range = { _tag: "Range", key: "a", rangeEnd: undefined, limit: 0, revision: 0 } as const
    const plain = { ...range, keysOnly: false, countOnly: false }
    const sorts = (["None", "Ascend", "Descend"] as const).flatMap((order) =>
      (["Key", "Version", "Create", "Mod", "Value"] as const).map((target) => ({ order, target }))
    )
    const options = ["minModRevision", "maxModRevision", "minCreateRevision", "maxCreateRevision"] as const
    const ranges = [
      plain,
      ...sorts.map((sort) => ({ ...plain, sort })),
      ...options.map((name) => ({ ...plain, [name]: 5 }))
    ]
    const kinds = (["LeaseRevoke", "LeaseKeepAlive"] as const).map((_tag) => ({ _tag, id: 5n }))
    const commands: ReadonlyArray<KvCommand> = [
      ...compares,
      ...ranges.map((one) => ({ ...txn, success: [one] })),
      { ...txn, failure: [plain] },
      { ...txn, success: [{ ...txn, success: [plain] }] },
      { ...txn, success: [{ ...txn }, plain] },
      ...kinds,
      { _tag: "LeaseExpire", ids: [5n] },
      { _tag: "LeaseTimeToLive", id: 5n, keys: false }
    ]
    assertDistinct(commands.map((command) => [command, done]))
  })

  it("of a result counts, but for what pairs follow from", () => {
    const passedOver = new Set(["prevKv", "prevKvs", "kvs", "reason"])
    const all = distinct(
      results.flatMap((result) => [result, ...mutationsOf(result, passedOver)]),
      inFull
    )
    assert.isAbove(all.length, 90)
    assertDistinct((all as ReadonlyArray<KvResult>).map((result) => [txn, result]))
    const kvs = results.flatMap((result) => (result._tag === "Txn" ? [result] : []))
    const pairs = distinct(
      kvs.flatMap((result) => [result, ...mutationsOf(result, new Set(["value", "prevKv", "prevKvs"]))]),
      inFull
    )
    assert.isAbove(pairs.length, 60)
    assertDistinct((pairs as ReadonlyArray<KvResult>).map((result) => [txn, result]))
    const previous = { ...done, prevKv: { ...kv, lease: 1n } }
    assertDistinct([
      [put, previous],
      [put, { ...previous, prevKv: kv }],
      [put, { ...previous, prevKv: { ...kv, lease: 1n << 40n } }],
      [put, { ...previous, prevKv: { ...kv, lease: 1n, version: 4 } }]
    ])
  })

  it("makes random commands different", () => {
    const chance = chanceOf(3)
    const commands = commandsOf(Array.from({ length: 5000 }, () => commandBy(chance)))
    const names = new Set(commands.map(identify))
    assert.strictEqual(names.size, commands.length)
  })

  it("that is absent is the same as one that says nothing", () => {
    const said: KvCommand = { ...put, lease: 0n, ignoreValue: false, ignoreLease: false }
    assert.strictEqual(digest(said, done), digest(put, done))
    assert.strictEqual(identify(said), identify(put))
  })
})
