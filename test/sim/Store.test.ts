/**
 * The whole store in clusters from a seed, with clients that watch it; and bugs in what watchers are told, each of which the
 * same seeds must notice. (Bugs in the store itself: test/mutants/StoreMutants.ts.)
 */
import { describe, expect, it } from "vitest"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import * as Audience from "../../src/sim/Audience.ts"
import * as Simulation from "../../src/sim/Simulation.ts"
import * as Store from "../../src/sim/Store.ts"
import { erase } from "../../src/sim/Subject.ts"
import * as StoreHub from "../../src/sim/StoreHub.ts"
import { bugs, type HubOf } from "./WatchBugs.ts"

const run = (seed: number, hub: HubOf = StoreHub.make): Simulation.Outcome =>
  Simulation.run({ seed, subject: erase(Store.over(KvMachine, hub)) })

const seeds = 60

const count = (tally: Map<string, number>, what: string, times = 1): void => {
  tally.set(what, (tally.get(what) ?? 0) + times)
}

describe("the store in a cluster", () => {
  const heard = new Map<string, number>()
  const watched = new Map<string, number>()

  it.each([1, 21, 41])("keeps its rules, 20 seeds from %d on", (from) => {
    for (let seed = from; seed < from + 20; seed++) {
      const outcome = run(seed)
      expect(outcome.failure && `seed ${seed}: ${outcome.failure.rule}\n${outcome.failure.detail}`).toBeUndefined()
      for (const [mark, times] of outcome.watched) count(watched, mark, times)
      for (const { ending, kind } of outcome.history) {
        if (ending?._tag !== "Done" || kind === "Amendment") continue
        const { _tag, reason, expired } = ending.output as { _tag: string; reason?: string; expired?: number }
        count(
          heard,
          `${kind} ${reason ?? _tag}${(expired ?? 0) > 0 ? " over" : ""}${(expired ?? 0) > 1 ? " together" : ""}`
        )
      }
    }
  })

  it("and everything was asked for", () => {
    const commands = ["Put", "DeleteRange", "Txn", "Compact", "LeaseGrant", "LeaseRevoke", "LeaseKeepAlive"]
    const others = ["LeaseExpire", "LeaseExpire over", "LeaseExpire over together", "LeaseTimeToLive"]
    const refusals = ["KeyNotFound", "LeaseNotFound", "LeaseExists", "Compacted", "FutureRevision"]
    const queries = ["Range", "Txn", "Leases", "Compacted", "FutureRevision"]
    const all = [
      ...[...commands, ...others, ...refusals].map((what) => `Command ${what}`),
      ...queries.map((what) => `Query ${what}`)
    ]
    expect(all.filter((what) => (heard.get(what) ?? 0) < 5)).toEqual([])
  })

  it("and everything befell those who watch", () => {
    expect(Audience.marks.filter((mark) => (watched.get(mark) ?? 0) < 3)).toEqual([])
  })
})

describe("a bug in what watchers are told is noticed:", () => {
  for (const [name, bug] of Object.entries(bugs)) {
    it(name, () => {
      let seed = 1
      while (seed <= seeds && run(seed, bug).failure === undefined) seed++
      expect(seed).toBeLessThanOrEqual(seeds)
    })
  }
})
