/** The judge of real histories, judged: what it must let pass and what it must not. */
import { describe, expect, it } from "vitest"
import { fromLines, type Operation, toLines } from "./History.ts"
import { judgeKey, judgeRevisions } from "./Judge.ts"

let lastId = 0

const operation = (part: Partial<Operation> & Pick<Operation, "op" | "start" | "end">): Operation => ({
  id: ++lastId,
  client: 1,
  replica: "A",
  key: "k",
  outcome: "ok",
  ...part
})

const put = (value: string, start: number, end: number, rest: Partial<Operation> = {}): Operation =>
  operation({ op: "put", value, start, end, ...rest })
const get = (found: Operation["found"], start: number, end: number, rest: Partial<Operation> = {}): Operation =>
  operation({ op: "get", start, end, ...(found === undefined ? {} : { found }), ...rest })
const del = (deleted: number, start: number, end: number, rest: Partial<Operation> = {}): Operation =>
  operation({ op: "delete", deleted, start, end, ...rest })

const x = { value: "x", version: 1 }
const unknown = { outcome: "unknown" } as const
const refused = { outcome: "refused" } as const

describe("a key", () => {
  const good: ReadonlyArray<readonly [string, ReadonlyArray<Operation>]> = [
    ["put, get, delete", [put("x", 1, 2), get(x, 3, 4), del(1, 5, 6, { found: x }), get(null, 7, 8), del(0, 9, 10)]],
    ["an unknown put that shows after its end", [put("x", 1, 2, unknown), get(null, 3, 4), get(x, 5, 6)]],
    ["an unknown put that never shows", [put("x", 1, 2, unknown), get(null, 3, 4), put("y", 5, 6, { found: null })]],
    ["an unknown delete", [put("x", 1, 2), operation({ op: "delete", start: 3, end: 4, ...unknown }), get(null, 5, 6)]],
    ["a refused put", [put("x", 1, 2, refused), get(null, 3, 4)]],
    ["a get that was not answered", [put("x", 1, 2), get(undefined, 3, 4, refused)]]
  ]
  for (const [name, history] of good) it(`may show ${name}`, () => expect(judgeKey(history)).toEqual([]))

  const bad: ReadonlyArray<readonly [string, ReadonlyArray<Operation>]> = [
    ["a lost write", [put("x", 1, 2), get(null, 3, 4)]],
    ["a stale read", [put("x", 1, 2), put("y", 3, 4), get(x, 5, 6)]],
    ["a refused put", [put("x", 1, 2, refused), get(x, 3, 4)]],
    ["a put that happened twice", [put("x", 1, 2), get({ value: "x", version: 2 }, 3, 4)]],
    ["an unknown put that comes and goes", [put("x", 1, 2, unknown), get(x, 3, 4), get(null, 5, 6)]],
    ["a deletion of what was not there", [del(1, 1, 2)]],
    ["a put that replaced what was overwritten", [put("x", 1, 2), put("y", 3, 4), put("z", 5, 6, { found: x })]]
  ]
  for (const [name, history] of bad) {
    it(`must not show ${name}`, () => {
      const [verdict, , ...rest] = judgeKey(history)
      expect(verdict).toBe("key k: not linearizable")
      expect(rest.join("\n")).toContain("before it:")
    })
  }

  it("names the first answer that cannot be explained", () => {
    const history = [put("x", 1, 2), get(x, 3, 4), get(null, 5, 6), get(x, 7, 8), get(null, 9, 10)]
    expect(judgeKey(history)[1]).toContain(`#${history[2]!.id} `)
  })

  it("that cannot be judged in time is a failure", () => {
    const many = Array.from({ length: 24 }, (_, at) => put(`${at}`, 1, 100))
    const [verdict] = judgeKey([...many, get({ value: "from nowhere", version: 24 }, 101, 102)], 10_000)
    expect(verdict).toContain("undecided")
  })
})

describe("revisions", () => {
  it("grow with each change, and reads see the latest", () => {
    const history = [put("x", 1, 3, { revision: 2 }), put("y", 2, 4, { revision: 3 }), get(x, 5, 6, { revision: 3 })]
    expect(judgeRevisions([...history, del(0, 7, 8, { revision: 3 }), del(1, 9, 10, { revision: 4 })])).toEqual([])
  })

  const bad: ReadonlyArray<readonly [string, ReadonlyArray<Operation>]> = [
    ["run backwards for a read", [put("x", 1, 2, { revision: 2 }), get(null, 3, 4, { revision: 1, key: "other" })]],
    ["stand still for a change", [get(null, 1, 2, { revision: 2 }), put("x", 3, 4, { revision: 2, key: "other" })]],
    ["serve two changes", [put("x", 1, 3, { revision: 2 }), put("y", 2, 4, { revision: 2, key: "other" })]]
  ]
  for (const [name, history] of bad) it(`do not ${name}`, () => expect(judgeRevisions(history)).toHaveLength(3))
})

it("a history survives being written", () => {
  const history = [put("x", 1, 2), get(null, 3, 4.25), del(1, 5, 6, { ...unknown, reason: "a\nline" })]
  expect(fromLines(toLines(history))).toEqual(history)
})
