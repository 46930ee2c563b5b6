/** The digest tells commands and results apart that differ in anything by which replicas could come to differ. */
import { unstamped } from "../../src/raft/Machine.ts"
import { assert, describe, it } from "@effect/vitest"
import type { KeyValue } from "../../src/kv/KeyValue.ts"
import type { KvCommand, KvResult } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
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
