/**
 * Everything at once, from a seed: BALSA_SEED, or one that is printed. BALSA_NEMESIS_SECONDS makes it
 * longer; `scripts/nemesis.ts` is for runs of minutes.
 */
import { assert, describe, it } from "vitest"
import { byKey, keep, type Operation } from "./History.ts"
import { judgeKey } from "./Judge.ts"
import { run } from "./Nemesis.ts"

const seconds = Number(process.env["BALSA_NEMESIS_SECONDS"] ?? 30)
const seed = Number(process.env["BALSA_SEED"] ?? Math.floor(Math.random() * 1_000_000))

/** A read, and a value that was acknowledged and then overwritten before that read began. */
const staleFor = (history: ReadonlyArray<Operation>): { read: Operation; stale: string } | undefined => {
  const puts = history.filter(({ op, outcome }) => op === "put" && outcome === "ok")
  for (const read of history.filter(({ op, outcome }) => op === "get" && outcome === "ok")) {
    const last = puts.findLast((put) => put.end < read.start)
    const before = last && puts.findLast((put) => put.end < last.start)
    if (before !== undefined) return { read, stale: before.value! }
  }
  return undefined
}

describe("three real replicas under a nemesis", () => {
  it(
    "give their clients linearizable answers, and recover",
    async () => {
      const said: Array<string> = []
      const say = (line: string): void => void said.push(line)
      console.log(`seed ${seed}, ${seconds} seconds`)
      const { problems, history, total } = await run({ seed, seconds, say })
      const file = keep(`nemesis-${seed}`, history, { failed: problems.length > 0 })
      const again = `BALSA_SEED=${seed} BALSA_NEMESIS_SECONDS=${seconds} npx vitest run test/process/Nemesis.test.ts`
      const story = [...problems, "what happened:", ...said, `history: ${file}`, `the same faults again: ${again}`]
      assert.deepStrictEqual(problems, [], story.join("\n"))
      console.log(said.at(-1))
      assert.isAtLeast(total.ok, 100, "clients must have got somewhere")

      // The verdict rests on a judge that can say no: the same history, with one read made stale.
      const key = [...byKey(history).values()].find((ofKey) => staleFor(ofKey) !== undefined)!
      const { read, stale } = staleFor(key)!
      const forged = key.map((one) => (one === read ? { ...one, found: { value: stale, version: 1 } } : one))
      assert.deepStrictEqual(judgeKey(key), [])
      assert.include(judgeKey(forged)[0], "not linearizable")
    },
    seconds * 1000 + 180_000
  )
})
