/**
 * A disk without room, really full or by ENOSPC from the kernel: the replica stays, refuses writes in
 * words that say why, answers reads, and goes on by itself when there is room again.
 */
import { assert, describe } from "vitest"
import { ExitCode } from "../../src/cli/ExitCode.ts"
import { base64, eventually, hasEnded } from "../process/RealCluster.ts"
import type { Tmpfs } from "./Drives.ts"
import { itNeeds, strace, tmpfs } from "./Probe.ts"
import { survives } from "./Survival.ts"
import type { Trial } from "./Trial.ts"

const key = base64("room")
const boundMillis = 15_000

/**
 * Answered as etcd answers that it has no space, with the reason. The full replica itself is sure that nothing
 * was done; one that has asked `leader` may not be, and need not refuse once another one leads.
 */
const assertRefused = (trial: Trial, id: string, leader?: string): Promise<true> =>
  eventually(
    `a write through ${id} that is refused because a disk is full`,
    async () => {
      const answer = await trial.cluster.post(id, "/v3/kv/put", { key, value: base64("no") }).catch(() => undefined)
      const { code, reason, ...rest } = (answer?.body ?? {}) as { code?: number; reason?: string }
      if (reason?.includes("disk") !== true) {
        return leader !== undefined && (await trial.cluster.leaderNow()) !== leader ? true : undefined
      }
      assert.strictEqual(answer?.status, 429)
      assert.strictEqual(code, 8)
      assert.include(reason, "full")
      if (leader === undefined) assert.notProperty(rest, "outcome_unknown")
      return true
    },
    boundMillis
  )

const asked = (trial: Trial, id: string, route: string, body: object): Promise<true> =>
  eventually(
    `${route} ${JSON.stringify(body)} through ${id}`,
    async () => {
      const answer = await trial.cluster.post(id, route, body, 2000).catch(() => undefined)
      return answer?.status === 200 ? true : undefined
    },
    boundMillis
  )

const takesWrites = (trial: Trial, id: string): Promise<true> =>
  asked(trial, id, "/v3/kv/put", { key, value: base64("yes") })

const answersReads = async (
  trial: Trial,
  id: string,
  { serializable }: { readonly serializable: boolean }
): Promise<void> => {
  for (let more = 0; more < 5; more++) await asked(trial, id, "/v3/kv/range", { key, serializable })
}

const said = (trial: Trial, id: string, what: string): Promise<true> =>
  eventually(
    `${id} says: ${what}`,
    async () => {
      assertRuns(trial, id)
      return trial.cluster.process(id).log().includes(what) ? true : undefined
    },
    boundMillis
  )

const assertRuns = (trial: Trial, id: string): void =>
  assert.isFalse(hasEnded(trial.cluster.process(id)), trial.cluster.process(id).log())

/** Not one write of it goes through until there is room; then all is as before, without a restart. */
const assertRecovers = async (trial: Trial, id: string, makeRoom: () => Promise<void>): Promise<void> => {
  assertRuns(trial, id)
  await makeRoom()
  await said(trial, id, "there is room on the disk again")
  await takesWrites(trial, id)
  await trial.progress(50)
  assertRuns(trial, id)
}

const onTmpfs = (megabytes: number, act: (trial: Trial, drives: ReadonlyMap<string, Tmpfs>) => Promise<void>) => {
  const disks = new Map<string, Tmpfs>()
  return survives(
    {
      name: "full-disk",
      bulkBytes: 10_000,
      flags: ["--snapshot-log-size", "1MiB"],
      drive: async (drives, id) => {
        const own = await drives.tmpfs(id, megabytes)
        disks.set(id, own)
        return own
      }
    },
    (trial) => act(trial, disks)
  )
}

/** So large that a segment, a snapshot and the reserve fit; the reserve is then 3 MiB. */
const driveMegabytes = 48
const lessThanReserve = 2.5 * 1024 * 1024

for (const { role, error } of [
  { role: "follower", error: "ENOSPC" },
  { role: "leader", error: "EDQUOT" }
] as const) {
  describe(`a ${role} whose disk is full`, () => {
    itNeeds([strace], `waits where writes find no room (${error}), and the others go on`, () =>
      survives({ name: "full-disk" }, async (trial) => {
        const id = await trial.one(role)
        const full = await trial.inject(id, { calls: "pwrite64", fault: `error=${error}` })
        await said(trial, id, "the disk is full")
        await assertRefused(trial, id)
        await answersReads(trial, id, { serializable: true })
        for (const other of trial.others(id)) await takesWrites(trial, other)
        await assertRecovers(trial, id, () => full.detach())
      })
    )

    itNeeds([tmpfs], "waits on a tmpfs that is full to the last byte, and the others go on", () =>
      onTmpfs(driveMegabytes, async (trial, disks) => {
        const id = await trial.one(role)
        const disk = disks.get(id)!
        await disk.fill()
        assert.isBelow(disk.freeBytes, 4096)
        await said(trial, id, "the disk is full")
        await assertRefused(trial, id)
        await answersReads(trial, id, { serializable: true })
        if (role === "follower") for (const other of trial.others(id)) await takesWrites(trial, other)
        await assertRecovers(trial, id, () => disk.empty())
      })
    )

    itNeeds([tmpfs], "refuses writes and answers every read while there is still room for what must be written", () =>
      onTmpfs(driveMegabytes, async (trial, disks) => {
        const id = await trial.one(role)
        const disk = disks.get(id)!
        await disk.fill(lessThanReserve)
        await said(trial, id, "the disk is full")
        await assertRefused(trial, id)
        await answersReads(trial, id, { serializable: true })
        await answersReads(trial, id, { serializable: false })
        for (const other of trial.others(id)) {
          await answersReads(trial, other, { serializable: false })
          // Its followers ask the leader, which has no room for what they ask, as long as it leads.
          if (role === "leader") await assertRefused(trial, other, id)
          else await takesWrites(trial, other)
        }
        await assertRecovers(trial, id, () => disk.empty())
      })
    )
  })
}

describe("a replica that starts on a full disk", () => {
  itNeeds([tmpfs], "says so and ends, and has everything once there is room", () =>
    onTmpfs(driveMegabytes, async (trial, disks) => {
      const id = await trial.one("follower")
      await trial.cluster.kill(id)
      await disks.get(id)!.fill()
      trial.cluster.start(id)
      const { code, log } = await trial.ending(id)
      assert.strictEqual(code, ExitCode.failure, log)
      for (const part of [trial.directory(id), "ENOSPC", "free some space"]) assert.include(log, part)
      assert.notInclude(log, "    at ", "no stack trace")
      await disks.get(id)!.empty()
      trial.cluster.start(id)
      await takesWrites(trial, id)
    })
  )
})
