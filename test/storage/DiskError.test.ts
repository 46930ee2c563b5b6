/** What the system refuses gets a name of its own and words that say what to do; where it can be had, from the real one. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { constants } from "node:os"
import * as path from "node:path"
import { expect, test } from "vitest"
import { lacksRoom, ofSystem } from "../../src/storage/DiskError.ts"
import { append, command, failing, failWith, found, image, newDirectory, noOp, start } from "./Fixture.ts"

const reasons = [
  ["EACCES", "AccessDenied", "Give this user the right"],
  ["EPERM", "AccessDenied", "Give this user the right"],
  ["EROFS", "ReadOnly", "mount it so"],
  ["EMFILE", "TooManyFiles", "ulimit -n"],
  ["ENFILE", "TooManyFiles", "fs.file-max"],
  ["EFBIG", "TooLarge", "ulimit -f"],
  ["ENOSPC", "NoSpace", "free some space"],
  ["EDQUOT", "NoSpace", "raise it or free some space"],
  ["EIO", "WriteFailed", "check its health"],
  ["ESTRANGE", "WriteFailed", "Cannot write to x: ESTRANGE: told to fail."]
] as const

test.each(reasons)("%s is %s", (code, reason, advice) => {
  const error = ofSystem(failWith(code), "write to x", "WriteFailed")
  expect([error.reason, error.message]).toEqual([reason, expect.stringContaining(advice)])
  expect(ofSystem(error, "do something else", "Unreadable")).toBe(error)
})

const final = reasons.flatMap(([code, reason]) => {
  const calls = code === "ENOSPC" || code === "EDQUOT" ? (["fdatasync"] as const) : (["write", "fdatasync"] as const)
  return calls.map((call) => [call, code, reason] as const)
})

test.each(final)("a failed %s (%s) is %s, and nothing is written after it", async (call, code, reason) => {
  const { disk, state } = failing(call, code)
  const directory = newDirectory()
  const storage = await start(directory, { disk })
  await storage.persist(append(noOp(1, 1)))
  state.failing = true
  const error = await storage.persistFailing(append(noOp(2, 1)))
  expect(error.reason).toBe(reason)
  state.failing = false
  state.calls = 0
  expect(await storage.persistFailing(append(noOp(2, 1)))).toBe(error)
  await storage.close()
  expect(state.calls).toBe(0)
  expect((await found(image(directory))).entries[0]).toEqual(noOp(1, 1))
})

test("a quota that is used up is known by its number, as Node has no name for it", () => {
  const error = Object.assign(new Error("Unknown system error -122: write"), {
    code: "Unknown system error -122",
    errno: -constants.errno.EDQUOT,
    syscall: "write"
  })
  expect(ofSystem(error, "write", "WriteFailed").reason).toBe("NoSpace")
  expect(lacksRoom(error)).toBe(true)
  expect(lacksRoom(Object.assign(error, { syscall: "fsync" }))).toBe(false)
})

test("only a step that can be done again lacks room", () => {
  expect(["write", "open", "rename", "ftruncate"].map((call) => lacksRoom(failWith("ENOSPC", call)))).toEqual([
    true,
    true,
    true,
    true
  ])
  expect(
    [failWith("EDQUOT", "fsync"), failWith("ENOSPC", "fdatasync"), failWith("EIO"), undefined].map(lacksRoom)
  ).toEqual([false, false, false, false])
})

/** Appends entries of so many bytes in a process of its own, under a shell's limits; what it says at the end. */
const writer = (directory: string, bytes: number, shell: string, crowd = ""): { reason: string; message: string } => {
  const script = path.join(import.meta.dirname, "Writer.ts")
  const command = `${shell} exec "$0" "$@"`
  const { stdout, stderr } = spawnSync(
    "bash",
    ["-c", command, process.execPath, script, directory, `${bytes}`, crowd],
    {
      encoding: "utf8"
    }
  )
  if (stdout === "") throw new Error(`the writer said nothing: ${stderr}`)
  return JSON.parse(stdout.slice(stdout.lastIndexOf('{"reason"')))
}

const expectPrefix = async (directory: string): Promise<void> => {
  const { entries } = await found(directory)
  expect(entries.length).toBeGreaterThan(0)
  entries.forEach((entry, i) => expect(entry.index).toBe(i + 1))
}

test("a file that would be larger than is allowed", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(command(1, 1, Buffer.alloc(10))))
  await storage.close()
  const { reason, message } = writer(directory, 20_000, "ulimit -f 8;")
  expect([reason, message]).toEqual([
    "TooLarge",
    expect.stringContaining(`Cannot make a new log segment in ${directory}: EFBIG`)
  ])
  await expectPrefix(directory)
})

test("more files than may be open", async () => {
  const directory = newDirectory()
  const { reason, message } = writer(directory, 1000, "ulimit -n 100;", "crowd")
  expect([reason, message]).toEqual(["TooManyFiles", expect.stringContaining("ulimit -n")])
  await expectPrefix(directory)
})

/** Only root may mount, and not in every container. */
const canMount =
  process.getuid?.() === 0 && spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0

test.skipIf(!canMount)("a file system that is read-only", async () => {
  const directory = newDirectory()
  fs.chmodSync(directory, 0o755)
  const script = path.join(import.meta.dirname, "Writer.ts")
  const shell = 'mount -t tmpfs -o ro tmpfs "$1" && exec "$0" "$2" "$1" 10'
  const { stdout } = spawnSync("unshare", ["-m", "sh", "-c", shell, process.execPath, directory, script], {
    encoding: "utf8"
  })
  expect(JSON.parse(stdout)).toEqual({ reason: "ReadOnly", message: expect.stringContaining("read-only") })
})

test.skipIf(process.getuid?.() === 0)("a directory that this user may not write", async () => {
  const directory = newDirectory()
  fs.chmodSync(directory, 0o500)
  const error = await start(directory).catch((problem) => problem)
  expect(error.reason).toBe("AccessDenied")
})
