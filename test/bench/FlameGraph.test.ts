import { expect, it } from "vitest"
import * as FlameGraph from "../../bench/FlameGraph.ts"

const node = (id: number, functionName: string, file: string, children: ReadonlyArray<number> = []) => ({
  id,
  callFrame: { functionName, url: file === "" ? "" : `file:///x/${file}`, lineNumber: 6 },
  children
})

/** `append` is called from two places in the same stack, as V8 tells calls from different lines apart. */
const profile: FlameGraph.CpuProfile = {
  nodes: [
    node(1, "(root)", "", [2, 3, 7]),
    node(2, "(idle)", ""),
    node(3, "reduce", "src/raft/Replica.ts", [4, 5]),
    node(4, "append", "src/raft/Log.ts", [6]),
    node(5, "append", "src/raft/Log.ts"),
    node(6, "", "node_modules/effect/dist/Effect.js"),
    node(7, "(garbage collector)", "")
  ],
  samples: [2, 3, 4, 5, 6, 7],
  timeDeltas: [100, 10, 20, 30, 40, 50]
}

it("adds up what was called from the same stack, and leaves idle time out", () => {
  const { root, idleMicros } = FlameGraph.read(profile)
  const reduce = root.calls.get("reduce raft/Replica.ts")!
  const append = reduce.calls.get("append raft/Log.ts")!
  expect([idleMicros, root.total, reduce.total, reduce.self, append.total, append.self]).toEqual([
    100, 150, 100, 10, 90, 50
  ])
  expect([...append.calls.keys()]).toEqual(["(anonymous) effect/dist/Effect.js:7"])
})

it("tells which room took how much by itself", () =>
  expect(FlameGraph.roomsOf(FlameGraph.read(profile).root)).toEqual([
    ["raft", 60],
    ["collector", 50],
    ["effect", 40],
    ["node", 0]
  ]))

it("draws each call as wide as its share", () => {
  const drawn = FlameGraph.svg(FlameGraph.read(profile), "a & b")
  const width = (name: string): number =>
    Number(new RegExp(`<title>${name}[^<]*</title><rect width="([\\d.]+)"`).exec(drawn)?.[1])
  expect([width("all"), width("reduce"), width("append")]).toEqual([1179.5, 786.2, 707.5])
  expect(drawn).toContain("a &amp; b, busy 60 % of the time")
})
