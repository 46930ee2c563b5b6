/** Where the numbers come from: without this they mean nothing. */
import { closeSync, fdatasyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs"
import { availableParallelism, cpus, loadavg, totalmem, type } from "node:os"
import * as path from "node:path"
import { median } from "./Statistics.ts"

export interface Machine {
  readonly date: string
  readonly node: string
  readonly system: string
  readonly processors: string
  readonly memoryBytes: number
  /** Of the last minute, before anything was started: above 0.5 the machine was not idle. */
  readonly load: number
  /** In memory nothing is durable, and fsync costs nothing. */
  readonly diskIsMemory: boolean
  readonly syncMillis: number
}

export const describe = (directory: string): Machine => ({
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  system: type(),
  processors: `${availableParallelism()} x ${cpus()[0]?.model.trim() ?? "unknown"}`,
  memoryBytes: totalmem(),
  load: loadavg()[0] ?? Number.NaN,
  diskIsMemory: [tmpfsMagic, ramfsMagic].includes(statfsSync(directory).type),
  syncMillis: syncMillis(path.join(directory, "sync"))
})

const tmpfsMagic = 0x01021994
const ramfsMagic = 0x858458f6

/** The median of appending 4 KiB and fdatasync: no put can be quicker. */
const syncMillis = (file: string): number => {
  const block = Buffer.alloc(4096, 1)
  const handle = openSync(file, "w")
  const once = (): number => {
    const start = performance.now()
    writeSync(handle, block)
    fdatasyncSync(handle)
    return performance.now() - start
  }
  const samples = Array.from({ length: 200 }, once)
  closeSync(handle)
  rmSync(file)
  return median(samples)
}
