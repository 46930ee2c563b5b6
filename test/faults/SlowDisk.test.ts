/**
 * Disks that take their time. As long as that is less than the election timeout, a slow disk costs
 * nothing but speed. A disk that hangs for longer costs a leader its leadership, and no data: it
 * speaks only of what is durable, and so falls silent.
 */
import { assert, describe } from "vitest"
import { eventually, type RealCluster } from "../process/RealCluster.ts"
import { itNeeds, strace } from "./Probe.ts"
import { survives } from "./Survival.ts"
import type { Trial } from "./Trial.ts"

/** As each replica knows it. */
const termsOf = async (cluster: RealCluster): Promise<ReadonlyArray<number>> =>
  Promise.all(
    cluster.ids.map(async (id) => {
      const { body } = await cluster.post(id, "/v3/maintenance/status", {})
      return Number((body as { raftTerm: string }).raftTerm)
    })
  )

/** A machine with more to do than it can costs a leader now and then; a disk that did would cost every one. */
const hasCalmSpell = async (trial: Trial): Promise<boolean> => {
  for (let attempt = 0; attempt < 3; attempt++) {
    const before = await termsOf(trial.cluster)
    await trial.progress(80)
    const after = await termsOf(trial.cluster)
    if (new Set([...before, ...after]).size === 1) return true
  }
  return false
}

const delayed = (millis: number) => ({ calls: "fdatasync", fault: `delay_enter=${millis * 1000}` })

describe("three real replicas", () => {
  for (const who of ["the leader's disk", "every disk"] as const) {
    itNeeds([strace], `keep their leader while ${who} takes 200 ms for each sync`, () =>
      survives({ name: "slow-disk" }, async (trial) => {
        const leader = await trial.cluster.leader()
        const slow = who === "every disk" ? trial.cluster.ids : [leader]
        const straces = await Promise.all(slow.map((id) => trial.inject(id, delayed(200))))
        assert.isTrue(await hasCalmSpell(trial), "the term changed again and again")
        for (const one of straces) {
          const late = one.calls().filter((line) => line.includes("(DELAYED)"))
          assert.isAtLeast(late.length, 4, "syncs were slow")
        }
      })
    )
  }

  itNeeds([strace], "replace a leader whose disk hangs, and lose nothing", () =>
    survives({ name: "slow-disk" }, async (trial) => {
      const leader = await trial.cluster.leader()
      const hanging = await trial.inject(leader, delayed(2000))
      const next = await eventually("another leader", async () => {
        const now = await trial.cluster.leaderNow()
        return now === undefined || now === leader ? undefined : now
      })
      await trial.progress(100)
      assert.notStrictEqual(next, leader)
      await hanging.detach()
      // What it acknowledges from now on, and what it told its clients before, is judged with the rest.
      await trial.progress(50)
    })
  )
})
