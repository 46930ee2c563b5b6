/**
 * Three real replicas whose power is cut under load, and a proof that the test would notice a loss:
 * the same on disks that say they have synced, and have not. `scripts/power-cut.ts` is for longer runs.
 */
import { assert, describe } from "vitest"
import { keep } from "../process/History.ts"
import { eventually } from "../process/RealCluster.ts"
import { onDrives, run } from "./PowerCut.ts"
import { itNeeds, powerCut, strace } from "./Probe.ts"
import type { Injection } from "./Strace.ts"

const rounds = Number(process.env["BALSA_POWER_CUTS"] ?? 20)
const seed = Number(process.env["BALSA_SEED"] ?? Math.floor(Math.random() * 1_000_000))

/** A disk that says that it has synced, and has not. */
const lie: Injection = { calls: "fdatasync,fsync", fault: "retval=0" }

describe("three real replicas whose power is cut", () => {
  itNeeds(
    [powerCut],
    `lose nothing that was acknowledged, ${rounds} times under load`,
    async () => {
      const said: Array<string> = []
      const began = performance.now()
      const report = await run({ rounds, seed, say: (line) => void said.push(line) })
      const file = keep(`power-cut-${seed}`, report.history, { failed: report.problems.length > 0 })
      const again = `BALSA_SEED=${seed} BALSA_POWER_CUTS=${rounds} npx vitest run test/faults/PowerCut.test.ts`
      const story = [...report.problems, "what happened:", ...said, `history: ${file}`, `again: ${again}`]
      assert.deepStrictEqual(report.problems, [], story.join("\n"))
      console.log(
        `seed ${seed}: ${rounds} rounds in ${Math.round((performance.now() - began) / 1000)} s; ${said.at(-1)}`
      )
      if (rounds >= 20) {
        const names = report.files.join(" ")
        assert.match(names, /\/snapshot-/, "snapshots were taken")
        assert.match(names, /\/log-0+[2-9]/, "the log filled more than one file")
      }
      assert.isAtLeast(report.acknowledged, 20 * rounds, "clients must have got somewhere")
    },
    60_000 + rounds * 9000
  )

  itNeeds(
    [powerCut, strace],
    "are found out if their disks only say that they have synced",
    async () => {
      const said: Array<string> = []
      const report = await run({
        rounds: 1,
        seed,
        say: (line) => void said.push(line),
        victims: ["everyone"],
        // Snapshots that are not there may keep a replica from starting, which would end this too soon.
        snapshots: false,
        before: async (trial) => {
          for (const id of trial.cluster.ids) await trial.inject(id, lie)
        }
      })
      const losses = report.problems.filter((line) =>
        /not linearizable|revisions run backwards|: acknowledged \d+, asked for/.test(line)
      )
      assert.isNotEmpty(losses, ["nothing was lost, or nobody noticed:", ...report.problems, ...said].join("\n"))
    },
    120_000
  )

  itNeeds(
    [powerCut, strace],
    "find out the one whose disk only says that it has synced, and count it when it has caught up",
    () =>
      onDrives({ name: "liar", seed }, async (trial, cut) => {
        const isFoundOut = async (): Promise<boolean> => {
          const leader = await trial.cluster.leader()
          const liar = trial.others(leader)[0]!
          await trial.inject(liar, lie)
          await trial.progress(100)
          await cut([liar])
          const says = (what: string): boolean => trial.cluster.process(liar).log().includes(what)
          await eventually("it is told so, or there is a leader that does not know", async () =>
            says("no longer admitted") || (await trial.cluster.leaderNow()) !== leader ? true : undefined
          )
          if (!says("no longer admitted")) return false
          await eventually("it has caught up", async () => (says(" admitted: it holds all") ? true : undefined))
          return true
        }
        // A leader knows what a follower has acknowledged to itself, and no other leader does.
        assert.isTrue((await isFoundOut()) || (await isFoundOut()) || (await isFoundOut()))
      }),
    120_000
  )
})
