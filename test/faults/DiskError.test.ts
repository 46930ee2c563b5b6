/**
 * A disk that fails under a real replica: it says which file and why, ends at once with an exit code
 * that says so, and acknowledges nothing more. Started again, it has everything that it acknowledged.
 */
import { readdirSync } from "node:fs"
import { assert, describe } from "vitest"
import { ExitCode } from "../../src/cli/ExitCode.ts"
import { sleep } from "../process/Clients.ts"
import type { Operation } from "../process/History.ts"
import { eventually } from "../process/RealCluster.ts"
import { itNeeds, strace } from "./Probe.ts"
import type { Injection } from "./Strace.ts"
import { survives } from "./Survival.ts"
import type { Ending } from "./Trial.ts"

/** One line says the file, what failed, and what to do; nothing else than the usual goes before it. */
const assertSaid = ({ code, log }: Ending, ...says: ReadonlyArray<string>): void => {
  assert.strictEqual(code, ExitCode.failure, log)
  const complaint = log.split("\n").find((line) => line.startsWith("balsa: ")) ?? log
  for (const part of says) assert.include(complaint, part)
  assert.notInclude(log, "    at ", "no stack trace")
}

/** A failure ends the replica within this time, with a machine that has more to do. */
const atOnceMillis = 3000

const failures: ReadonlyArray<{ readonly what: string; readonly injection: Injection; readonly says: string[] }> = [
  {
    what: "fdatasync: EIO",
    injection: { calls: "fdatasync", fault: "error=EIO:when=1" },
    says: ["EIO", "fdatasync", "check its health"]
  },
  {
    what: "fdatasync: ENOSPC, which may have lost what was written",
    injection: { calls: "fdatasync", fault: "error=ENOSPC:when=1" },
    says: ["ENOSPC", "fdatasync"]
  },
  {
    what: "write: EIO",
    injection: { calls: "pwrite64", fault: "error=EIO:when=1" },
    says: ["EIO", "write", "check its health"]
  },
  { what: "write: EROFS", injection: { calls: "pwrite64", fault: "error=EROFS:when=1" }, says: ["EROFS", "read-only"] },
  { what: "write: EFBIG", injection: { calls: "pwrite64", fault: "error=EFBIG:when=1" }, says: ["EFBIG", "ulimit -f"] },
  {
    what: "write: EACCES",
    injection: { calls: "pwrite64", fault: "error=EACCES:when=1" },
    says: ["EACCES", "right to"]
  }
]

describe("a replica whose disk fails", () => {
  for (const [at, { what, injection, says }] of failures.entries()) {
    const roles = at === 0 ? (["leader", "follower"] as const) : ([at % 2 === 0 ? "leader" : "follower"] as const)
    for (const role of roles) {
      itNeeds([strace], `ends, and is missed by nobody, as a ${role}: ${what}`, () =>
        survives({ name: "disk-error" }, async (trial) => {
          const id = await trial.one(role)
          await trial.inject(id, injection)
          const ended = await trial.ending(id)
          assertSaid(ended, `${trial.directory(id)}/log-`, ...says)
          assert.isBelow(ended.millis, atOnceMillis)
          await trial.cluster.leader(trial.others(id))
          await trial.progress(50)
          trial.cluster.start(id)
        })
      )
    }
  }

  for (const role of ["followers", "everyone"] as const) {
    itNeeds([strace], `acknowledges nothing that is not on disk (${role})`, () =>
      survives({ name: "disk-error" }, async (trial) => {
        const leader = await trial.cluster.leader()
        const ids = role === "everyone" ? trial.cluster.ids : trial.others(leader)
        const straces = await Promise.all(ids.map((id) => trial.inject(id, { calls: "fdatasync", fault: "error=EIO" })))
        const failing = trial.recorder.now()
        const endings = await Promise.allSettled(ids.map((id) => trial.ending(id)))
        const running = straces.filter((_, at) => endings[at]!.status === "rejected")
        // With both others gone, a follower has nothing to write, and does not meet the failure.
        assert.isAtMost(running.length, role === "everyone" ? 1 : 0, JSON.stringify(endings))
        for (const strace of running) assert.notInclude(strace.calls().join("\n"), "(INJECTED)")
        await sleep(1000)
        const changes = trial.recorder.history().filter(({ op, start }) => op !== "get" && start > failing)
        assert.isNotEmpty(changes, "clients went on asking")
        const acknowledged = changes.filter(changed)
        assert.deepStrictEqual(acknowledged, [])
      })
    )
  }

  for (const { error, calls } of [
    { error: "EIO", calls: "fsync,fdatasync" },
    { error: "ENOSPC", calls: "pwrite64" }
  ]) {
    itNeeds([strace], `goes on when only a snapshot fails (${error} of ${calls})`, () =>
      survives({ name: "disk-error", flags: ["--snapshot-log-size", "512KiB"] }, async (trial) => {
        const id = await trial.one("leader")
        const unfinished = `${trial.directory(id)}/snapshot-taken.tmp`
        const failing = await trial.inject(id, { calls, fault: `error=${error}`, files: [unfinished] })
        await eventually("a snapshot that failed", async () =>
          failing.calls().some((line) => line.includes("(INJECTED)")) ? true : undefined
        )
        await trial.progress(100)
        const { child, log } = trial.cluster.process(id)
        assert.isNull(child.exitCode, log())
        const complaint = log()
          .split("\n")
          .find((line) => line.includes(error))
        for (const part of ["WARN", "snapshot"]) assert.include(complaint, part)
        await failing.detach()
        const snapshots = () => readdirSync(trial.directory(id)).filter((name) => name.endsWith(".snap"))
        const before = new Set(snapshots())
        await eventually("a snapshot", async () => (snapshots().some((name) => !before.has(name)) ? true : undefined))
      })
    )
  }
})

const changed = ({ outcome, op, deleted }: Operation): boolean =>
  outcome === "ok" && !(op === "delete" && deleted === 0)
