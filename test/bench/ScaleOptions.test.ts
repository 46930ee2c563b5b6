import { describe, expect, it } from "vitest"
import * as ScaleOptions from "../../bench/ScaleOptions.ts"
import * as SteadyOptions from "../../bench/SteadyOptions.ts"

const complaint = (parsed: object | string): string => (parsed instanceof Error ? parsed.message : "no complaint")

describe("flags of how cost grows", () => {
  it("measure all parts unless told otherwise", () =>
    expect(ScaleOptions.parse([])).toEqual({
      parts: ["keys", "connections", "replicas"],
      keys: [10_000, 100_000, 1_000_000],
      connections: [64, 1000, 10_000],
      replicas: [3, 5, 7],
      members: 3,
      valueBytes: 256,
      clients: 64,
      seconds: 3,
      heapMegabytes: undefined,
      json: undefined,
      markdown: false
    }))
  it("name parts and numbers", () =>
    expect(
      ScaleOptions.parse(["--parts", "keys", "--keys", "1000,10000000,1000", "--heap", "16000", "--members", "1"])
    ).toMatchObject({ parts: ["keys"], keys: [1000, 10_000_000], heapMegabytes: 16_000, members: 1 }))
  it.each([
    [["--parts", "keys,hours"], "hours"],
    [["--keys", "999"], "--keys"],
    [["--keys", ""], "--keys"],
    [["--connections", "64,x"], "--connections"],
    [["--connections", "10001"], "--connections"],
    [["--replicas", "10"], "--replicas"],
    [["--value-bytes", "16385"], "--value-bytes"],
    [["--heap", "0"], "--heap"],
    [["--hours", "1"], "--hours"]
  ])("%j is a complaint that names %s", (args, named) => expect(complaint(ScaleOptions.parse(args))).toContain(named))
  it("help", () => expect(ScaleOptions.parse(["--keys", "x", "--help"])).toBe("help"))
})

describe("flags of a steady load", () => {
  it("are for an hour unless told otherwise", () =>
    expect(SteadyOptions.parse([])).toEqual({
      minutes: 60,
      rate: 500,
      keys: 10_000,
      valueBytes: 256,
      connections: 64,
      json: undefined,
      markdown: false
    }))
  it.each([
    [["--minutes", "0"], "--minutes"],
    [["--rate", "0.5"], "--rate"],
    [["--keys", "many"], "--keys"],
    [["--connections", "1001"], "--connections"],
    [["60"], "60"]
  ])("%j is a complaint that names %s", (args, named) => expect(complaint(SteadyOptions.parse(args))).toContain(named))
  it("help", () => expect(SteadyOptions.parse(["--help"])).toBe("help"))
})
