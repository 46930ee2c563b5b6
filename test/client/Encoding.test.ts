/** What is sent and read, by table: bodies as etcd's gateway writes them, and what the client makes of them. */
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import * as Compare from "../../src/client/Compare.ts"
import * as Json from "../../src/client/GatewayJson.ts"
import * as KeyRange from "../../src/client/KeyRange.ts"
import * as LeaseId from "../../src/client/LeaseId.ts"
import * as RangeRequest from "../../src/client/RangeRequest.ts"
import * as Txn from "../../src/client/Txn.ts"
import { encodeDelete, encodePut, encodeTouch } from "../../src/client/WriteRequest.ts"

const bytes = (...values: ReadonlyArray<number>): Uint8Array => Uint8Array.from(values)
const hex = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString("hex")
const shown = ({ key, rangeEnd }: KeyRange.KeyRange) => [hex(key), hex(rangeEnd)]
const largest = LeaseId.LeaseId(2n ** 63n - 1n)

describe("a range of keys", () => {
  const table: ReadonlyArray<readonly [what: string, range: KeyRange.KeyRange, key: string, end: string | undefined]> =
    [
      ["one key", KeyRange.one("a"), "61", undefined],
      ["a prefix", KeyRange.prefixRange("a/"), "612f", "6130"],
      ["a prefix that ends in ff", KeyRange.prefixRange(bytes(1, 0xff, 0xff)), "01ffff", "02"],
      ["a prefix of ff alone has no end", KeyRange.prefixRange(bytes(0xff, 0xff)), "ffff", "00"],
      ["the empty prefix is everything", KeyRange.prefixRange(""), "00", "00"],
      ["everything", KeyRange.all, "00", "00"],
      ["from a key on", KeyRange.fromKey("b"), "62", "00"],
      ["from the empty key on", KeyRange.fromKey(""), "00", "00"],
      ["between two", KeyRange.between("a", "c"), "61", "63"],
      ["text is UTF-8", KeyRange.one("é"), "c3a9", undefined]
    ]
  for (const [what, range, key, end] of table) {
    it(what, () => assert.deepEqual(shown(range), [key, end]))
  }

  it("of a prefix leaves the prefix as it was", () => {
    const prefix = Buffer.from("ab")
    KeyRange.prefixRange(prefix)
    assert.strictEqual(prefix.toString(), "ab")
  })

  it("goes on right after a key", () => assert.strictEqual(hex(KeyRange.after(bytes(0x61))), "6100"))
})

describe("a lease's id", () => {
  const texts: ReadonlyArray<readonly [text: string, id: bigint | undefined]> = [
    ["1", 1n],
    ["694d5765fc71500b", 0x694d5765fc71500bn],
    ["7FFFFFFFFFFFFFFF", 2n ** 63n - 1n],
    ["8000000000000000", undefined],
    ["0", undefined],
    ["", undefined],
    ["-1", undefined],
    ["xyz", undefined],
    ["11112222333344445", undefined]
  ]
  for (const [text, id] of texts) {
    it(`"${text}" is ${id === undefined ? "none" : id}`, () =>
      assert.strictEqual(Result.getOrUndefined(LeaseId.fromHex(text)), id as LeaseId.LeaseId | undefined))
  }

  it("is as etcdctl writes it", () => assert.strictEqual(LeaseId.toHex(LeaseId.LeaseId(255n)), "ff"))

  it("is exact in JSON, beyond what a number holds", () => {
    assert.strictEqual(LeaseId.ofJson("4252420624848922890"), LeaseId.LeaseId(4252420624848922890n))
    assert.isUndefined(LeaseId.ofJson("0"))
    assert.isUndefined(LeaseId.ofJson(undefined))
    assert.isUndefined(LeaseId.ofJson("no number"))
  })

  it("by chance is positive and has 63 bits", () => {
    assert.strictEqual(LeaseId.ofRandom(0xffffffff, 0xffffffff), largest)
    assert.strictEqual(LeaseId.ofRandom(0, 0), LeaseId.LeaseId(1n))
    assert.strictEqual(LeaseId.ofRandom(1, 2), LeaseId.LeaseId(0x100000002n))
  })
})

const a = "YQ=="
const b = "Yg=="

