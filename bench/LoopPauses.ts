/**
 * Loaded into a replica with --import: measures for how long its event loop did not turn, and
 * appends it to the file that LOOP_PAUSES names with the process id behind it: one line for each
 * quarter of a second, "epoch milliseconds, longest pause in milliseconds".
 */
import { appendFile } from "node:fs"
import { performance } from "node:perf_hooks"

const tickMillis = 2
const lineMillis = 250

const file = process.env["LOOP_PAUSES"]
if (file !== undefined) {
  let last = performance.now()
  let longest = 0
  let line = last
  const tick = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - last - tickMillis)
    last = now
    if (now - line >= lineMillis) {
      appendFile(`${file}.${process.pid}`, `${Date.now()} ${longest.toFixed(1)}\n`, () => undefined)
      line = now
      longest = 0
    }
  }
  setInterval(tick, tickMillis).unref()
}
