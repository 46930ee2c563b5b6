/** Trials that a test has to see end well. */
import { assert } from "vitest"
import { keep } from "../process/History.ts"
import { Trial, type TrialOptions } from "./Trial.ts"

export const survives = (options: TrialOptions, act: (trial: Trial) => Promise<void>): Promise<void> =>
  Trial.of(options, async (trial) => {
    try {
      await act(trial)
    } catch (error) {
      throw new Error([String(error), ...trial.story()].join("\n"), { cause: error })
    }
    const { problems, history } = await trial.verdict()
    const file = keep(options.name, history, { failed: problems.length > 0 })
    assert.deepStrictEqual(problems, [], [...problems, ...trial.story(), `history: ${file}`].join("\n"))
  })
