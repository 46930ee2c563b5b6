/**
 * What processes have used, from /proc. Where there is none, nobody knows: undefined, never 0.
 */
import { readFileSync } from "node:fs"

export interface Usage {
  /** User and system, all threads, since the process began. */
  readonly cpuSeconds: number
  readonly residentBytes: number
}

/** The clock of /proc/PID/stat runs at this rate on every platform of Linux that Node supports. */
const ticksPerSecond = 100

/** Of all these processes together. */
export const of = (pids: ReadonlyArray<number>): Usage | undefined => {
  try {
    const each = pids.map(ofOne)
    return {
      cpuSeconds: each.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
      residentBytes: each.reduce((sum, { residentBytes }) => sum + residentBytes, 0)
    }
  } catch {
    return undefined
  }
}

const ofOne = (pid: number): Usage => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  // The second field is a name in parentheses, which may hold spaces; the third follows it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const status = readFileSync(`/proc/${pid}/status`, "latin1")
  const residentKiB = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentBytes: Number(residentKiB) * 1024
  }
}
