import { describe, expect, it } from "vitest"
import * as Options from "../../bench/Options.ts"
import * as Workload from "../../bench/Workload.ts"

const parsed = (...args: ReadonlyArray<string>): Options.Options => {
  const options = Options.parse(args)
  if (options === "help" || options instanceof Error) throw new Error("not understood")
  return options
}

describe("a workload's name", () => {
  it.each([
    ["put-64", { kind: "put", clients: 64, pipeline: 1, valueBytes: 256 }],
    ["put-50x16", { kind: "put", clients: 50, pipeline: 16, valueBytes: 256 }],
    ["mixed-3-16KB", { kind: "mixed", clients: 3, pipeline: 1, valueBytes: 16_384 }],
    ["range-4", { kind: "range", clients: 4, pipeline: 1, valueBytes: 256 }],
    ["serializable-1x2-10B", { kind: "serializable", clients: 1, pipeline: 2, valueBytes: 10 }]
  ])("%s", (name, expected) => expect(Workload.parse(name)).toEqual({ name, ...expected }))

  it.each([
    "",
    "put",
    "delete-1",
    "put-0",
    "put-10001",
    "put-1x0",
    "put-64-1MB",
    "put-64-33KB",
    "put-64 ",
    "range-1-17KB"
  ])("%j is none", (name) => expect(() => Workload.parse(name)).toThrow(JSON.stringify(name)))

  it("is good for all that is measured by default", () =>
    expect([...Workload.usual, ...Workload.quick].map((name) => Workload.parse(name).name)).toEqual([
      ...Workload.usual,
      ...Workload.quick
    ]))
})

describe("pairs", () => {
  it("are the same each time, and no two values are", () => {
    const values = Workload.pairs(256).map(({ value }) => value.toString("hex"))
    expect(new Set(values).size).toBe(4096)
    expect(Workload.pairs(256).map(({ value }) => value.toString("hex"))).toEqual(values)
  })
  it("are fewer if values are large", () =>
    expect([Workload.pairs(16_384).length, Workload.pairs(16_384)[0]!.value.length]).toEqual([1024, 16_384]))
})

describe("flags", () => {
  it("measure everything unless told otherwise", () =>
    expect(parsed()).toMatchObject({ rounds: 3, seconds: 3, systems: Options.systemNames }))
  it("keep their own value beside --quick", () => {
    const { rounds, seconds, workloads } = parsed("--quick", "--seconds", "0.5", "--workloads", "put-1,get-1,put-1")
    expect([rounds, seconds, workloads.map(({ name }) => name)]).toEqual([1, 0.5, ["put-1", "get-1"]])
  })
  it.each([
    [["--systems", "balsa,zookeeper"], "zookeeper"],
    [["--rounds", "1.5"], "--rounds"],
    [["--seconds", "0"], "--seconds"],
    [["--connections", "0"], "--connections"],
    [["--workloads", "put"], '"put"'],
    [["--fast"], "--fast"]
  ])("%j is a complaint that names %s", (args, named) => {
    const complaint = Options.parse(args)
    expect(complaint instanceof Error ? complaint.message : "no complaint").toContain(named)
  })
  it("help", () => expect(Options.parse(["--help"])).toBe("help"))
})
