/** The last steps of a run as a message chart: time, replica, what came in, what went out. */
import { replicaName } from "./Disk.ts"
import * as Narration from "./Narration.ts"
import { inWords } from "./Subject.ts"
import type { Entry, Trace } from "./Trace.ts"

export const draw = (trace: Trace, steps: number): string => trace.recent.slice(-steps).map(lines).join("\n")

const lines = (entry: Entry): string => {
  const who = entry.host === undefined ? "*" : replicaName(entry.host)
  const head = `${entry.at.toFixed(2).padStart(10)}  ${who}  `
  if (entry._tag === "Note") return `${head}${entry.text}`
  const { before, after, events, effects } = entry
  const happened = events.map((event) => Narration.event(event, inWords)).join(" + ")
  const indent = " ".repeat(head.length + 4)
  return [`${head}${happened}`, ...Narration.step(before, after, effects, inWords).map((line) => indent + line)].join(
    "\n"
  )
}
