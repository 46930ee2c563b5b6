/** A budget of seeds for every run of the tests; `npm run simulate` explores as long as one likes. */
import { describe, expect, it } from "vitest"
import * as Chart from "../../src/sim/Chart.ts"
import { type Cuts, fromWords, inWords } from "../../src/sim/Cuts.ts"
import * as Marks from "../../src/sim/Marks.ts"
import * as Plan from "../../src/sim/Plan.ts"
import { subject } from "../../src/sim/Register.ts"
import * as Replay from "../../src/sim/Replay.ts"
import { shrink } from "../../src/sim/Shrink.ts"
import * as Simulation from "../../src/sim/Simulation.ts"
import { erase } from "../../src/sim/Subject.ts"

const run = (seed: number, cuts: Cuts = {}): Simulation.Outcome =>
  Simulation.run({ seed, subject: erase(subject), cuts })

const explain = ({ seed, failure }: Simulation.Outcome): string =>
  failure === undefined
    ? ""
    : `seed ${seed}: ${failure.rule}\n${failure.detail}\n${Chart.draw(failure.trace, 20)}\nnpm run simulate -- --seed ${seed}`

const marks: Marks.Tally = new Map()

describe("whole clusters under faults, then with a majority healed", () => {
  for (let part = 0; part < 8; part++) {
    it(`seeds ${part * 50 + 1} to ${part * 50 + 50}`, () => {
      for (let seed = part * 50 + 1; seed <= part * 50 + 50; seed++) {
        const outcome = run(seed)
        for (const [mark, count] of outcome.marks) marks.set(mark, (marks.get(mark) ?? 0) + count)
        expect(explain(outcome)).toBe("")
      }
    })
  }

  it("takes every path that has a name", () => expect(Marks.missing(marks)).toEqual([]))
})

describe("a seed is a run", () => {
  it("the same one twice", () => {
    for (const seed of [3, 14, 159]) expect(run(seed).digest).toBe(run(seed).digest)
  })

  it("and another one is another", () => {
    expect(run(3).digest).not.toBe(run(4).digest)
  })

  it("whether it is recorded or not", () => {
    for (const seed of [3, 14, 159]) {
      expect(Simulation.run({ seed, subject: erase(subject), record: true }).digest).toBe(run(seed).digest)
    }
  })

  it("and a fault that is switched off leaves the rest of its plan as it was", () => {
    const whole = Plan.draw(5, new Set())
    const without = Plan.draw(5, new Set(["loss", "crash"]))
    expect({ ...without, network: 0, strikes: 0 }).toEqual({ ...whole, network: 0, strikes: 0 })
    expect(without.network).toEqual({ ...whole.network, loss: 0 })
    expect(without.strikes).toEqual(whole.strikes.filter(({ kind }) => kind !== "crash"))
  })
})

describe("a recorded run", () => {
  it("is a script that comes to the same states without a network, clocks or faults", () => {
    for (const seed of [1, 2, 7]) {
      const { script, terms } = Simulation.run({ seed, subject: erase(subject), cuts: { steps: 150 }, record: true })
      const told = Replay.run(script!)
      expect(told).not.toContain("BROKEN")
      expect(new Set([...told.matchAll(/^\w: .* becomes leader of term (\d+)$/gm)].map(([, term]) => term)).size).toBe(
        terms
      )
      expect(Replay.run(told)).toBe(told)
    }
  })
})

describe("a run that breaks a rule", () => {
  it("has cuts that can be written on a command line", () => {
    for (const cuts of [
      {},
      { off: ["loss"], steps: 3 },
      { strikes: [], asks: [0, 1, 2, 5, 7, 8] }
    ] satisfies Array<Cuts>) {
      expect(fromWords(inWords(cuts))).toEqual(cuts)
    }
    expect(inWords({ asks: [0, 1, 2, 5, 7, 8] })).toBe('{"asks":"0-2 5 7-8"}')
  })

  /** Stands for a bug: as soon as a run has had this strike and this request, it is wrong. */
  const faked = (cuts: Cuts): Simulation.Outcome => {
    const outcome = run(6, { ...cuts, steps: Math.min(cuts.steps ?? 400, 400) })
    const has = (all: ReadonlyArray<number> | undefined, one: number): boolean => all?.includes(one) ?? true
    const broken = has(cuts.strikes, 2) && has(cuts.asks, 5)
    const { failure: _, ...rest } = outcome
    const failure = broken ? { rule: "faked", detail: "", trace: { digest: 0, ticks: 0, recent: [] } } : undefined
    return { ...rest, failure }
  }

  it("is cut down to what it needs", () => {
    const outcome = { ...faked({}), strikes: 20, asks: 40 }
    const { cuts } = shrink(faked, { cuts: {}, outcome }, 300)
    expect(cuts.strikes ?? [2]).toEqual([2])
    expect(cuts.asks ?? [5]).toEqual([5])
  })
})
