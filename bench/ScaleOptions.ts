/** The flags for how cost grows, as one checked value. */
import { parseArgs } from "node:util"
import { checked, oneOf, names, number, whole, wholes } from "./Flags.ts"
import { keysInRange } from "./Workload.ts"

export const partNames = ["keys", "connections", "replicas"] as const
export type PartName = (typeof partNames)[number]

export interface ScaleOptions {
  readonly parts: ReadonlyArray<PartName>
  readonly keys: ReadonlyArray<number>
  readonly connections: ReadonlyArray<number>
  readonly replicas: ReadonlyArray<number>
  /** In the parts that are not about their number. */
  readonly members: number
  readonly valueBytes: number
  readonly clients: number
  readonly seconds: number
  /** What Node may use for objects; undefined: as much as it thinks. */
  readonly heapMegabytes: number | undefined
  readonly json: string | undefined
  readonly markdown: boolean
}

export const help = `npm run build && npm run bench:scale [-- FLAGS]

How cost grows with keys, connections and replicas, on replicas of dist/main.js on loopback.

  --parts NAME,...     of: keys, connections, replicas; all of them
  --keys N,...         how many keys (10000,100000,1000000); for more, see --heap
  --connections N,...  how many connections to the leader (64,1000,10000)
  --replicas N,...     how many replicas (3,5,7)
  --members N          replicas where their number is not the question (3)
  --value-bytes N      of each value (256)
  --clients N          clients that put and get (64)
  --seconds N          how long one measurement of a rate takes (3)
  --heap MB            what Node may use for objects (--max-old-space-size); Node's own limit otherwise
  --json FILE          write all that was measured
  --markdown           print sections for a document
  --help`

/** "help", a complaint, or what to do. */
export const parse = (args: ReadonlyArray<string>): ScaleOptions | "help" | Error =>
  checked(() => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        parts: { type: "string" },
        keys: { type: "string", default: "10000,100000,1000000" },
        connections: { type: "string", default: "64,1000,10000" },
        replicas: { type: "string", default: "3,5,7" },
        members: { type: "string", default: "3" },
        "value-bytes": { type: "string", default: "256" },
        clients: { type: "string", default: "64" },
        seconds: { type: "string", default: "3" },
        heap: { type: "string" },
        json: { type: "string" },
        markdown: { type: "boolean", default: false },
        help: { type: "boolean", default: false }
      }
    })
    if (values.help) return "help"
    const keys = wholes("--keys", values.keys, 99_999_999)
    if (Math.min(...keys) < keysInRange) throw new Error(`--keys: at least ${keysInRange}, which one range reads`)
    return {
      parts:
        values.parts === undefined ? partNames : names(values.parts).map((name) => oneOf("--parts", partNames, name)),
      keys,
      connections: wholes("--connections", values.connections, 10_000),
      replicas: wholes("--replicas", values.replicas, 9),
      members: whole("--members", values.members, 9),
      valueBytes: whole("--value-bytes", values["value-bytes"], 16 * 1024),
      clients: whole("--clients", values.clients, 1000),
      seconds: number("--seconds", values.seconds, 60),
      heapMegabytes: values.heap === undefined ? undefined : whole("--heap", values.heap, 1_000_000),
      json: values.json,
      markdown: values.markdown
    }
  })
