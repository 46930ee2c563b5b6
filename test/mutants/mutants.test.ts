/**
 * Tests of the tests: every known bug, put into the core or the store, must be noticed, and both as they
 * are must pass all that they are tried with. `npm run mutants` tells which net caught what.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { apply, mutant, type Part } from "./Mutant.ts"
import { mutants } from "./Mutants.ts"
import * as Verdict from "./Verdict.ts"

const folderOf = (part: Part): URL => new URL(`../../src/${part}/`, import.meta.url)
const sourceOf = (part: Part, file: string): string => readFileSync(new URL(file, folderOf(part)), "utf8")

describe("the list", () => {
  it("names each mutant once, and only files that there are", () => {
    const names = mutants.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)])
    for (const { part, patches } of mutants) {
      for (const { file } of patches) expect(readdirSync(folderOf(part))).toContain(file)
    }
  })

  it("applies: each text stands in its file exactly once", () => {
    for (const one of mutants) {
      for (const { file } of one.patches) expect(apply(one, file, sourceOf(one.part, file))).toBeDefined()
    }
  })

  it("fails loudly when the core has moved on", () => {
    const lost = mutant("lost", ["own", "-"], ["Log.ts", "no such text", ""])
    expect(() => apply(lost, "Log.ts", sourceOf("raft", "Log.ts"))).toThrow("does not apply")
    const vague = mutant("vague", ["own", "-"], ["Log.ts", "return", "throw"])
    expect(() => apply(vague, "Log.ts", sourceOf("raft", "Log.ts"))).toThrow("more than one")
    const idle = mutant("idle", ["own", "-"], ["Log.ts", "const bits = 6", "const bits = 6"])
    expect(() => apply(idle, "Log.ts", sourceOf("raft", "Log.ts"))).toThrow("changes nothing")
  })
})

const seeds = 300
/** The longest that any mutant needs today, and some more. */
const needed = 40

type Suspect = { readonly name: string; readonly part: Part }
const controls: ReadonlyArray<Suspect> = [
  { name: "core", part: "raft" },
  { name: "store", part: "kv" }
]

describe("each is noticed", () => {
  let cache = ""
  const verdicts = new Map<string, Promise<Verdict.Verdict>>()

  beforeAll(() => {
    cache = mkdtempSync(join(tmpdir(), "balsa-mutants-"))
    const limits = { silentSeconds: 40, totalSeconds: 150, cache }
    // The control is last: most of the others have ended when it is at its seeds.
    const suspects: ReadonlyArray<Suspect> = [...mutants, ...controls]
    const told = new Map(suspects.map(({ name }) => [name, Promise.withResolvers<Verdict.Verdict>()]))
    for (const [name, { promise }] of told) verdicts.set(name, promise)
    void Verdict.inTurn(suspects, 2, async (suspect) => {
      const isControl = controls.includes(suspect)
      const task = Verdict.quick(suspect.part, isControl ? needed : seeds)
      told.get(suspect.name)!.resolve(await Verdict.of(isControl ? undefined : suspect.name, task, limits))
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

  it.each(controls)("and nothing is noticed of the $name as it is", { timeout: 400_000 }, async ({ name }) => {
    const verdict = (await verdicts.get(name))!
    expect([...verdict.notices.values(), verdict.cut, verdict.error].filter((one) => one !== undefined)).toEqual([])
  })
})
