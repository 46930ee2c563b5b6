/** The flags of a steady load, as one checked value. */
import { parseArgs } from "node:util"
import { checked, number, whole } from "./Flags.ts"

export interface SteadyOptions {
  readonly minutes: number
  readonly rate: number
  readonly keys: number
  readonly valueBytes: number
  readonly connections: number
  readonly json: string | undefined
  readonly markdown: boolean
}

export const help = `npm run build && npm run bench:steady [-- FLAGS]

Three replicas of dist/main.js under so many requests a second, half puts and half linearizable gets of a
fixed set of keys, sent when it is time (an open loop). Every 10 s: memory, disk, latency, pauses. At the end the
last quarter is compared with the first; exit code 1 if something grew, or something went wrong.
Old revisions are kept for a minute, and a snapshot is taken every 2 MiB of log, so that both happen often.

  --minutes N          how long (60)
  --rate N             requests a second (500)
  --keys N             in all (10000)
  --value-bytes N      of each (256)
  --connections N      that requests take turns on (64)
  --json FILE          write all samples, anew each minute
  --markdown           print the result as a section for a document
  --help`

/** "help", a complaint, or what to do. */
export const parse = (args: ReadonlyArray<string>): SteadyOptions | "help" | Error =>
  checked(() => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        minutes: { type: "string", default: "60" },
        rate: { type: "string", default: "500" },
        keys: { type: "string", default: "10000" },
        "value-bytes": { type: "string", default: "256" },
        connections: { type: "string", default: "64" },
        json: { type: "string" },
        markdown: { type: "boolean", default: false },
        help: { type: "boolean", default: false }
      }
    })
    if (values.help) return "help"
    return {
      minutes: number("--minutes", values.minutes, 7 * 24 * 60),
      rate: whole("--rate", values.rate, 100_000),
      keys: whole("--keys", values.keys, 10_000_000),
      valueBytes: whole("--value-bytes", values["value-bytes"], 32 * 1024),
      connections: whole("--connections", values.connections, 1000),
      json: values.json,
      markdown: values.markdown
    }
  })