describe("a request", () => {
  const table: ReadonlyArray<readonly [what: string, sent: Json.Json, body: Json.Json]> = [
    ["range without options", RangeRequest.encode("a", {}), { key: a }],
    [
      "range with all of them",
      RangeRequest.encode(KeyRange.between("a", "b"), {
        revision: 5,
        limit: 2,
        sort: { by: "mod", descending: true },
        keysOnly: true,
        countOnly: true,
        minModRevision: 1,
        maxModRevision: 2,
        minCreateRevision: 3,
        maxCreateRevision: 4,
        serializable: true
      }),
      {
        key: a,
        range_end: b,
        revision: "5",
        limit: "2",
        sort_order: "DESCEND",
        sort_target: "MOD",
        keys_only: true,
        count_only: true,
        min_mod_revision: "1",
        max_mod_revision: "2",
        min_create_revision: "3",
        max_create_revision: "4",
        serializable: true
      }
    ],
    ["zero and false are left out", RangeRequest.encode("a", { revision: 0, limit: 0, keysOnly: false }), { key: a }],
    ["put", encodePut("a", "b", {}), { key: a, value: b }],
    [
      "put with options",
      encodePut("a", bytes(0x62), { lease: largest, previous: true, keepLease: true }),
      { key: a, value: b, lease: "9223372036854775807", prev_kv: true, ignore_lease: true }
    ],
    ["touch", encodeTouch("a", { lease: largest }), { key: a, lease: "9223372036854775807", ignore_value: true }],
    ["delete", encodeDelete(KeyRange.fromKey("a"), { previous: true }), { key: a, range_end: "AA==", prev_kv: true }],
    ["compare a value", Compare.value("a").equals("b").body, { key: a, target: "VALUE", result: "EQUAL", value: b }],
    [
      "compare a version",
      Compare.version("a").greater(3).body,
      { key: a, target: "VERSION", result: "GREATER", version: "3" }
    ],
    [
      "compare a create revision of many",
      Compare.createRevision(KeyRange.between("a", "b")).less(3).body,
      { key: a, range_end: b, target: "CREATE", result: "LESS", create_revision: "3" }
    ],
    [
      "compare a mod revision",
      Compare.modRevision("a").differs(3).body,
      { key: a, target: "MOD", result: "NOT_EQUAL", mod_revision: "3" }
    ],
    [
      "compare a lease",
      Compare.lease("a").equals(undefined).body,
      { key: a, target: "LEASE", result: "EQUAL", lease: "0" }
    ],
    ["a key is there", Compare.exists("a").body, { key: a, target: "CREATE", result: "GREATER", create_revision: "0" }],
    ["a key is not", Compare.isMissing("a").body, { key: a, target: "CREATE", result: "EQUAL", create_revision: "0" }]
  ]
  for (const [what, sent, body] of table) it(what, () => assert.deepEqual(sent, body))
})

const header = { header: { revision: "9" } }
const kvJson = { key: a, value: b, create_revision: "2", mod_revision: "3", version: "2", lease: "4252420624848922890" }

describe("an answer", () => {
  it("of a key has everything", () => {
    assert.deepEqual(Json.keyValue(kvJson), {
      key: Buffer.from("a"),
      value: Buffer.from("b"),
      createRevision: 2,
      modRevision: 3,
      version: 2,
      lease: LeaseId.LeaseId(4252420624848922890n)
    })
  })

  it("that leaves out what is zero has zeros", () => {
    assert.deepEqual(Json.decodeRange(header), { revision: 9, kvs: [], more: false, count: 0 })
    assert.deepEqual(Json.decodePut(header), { revision: 9, previous: undefined })
    assert.deepEqual(Json.decodeDelete(header), { revision: 9, deleted: 0, previous: [] })
    assert.deepEqual(Json.keyValue({ key: a }).value, new Uint8Array(0))
  })
})

describe("a transaction", () => {
  const inner = Txn.when(Compare.exists("b")).orElse(Txn.remove("b"))
  const transaction = Txn.when(Compare.exists("a"))
    .andThen(Txn.get("a"), Txn.put("a", "b"), Txn.range(KeyRange.all, { limit: 1 }))
    .orElse(Txn.nested(inner), Txn.remove("a"), Txn.touch("a"))

  it("is sent with the operations in their order", () => {
    assert.deepEqual(Txn.encode(transaction), {
      compare: [Compare.exists("a").body],
      success: [
        { request_range: { key: a } },
        { request_put: { key: a, value: b } },
        { request_range: { key: "AA==", range_end: "AA==", limit: "1" } }
      ],
      failure: [
        {
          request_txn: {
            compare: [Compare.exists("b").body],
            success: [],
            failure: [{ request_delete_range: { key: b } }]
          }
        },
        { request_delete_range: { key: a } },
        { request_put: { key: a, ignore_value: true } }
      ]
    })
  })

  it("that succeeds has the answers of the first branch, each of its kind", () => {
    const answer = Txn.decode(transaction, {
      ...header,
      succeeded: true,
      responses: [
        { response_range: { kvs: [kvJson], count: "1" } },
        { response_put: { header: { revision: "8" } } },
        { response_range: { kvs: [kvJson], more: true, count: "5" } }
      ]
    })
    if (!answer.succeeded) return assert.fail("it did succeed")
    const [found, put, range] = answer.answers
    assert.strictEqual(found?.modRevision, 3)
    assert.strictEqual(put.revision, 9, "the transaction's")
    assert.deepEqual([range.more, range.count, range.kvs.length], [true, 5, 1])
  })

  it("that fails leaves that out, and has the answers of the other branch", () => {
    const answer = Txn.decode(transaction, {
      ...header,
      responses: [
        { response_txn: { succeeded: false, responses: [{ response_delete_range: { deleted: "4" } }] } },
        { response_delete_range: { deleted: "1" } },
        { response_put: { prev_kv: kvJson } }
      ]
    })
    if (answer.succeeded) return assert.fail("it did not succeed")
    const [nested, removed, touched] = answer.answers
    assert.isFalse(nested.succeeded)
    if (!nested.succeeded) assert.strictEqual(nested.answers[0].deleted, 4)
    assert.strictEqual(removed.deleted, 1)
    assert.strictEqual(touched.previous?.version, 2)
  })

  it("with too few answers has empty ones", () => {
    const answer = Txn.decode(transaction, { ...header, succeeded: true })
    assert.isTrue(answer.succeeded)
    assert.isUndefined(answer.answers[0])
  })
})
