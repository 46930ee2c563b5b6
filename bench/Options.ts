/** The benchmark's flags, as one checked value. */
import { parseArgs } from "node:util"
import { checked, oneOf, names, number, whole } from "./Flags.ts"
import * as Workload from "./Workload.ts"

export const systemNames = ["balsa", "gateway", "etcd", "redis", "bare"] as const
export type SystemName = (typeof systemNames)[number]

export interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly systems: ReadonlyArray<SystemName>
  readonly workloads: ReadonlyArray<Workload.Workload>
  /** That clients share; undefined: what is usual for each protocol. */
  readonly connections: number | undefined
  readonly json: string | undefined
  readonly svg: string | undefined
  /** Where the flame graph of the leader goes; then nothing else is measured. */
  readonly profile: string | undefined
}

export const help = `npm run build && npm run bench [-- FLAGS]

Three replicas of dist/main.js, and beside them what is installed of etcd and Redis, and a bare loop
that replicates without Raft's rules: driven in turn, each through its fastest protocol, all durable.
docs/performance.md says how to read the result.

  --quick              one round of 1 s, a few workloads
  --rounds N           how often every measurement is repeated (3)
  --seconds N          how long one measurement takes (3)
  --systems NAME,...   of: balsa (Redis' protocol), gateway (the same replicas, JSON over HTTP),
                       etcd (gRPC), redis (appendfsync always), bare (the loop); all of them
  --workloads NAME,... put-64, get-1, serializable-256, mixed-64, put-50x16 (50 clients, 16 at once),
                       put-64-16KB, or any other numbers
  --connections N      let the clients share N connections (Redis' protocol: one each; gRPC: 2)
  --json FILE          write all that was measured, round by round
  --svg FILE           draw it
  --profile FILE       instead: where the leader's time goes in the first of --workloads, as a flame
                       graph (SVG), beside it V8's own FILE.cpuprofile
  --help`

/** "help", a complaint, or what to do. */
export const parse = (args: ReadonlyArray<string>): Options | "help" | Error =>
  checked(() => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean", default: false },
        rounds: { type: "string" },
        seconds: { type: "string" },
        systems: { type: "string" },
        workloads: { type: "string" },
        connections: { type: "string" },
        json: { type: "string" },
        svg: { type: "string" },
        profile: { type: "string" },
        help: { type: "boolean", default: false }
      }
    })
    if (values.help) return "help"
    const { quick } = values
    const workloads = values.workloads === undefined ? undefined : names(values.workloads)
    return {
      rounds: whole("--rounds", values.rounds ?? (quick ? "1" : "3"), 100),
      seconds: number("--seconds", values.seconds ?? (quick ? "1" : "3"), 3600),
      systems:
        values.systems === undefined
          ? systemNames
          : names(values.systems).map((name) => oneOf("--systems", systemNames, name)),
      workloads: (workloads ?? (quick ? Workload.quick : Workload.usual)).map(Workload.parse),
      connections: values.connections === undefined ? undefined : whole("--connections", values.connections, 10_000),
      json: values.json,
      svg: values.svg,
      profile: values.profile
    }
  })
