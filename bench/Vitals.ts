/**
 * Loaded into a replica with --import: how it is. A line of JSON each second (or as VITALS_MILLIS says) goes to the file that VITALS
 * names with the process id behind it. SIGUSR2 asks for one at once, after a full collection where the replica
 * was started with --expose-gc: what is in use then is what is needed.
 */
import { appendFile } from "node:fs"
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Vital } from "./VitalsFile.ts"

const sweepMillis = 300
const resolutionMillis = 20

const file = process.env["VITALS"]
if (file !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: resolutionMillis })
  delays.enable()
  const write = (collected: boolean): void => {
    const { rss, heapUsed, external } = process.memoryUsage()
    const vital: Vital = {
      at: Date.now(),
      residentBytes: rss,
      heapBytes: heapUsed,
      externalBytes: external,
      pauseMillis: Math.max(0, delays.max / 1e6 - resolutionMillis),
      collected
    }
    delays.reset()
    appendFile(`${file}.${process.pid}`, `${JSON.stringify(vital)}\n`, () => undefined)
  }
  setInterval(() => write(false), Number(process.env["VITALS_MILLIS"] ?? 1000)).unref()
  process.on("SIGUSR2", () => {
    const collect = (globalThis as { readonly gc?: () => void }).gc
    if (collect === undefined) return write(false)
    // What buffers held is given back on another thread, and what held on to buffers goes with the second.
    collect()
    setTimeout(() => {
      collect()
      setTimeout(() => write(true), sweepMillis)
    }, sweepMillis)
  })
}
