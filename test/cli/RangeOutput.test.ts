/** What `get` prints, in every format, for text and for bytes that are none. */
import { describe, expect, test } from "vitest"
import * as RangeOutput from "../../src/cli/RangeOutput.ts"
import type { KeyValue, RangeAnswer } from "../../src/client/GatewayJson.ts"
import { prefixRange } from "../../src/client/KeyRange.ts"
import { LeaseId } from "../../src/client/LeaseId.ts"

const kv = (key: string, value: string | Uint8Array) => ({
  key: Buffer.from(key),
  value: typeof value === "string" ? Buffer.from(value) : value,
  createRevision: 2,
  modRevision: 5,
  version: 3,
  lease: LeaseId(0x694d5765fc71500bn)
})

const answer = (...kvs: ReadonlyArray<KeyValue>): RangeAnswer => ({
  revision: 9,
  kvs,
  more: false,
  count: kvs.length
})

const render = (given: RangeAnswer, style: Partial<RangeOutput.RangeStyle>) =>
  RangeOutput.render(given, {
    format: "plain",
    base64: false,
    base64Keys: false,
    single: true,
    terminal: false,
    ...style
  })

const binary = Uint8Array.of(0x61, 0xff, 0x00)

describe("plain", () => {
  test("one value, with one newline at its end", () => {
    expect(render(answer(kv("k", "world")), {})).toBe("world\n")
    expect(render(answer(kv("k", "two\nlines\n")), {})).toBe("two\nlines\n")
    expect(render(answer(kv("k", "")), {})).toBe("\n")
    expect(render(answer(), {})).toBe("")
  })
  test("bytes that are no text are left alone in a pipe and kept off a terminal", () => {
    expect(render(answer(kv("k", binary)), {})).toEqual(binary)
    expect(render(answer(kv("k", binary)), { terminal: true })).toBe("base64:Yf8A\n")
    expect(render(answer(kv("k", binary)), { base64: true })).toBe("Yf8A\n")
  })
  test("a listing has one line for each key, whatever it contains", () => {
    expect(render(answer(kv("a\tb", "1\n2"), kv("c", "\u001b[2J\\")), { single: false })).toBe(
      "a\\tb\t1\\n2\nc\t\\x1b[2J\\\\\n"
    )
    expect(render(answer(kv("c", binary)), { single: false })).toBe("c\tbase64:Yf8A\n")
    expect(render(answer(kv("c", "d")), { single: false, base64: true })).toBe("c\tZA==\n")
    expect(render(answer(kv("c", "d")), { single: false, base64Keys: true })).toBe("Yw==\td\n")
  })
})

test("table", () => {
  expect(render(answer(kv("long/key", "v"), kv("k", "世界")), { format: "table" })).toBe(
    [
      "KEY       REVISION  VERSION  LEASE             VALUE",
      "long/key  5         3        694d5765fc71500b  v",
      "k         5         3        694d5765fc71500b  世界",
      ""
    ].join("\n")
  )
})

test("table without leases has no column for them; keys and values can be left out", () => {
  const bare = { ...kv("k", "v"), lease: undefined }
  expect(render(answer(bare), { format: "table" })).toBe("KEY  REVISION  VERSION  VALUE\nk    5         3        v\n")
  expect(render(answer(bare), { format: "table", show: "keys" })).toBe("KEY  REVISION  VERSION\nk    5         3\n")
  expect(render(answer(bare), { single: false, show: "keys" })).toBe("k\n")
  expect(render(answer(bare), { single: false, show: "values" })).toBe("v\n")
  expect(JSON.parse(String(render(answer(bare), { format: "json", show: "keys" }))).kvs).toEqual([
    { key: "k", create_revision: 2, mod_revision: 5, version: 3, lease: null }
  ])
})

describe("json", () => {
  const fields = { create_revision: 2, mod_revision: 5, version: 3, lease: "694d5765fc71500b" }
  test("has every field, and the revision of the answer", () => {
    expect(JSON.parse(String(render(answer(kv("k", "v")), { format: "json" })))).toEqual({
      header: { revision: 9 },
      kvs: [{ key: "k", value: "v", ...fields }],
      count: 1,
      more: false
    })
  })
  test("names base64 as such", () => {
    expect(JSON.parse(String(render(answer(kv("k", binary)), { format: "json" }))).kvs).toEqual([
      { key: "k", value_base64: "Yf8A", ...fields }
    ])
    expect(
      JSON.parse(String(render(answer(kv("k", "v")), { format: "json", base64: true, base64Keys: true }))).kvs
    ).toEqual([{ key_base64: "aw==", value_base64: "dg==", ...fields }])
  })
  test("jsonl is one object a line", () => {
    const lines = String(render(answer(kv("a", "1"), kv("b", "2\n")), { format: "jsonl" })).split("\n")
    expect(lines.map((line) => (line === "" ? "" : JSON.parse(line).value))).toEqual(["1", "2\n", ""])
  })
})

describe("prefix", () => {
  const range = (...bytes: ReadonlyArray<number>) => {
    const { key, rangeEnd } = prefixRange(Buffer.from(bytes))
    return [[...key], rangeEnd && [...rangeEnd]]
  }
  test("ends before the first key that does not begin with it", () => {
    expect(range(0x61, 0x62)).toEqual([
      [0x61, 0x62],
      [0x61, 0x63]
    ])
    expect(range(0x61, 0xff)).toEqual([[0x61, 0xff], [0x62]])
    expect(range(0xff, 0xff)).toEqual([[0xff, 0xff], [0]])
    expect(range()).toEqual([[0], [0]])
  })
})
