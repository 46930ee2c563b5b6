/** Two processes never share a directory, and one that was killed does not keep it. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as path from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { append, newDirectory, noOp, start, startFailing } from "./Fixture.ts"

const holderIn = (directory: string): ChildProcess => {
  const holder = spawn(process.execPath, [path.join(import.meta.dirname, "Holder.ts"), directory], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  onTestFinished(() => void holder.kill("SIGKILL"))
  return holder
}

const saidBy = async (holder: ChildProcess): Promise<string> => String((await once(holder.stdout!, "data"))[0]).trim()

test("a directory is opened once, and again when it was closed", async () => {
  const directory = newDirectory()
  const first = await start(directory)
  const error = await startFailing(directory)
  expect([error.reason, error.message]).toEqual([
    "InUse",
    `Process ${process.pid} is using ${directory}. Stop it first, or choose another data directory: two processes never share one.`
  ])
  await first.persist(append(noOp(1, 1)))
  await first.close()
  expect((await start(directory)).recovered.entries.length).toBe(1)
})

test("the lock is on the directory, whatever path leads to it, and however long", async () => {
  const parent = newDirectory()
  const directory = path.join(parent, "d".repeat(200))
  const first = await start(directory)
  fs.symlinkSync(directory, path.join(parent, "link"))
  expect((await startFailing(path.join(parent, "link"))).reason).toBe("InUse")
  expect((await startFailing(`${directory}/../${"d".repeat(200)}`)).reason).toBe("InUse")
  await first.close()
  const second = await start(path.join(parent, "link"))
  expect((await startFailing(directory)).reason).toBe("InUse")
  await second.close()
  await start(directory)
})

test("another process holds it until it is killed", async () => {
  const directory = newDirectory()
  const holder = holderIn(directory)
  expect(await saidBy(holder)).toBe("held")
  const error = await startFailing(directory)
  expect([error.reason, error.message]).toEqual([
    "InUse",
    expect.stringContaining(`Process ${holder.pid} is using ${directory}`)
  ])
  // A stopped process has not let go.
  holder.kill("SIGSTOP")
  expect((await startFailing(directory)).reason).toBe("InUse")
  const gone = once(holder, "exit")
  holder.kill("SIGKILL")
  await gone
  const { recovered } = await start(directory)
  expect(recovered.incarnation).toBeGreaterThan(1)
  expect(fs.readdirSync(path.join(directory, "lock")).length).toBe(1)
})

test("what dead processes left does not count, whatever it is", async () => {
  const directory = newDirectory()
  const lock = path.join(directory, "lock")
  fs.mkdirSync(lock)
  // This process lives and has this id, but does not answer here.
  fs.writeFileSync(path.join(lock, `${process.pid}-000000000000`), "")
  fs.writeFileSync(path.join(lock, "stray"), "")
  await start(directory)
  expect(fs.readdirSync(lock).length).toBe(1)
})

test("of many that try at once at most one gets it", async () => {
  const directory = newDirectory()
  for (let round = 0; round < 20; round++) {
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => start(directory)))
    const winners = tries.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))
    expect(winners.length).toBeLessThanOrEqual(1)
    for (const winner of winners) await winner.close()
  }
  const holders = Array.from({ length: 4 }, () => holderIn(directory))
  const said = await Promise.all(holders.map(saidBy))
  expect(said.filter((word) => word === "held").length).toBeLessThanOrEqual(1)
  expect(said.every((word) => word === "held" || word === "InUse")).toBe(true)
})
