/**
 * Tests of the tests: every known bug, put into the core, must be noticed, and the core as it
 * is must pass all that they are tried with. `npm run mutants` tells which net caught what.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { apply, mutant } from "./Mutant.ts"
import { mutants } from "./Mutants.ts"
import * as Verdict from "./Verdict.ts"

const core = new URL("../../src/raft/", import.meta.url)
const sourceOf = (file: string): string => readFileSync(new URL(file, core), "utf8")

describe("the list", () => {
  it("names each mutant once, and only files of the core", () => {
    const names = mutants.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)])
    const files = readdirSync(core)
    for (const { patches } of mutants) for (const { file } of patches) expect(files).toContain(file)
  })

  it("applies: each text stands in its file exactly once", () => {
    for (const one of mutants) {
      for (const { file } of one.patches) expect(apply(one, file, sourceOf(file))).toBeDefined()
    }
  })

  it("fails loudly when the core has moved on", () => {
    const lost = mutant("lost", ["own", "-"], ["Log.ts", "no such text", ""])
    expect(() => apply(lost, "Log.ts", sourceOf("Log.ts"))).toThrow("does not apply")
    const vague = mutant("vague", ["own", "-"], ["Log.ts", "return", "throw"])
    expect(() => apply(vague, "Log.ts", sourceOf("Log.ts"))).toThrow("more than one")
    const idle = mutant("idle", ["own", "-"], ["Log.ts", "const bits = 6", "const bits = 6"])
    expect(() => apply(idle, "Log.ts", sourceOf("Log.ts"))).toThrow("changes nothing")
  })
})

const seeds = 300
/** The longest that any mutant needs today, and some more. */
const needed = 40

describe("each is noticed", () => {
  let cache = ""
  const verdicts = new Map<string, Promise<Verdict.Verdict>>()

  beforeAll(() => {
    cache = mkdtempSync(join(tmpdir(), "balsa-mutants-"))
    const limits = { silentSeconds: 40, totalSeconds: 150, cache }
    // The control is last: most of the others have ended when it is at its seeds.
    const suspects = [...mutants.map(({ name }) => name), "control"]
    const told = new Map(suspects.map((name) => [name, Promise.withResolvers<Verdict.Verdict>()]))
    for (const [name, { promise }] of told) verdicts.set(name, promise)
    void Verdict.inTurn(suspects, 2, async (name) => {
      const task = Verdict.quick(name === "control" ? needed : seeds)
      told.get(name)!.resolve(await Verdict.of(name === "control" ? undefined : name, task, limits))
    })
  })

  afterAll(async () => {
    await Promise.all(verdicts.values())
    rmSync(cache, { recursive: true, force: true })
  })

  for (const { name } of mutants) {
    it(name, { timeout: 400_000 }, async () => {
      const verdict = (await verdicts.get(name))!
      expect(verdict.error).toBeUndefined()
      expect(verdict.notices.size, `survives; ${verdict.cut ?? `${seeds} seeds were tried`}`).toBeGreaterThan(0)
    })
  }

  it("and nothing is noticed of the core as it is", { timeout: 400_000 }, async () => {
    const verdict = (await verdicts.get("control"))!
    expect([...verdict.notices.values(), verdict.cut, verdict.error].filter((one) => one !== undefined)).toEqual([])
  })
})
