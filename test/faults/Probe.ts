/**
 * What this machine can do to a process, found out by doing it. A test that needs more than there is
 * says so: it is skipped with the reason, and fails with it in CI, where everything has to run.
 */
import { spawn } from "node:child_process"
import { assert, it, type TestFunction } from "vitest"
import { command } from "./Command.ts"
import { Drives } from "./Drives.ts"
import { Strace } from "./Strace.ts"

export interface Probe {
  readonly what: string
  /** How to get it. */
  readonly advice: string
  readonly attempt: () => Promise<void>
}

export const strace: Probe = {
  what: "strace",
  advice: "install it (apt-get install strace), and run as root or where processes may be traced",
  attempt: async () => {
    const sleeper = spawn("sleep", ["60"], { stdio: "ignore" })
    try {
      const attached = await Strace.attach(sleeper.pid!, { calls: "fdatasync", fault: "error=EIO" })
      await attached.detach()
    } finally {
      sleeper.kill("SIGKILL")
    }
  }
}

export const powerCut: Probe = {
  what: "ext4 in an image file, and a way to cut its power",
  advice: "run as root, where loop devices are, with mkfs.ext4 (apt-get install e2fsprogs), mount and perl",
  attempt: () =>
    withDrives(async (drives) => {
      const drive = await drives.ext4("probe", 16)
      await drive.cut()
      await drive.restore()
    })
}

export const tmpfs: Probe = {
  what: "a tmpfs of a size of its own",
  advice: "run as root, where file systems may be mounted",
  attempt: () =>
    withDrives(async (drives) => {
      const drive = await drives.tmpfs("probe", 1)
      await drive.fill()
    })
}

export const prlimit: Probe = {
  what: "prlimit",
  advice: "install it (apt-get install util-linux)",
  attempt: async () => void (await command("prlimit", "--pid", `${process.pid}`, "--fsize"))
}

const withDrives = async (use: (drives: Drives) => Promise<void>): Promise<void> => {
  const drives = new Drives()
  try {
    await use(drives)
  } finally {
    await drives.close()
  }
}

/** Why it cannot be had here; `undefined` if it can. */
const lackOf = async ({ what, advice, attempt }: Probe): Promise<string | undefined> => {
  try {
    await attempt()
    return undefined
  } catch (error) {
    const { message } = error as Error
    return `this test needs ${what}, which does not work here (${message}): ${advice}`
  }
}

const known = new Map<Probe, Promise<string | undefined>>()

const missing = async (probes: ReadonlyArray<Probe>): Promise<string | undefined> => {
  for (const probe of probes) {
    if (!known.has(probe)) known.set(probe, lackOf(probe))
    const lack = await known.get(probe)
    if (lack !== undefined) return lack
  }
  return undefined
}

export const isCI = (environment: NodeJS.ProcessEnv = process.env): boolean => (environment["CI"] ?? "") !== ""

/** A test that runs where all of these work. */
export const itNeeds = (probes: ReadonlyArray<Probe>, name: string, assertHolds: TestFunction, millis?: number): void =>
  it(
    name,
    async (context) => {
      const lack = await missing(probes)
      if (isCI()) assert.isUndefined(lack, lack)
      if (lack !== undefined) context.skip(lack)
      await assertHolds(context)
    },
    millis
  )
