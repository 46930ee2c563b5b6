/**
 * What a watch promises, against a naive model. Ordered, each event once, revisions whole, nothing left out, resumable from any
 * bookmark, and never a gap: what is gone is said to be gone.
 */
import { describe, expect, test } from "vitest"
import { Trial } from "./WatchTrial.ts"

describe("watches", () => {
  test("of any kind, with any credit, whatever happens, are given what the model says", () => {
    const total = { cancelled: 0, whole: 0, compactions: 0, events: 0 }
    for (let seed = 1; seed <= 1500; seed++) {
      const trial = new Trial(seed)
      try {
        for (let n = 0; n < 150; n++) trial.step()
        const { cancelled, whole } = trial.finish()
        total.cancelled += cancelled
        total.whole += whole
        total.compactions += trial.compactions
        total.events += trial.readers.reduce((sum, { given }) => sum + given.length, 0)
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
    // What is not tried is not tested.
    expect(total.cancelled).toBeGreaterThan(1000)
    expect(total.whole).toBeGreaterThan(10_000)
    expect(total.compactions).toBeGreaterThan(1000)
    expect(total.events).toBeGreaterThan(100_000)
  })
})
