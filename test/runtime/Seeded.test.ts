/**
 * Whole clusters on the real loop, each from a seed that fixes everything down to the order in
 * which fibers go on. `BALSA_SEEDS` is how many, `BALSA_SEED` the first (alone: just that one).
 */
import { assert, describe, it } from "vitest"
import { run } from "./SeededRun.ts"

const numberIn = (name: string): number | undefined => {
  const value = process.env[name]
  return value === undefined || value === "" ? undefined : Number(value)
}

const first = numberIn("BALSA_SEED")
const count = numberIn("BALSA_SEEDS") ?? (first === undefined ? 50 : 1)

const report = (seed: number, { objections, trace }: ReturnType<typeof run>): string =>
  [
    `seed ${seed} failed; to see it again: BALSA_SEED=${seed} npx vitest run test/runtime/Seeded.test.ts`,
    ...objections.slice(0, 20),
    "the end of its trace, up to the first objection:",
    ...trace.slice(0, trace.findIndex((line) => line.includes("OBJECTION")) + 1).slice(-60)
  ].join("\n")

describe("clusters from seeds", () => {
  it(`keep their promises: ${count} seeds from ${first ?? 1}`, () => {
    let answered = 0
    let received = 0
    for (let seed = first ?? 1; seed < (first ?? 1) + count; seed++) {
      const verdict = run(seed)
      if (verdict.objections.length > 0) assert.fail(report(seed, verdict))
      answered += verdict.answered
      received += verdict.snapshots.received
    }
    assert.isAbove(answered, 0)
    if (count >= 20) assert.isAbove(received, 0, "replicas were so far behind that they were sent snapshots")
  }, 3_600_000)

  it("a seed fixes the whole run", () => {
    const digests = new Set<number>()
    for (let seed = 1; seed <= 6; seed++) {
      const [once, twice] = [run(seed), run(seed)]
      assert.strictEqual(once.digest, twice.digest, `seed ${seed}`)
      assert.deepStrictEqual(once.trace, twice.trace)
      digests.add(once.digest)
    }
    assert.strictEqual(digests.size, 6, "different seeds, different runs")
  })
})
