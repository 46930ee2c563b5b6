/** How a watch goes on: whole revisions, each once, whatever the connections do. */
import { assert, describe, it } from "vitest"
import * as Cursor from "../../src/client/WatchCursor.ts"
import { parse, type WatchEvent, type WatchResponse } from "../../src/client/WatchResponse.ts"
import { stream } from "../../src/sim/Random.ts"

const event = (key: string, modRevision: number): WatchEvent => ({
  _tag: "Put",
  kv: { key: Buffer.from(key), value: new Uint8Array(0), createRevision: 1, modRevision, version: 1, lease: undefined },
  previous: undefined
})

type Passed = Parameters<typeof Cursor.step>[1]

const events = (isFragment: boolean, ...found: ReadonlyArray<readonly [key: string, revision: number]>): Passed => ({
  _tag: "Events",
  isFragment,
  events: found.map(([key, revision]) => event(key, revision))
})

/** `a1 b1` for keys and revisions; `@5` for a bookmark; `^5` for the start. */
const show = (batch: Cursor.WatchBatch): string => {
  switch (batch._tag) {
    case "Started":
      return `^${batch.revision}`
    case "Progress":
      return `@${batch.revision}`
    case "Events":
      return batch.events.map(({ kv }) => `${Buffer.from(kv.key).toString()}${kv.modRevision}`).join(" ")
  }
}

/** "cut" is the end of a connection. */
const run = (startRevision: number | undefined, ...steps: ReadonlyArray<Passed | "cut">) => {
  let cursor = Cursor.begin(startRevision)
  const seen: Array<string> = []
  for (const one of steps) {
    if (one === "cut") cursor = Cursor.disconnected(cursor)
    else {
      const [after, batch] = Cursor.step(cursor, one)
      cursor = after
      if (batch !== undefined) seen.push(show(batch))
    }
  }
  return { seen, next: cursor.nextRevision }
}

const created = (revision: number): Passed => ({ _tag: "Created", revision })
const progress = (revision: number): Passed => ({ _tag: "Progress", revision })

describe("a watch", () => {
  const table: ReadonlyArray<
    readonly [
      what: string,
      start: number | undefined,
      steps: ReadonlyArray<Passed | "cut">,
      seen: ReadonlyArray<string>,
      next: number | undefined
    ]
  > = [
    ["begins after the store's revision", undefined, [created(7)], ["^7"], 8],
    ["begins where it is told to", 3, [created(7)], ["^2"], 3],
    ["takes zero for no start", 0, [created(7)], ["^7"], 8],
    ["goes on after what it has seen", 3, [created(7), events(false, ["a", 3], ["b", 5])], ["^2", "a3 b5"], 6],
    ["says only once that it has begun", 3, [created(7), "cut", created(9)], ["^2"], 3],
    ["keeps its start over a connection that brought nothing", undefined, [created(7), "cut", created(9)], ["^7"], 8],
    [
      "hands on what a fragment has whole, and holds its last revision",
      3,
      [events(true, ["a", 3], ["b", 3], ["c", 4])],
      ["a3 b3"],
      4
    ],
    [
      "puts a revision in three parts together",
      3,
      [events(true, ["a", 3]), events(true, ["b", 3]), events(false, ["c", 3], ["d", 4])],
      ["a3 b3 c3 d4"],
      5
    ],
    [
      "repeats nothing of a revision that was cut",
      3,
      [events(true, ["a", 3], ["b", 4]), "cut", created(9), events(false, ["b", 4], ["c", 4])],
      ["a3", "^3", "b4 c4"],
      5
    ],
    [
      "passes over what a server repeats",
      5,
      [events(false, ["a", 3], ["b", 5]), events(false, ["b", 5], ["c", 6])],
      ["b5", "c6"],
      7
    ],
    ["goes on after a bookmark", 3, [progress(8)], ["@8"], 9],
    ["passes over a bookmark behind what it has seen", 3, [events(false, ["a", 5]), progress(4)], ["a5"], 6],
    ["takes a bookmark where it is", 3, [events(false, ["a", 5]), progress(5)], ["a5", "@5"], 6],
    ["takes no bookmark in the midst of a revision", 3, [events(true, ["a", 3]), progress(9)], [], 3]
  ]
  for (const [what, start, steps, seen, next] of table) {
    it(what, () => assert.deepEqual(run(start, ...steps), { seen, next }))
  }

  it("sees each event of a history once and in order, over cuts and fragments of any kind", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = stream(seed, "watch")
      const history: Array<WatchEvent> = []
      for (let revision = 2; revision < 20; revision++) {
        for (let at = random.below(4); at >= 0; at--) history.push(event(`${at}`, revision))
      }
      const seen: Array<WatchEvent> = []
      let cursor = Cursor.begin(2)
      const take = (response: Passed): void => {
        const [after, batch] = Cursor.step(cursor, response)
        cursor = after
        if (batch?._tag === "Events") seen.push(...batch.events)
      }
      while ((cursor.nextRevision ?? 0) < 20) {
        cursor = Cursor.disconnected(cursor)
        take(created(19))
        // As a server does: whole revisions from the one that was asked for, in parts that end anywhere.
        const rest = history.filter(({ kv }) => kv.modRevision >= (cursor.nextRevision ?? 0))
        for (let at = 0; at < rest.length && random.chance(0.8); ) {
          const size = 1 + random.below(4)
          const part = rest.slice(at, at + size)
          at += size
          const following = rest[at]
          const isCut = following !== undefined && following.kv.modRevision === part.at(-1)?.kv.modRevision
          take({ _tag: "Events", events: part, isFragment: isCut || (following !== undefined && random.chance(0.3)) })
        }
      }
      assert.deepEqual(seen, history, `seed ${seed}`)
    }
  })
})

describe("a line of a watch", () => {
  const table: ReadonlyArray<readonly [line: string, response: WatchResponse]> = [
    [`{"result":{"header":{"revision":"6"},"created":true}}`, { _tag: "Created", revision: 6 }],
    [`{"result":{"header":{"revision":"6"}}}`, { _tag: "Progress", revision: 6 }],
    [
      `{"result":{"header":{},"canceled":true,"compact_revision":"3"}}`,
      { _tag: "Canceled", compactRevision: 3, reason: "the server canceled the watch" }
    ],
    [
      `{"result":{"created":true,"canceled":true,"cancel_reason":"etcdserver: permission denied"}}`,
      { _tag: "Canceled", compactRevision: undefined, reason: "etcdserver: permission denied" }
    ],
    [`{"error":{"grpc_code":14,"message":"m"}}`, { _tag: "Failed", error: { grpc_code: 14, message: "m" } }],
    [`{"result":3}`, { _tag: "Unreadable", line: `{"result":3}` }],
    [`<html>`, { _tag: "Unreadable", line: `<html>` }]
  ]
  for (const [line, response] of table) it(line, () => assert.deepEqual(parse(line), response))

  it("tells puts, whose type is left out, from deletes", () => {
    const response = parse(
      `{"result":{"events":[{"kv":{"key":"YQ==","mod_revision":"3"}},{"type":"DELETE","kv":{"key":"Yg==","mod_revision":"4"},"prev_kv":{"key":"Yg==","version":"2"}}],"fragment":true}}`
    )
    if (response._tag !== "Events") return assert.fail(response._tag)
    assert.isTrue(response.isFragment)
    assert.deepEqual(
      response.events.map(({ _tag, kv, previous }) => [_tag, kv.modRevision, previous?.version]),
      [
        ["Put", 3, undefined],
        ["Delete", 4, 2]
      ]
    )
  })
})
