/** Runs PostgreSQL under Patroni on Balsa, kills one after the other, and tells what happened. `--help` says how. */
import { parseArgs } from "node:util"
import { Cast } from "./patroni/Cast.ts"
import * as Installation from "./patroni/Installation.ts"
import * as Scenario from "./patroni/Scenario.ts"
import * as Store from "./patroni/Store.ts"
import { seconds, Timeline } from "./patroni/Timeline.ts"

const usage = `Runs two PostgreSQL under Patroni, which keeps its leader in three replicas of Balsa. Kills PostgreSQL, Patroni
and Balsa's leader, writes rows all the while, and tells how long each failover took.

npm run patroni                         all of it, in two to three minutes
npm run patroni -- --short              only the death of a primary, and of Balsa's leader
npm run patroni -- --store etcd         the same on three members of etcd, to compare
npm run patroni -- --ttl 30             how many seconds a dead primary is waited for (20)
npm run patroni -- --user NAME          as whom PostgreSQL runs, if you are root (postgres)
npm run patroni -- --keep               leaves configurations, logs and data, and says where

It runs dist/main.js, or the program that BALSA_PROGRAM names; all listens on 127.0.0.1, on ports that are free.
It ends with 0 if all went well, with 1 if a row was lost or something took too long, with 2 where it was not
understood, with 3 if a program is missing.`

const leave = (code: number, text: string): never => {
  ;(code === 0 ? console.log : console.error)(text)
  return process.exit(code)
}

const parsed = () => {
  try {
    return parseArgs({
      options: {
        help: { type: "boolean", short: "h", default: false },
        short: { type: "boolean", default: false },
        store: { type: "string", default: "balsa" },
        ttl: { type: "string", default: "20" },
        user: { type: "string", default: "postgres" },
        keep: { type: "boolean", default: false }
      }
    })
  } catch (error) {
    return leave(2, `${(error as Error).message}\nsee --help`)
  }
}

const { values } = parsed()
if (values.help) leave(0, usage)
const { store: kind } = values
if (kind !== "balsa" && kind !== "etcd") leave(2, `--store is balsa or etcd, and not "${kind}"`)
const ttl = Number(values.ttl)
if (!Number.isInteger(ttl) || ttl < 10) leave(2, "--ttl takes a whole number of seconds, 10 or more")
/** Patroni asks for at least twice the time of a retry and a round. */
const times = { ttl, loopWait: 2, retryTimeout: Math.min(10, Math.floor((ttl - 2) / 2)) }

const installation = Installation.find(kind as Installation.StoreKind, values.user)
if ("lacks" in installation) leave(3, ["missing:", ...installation.lacks].join("\n  "))
const found = installation as Installation.Installation
const timeline = new Timeline((line) => console.log(line))
const cast = await Cast.make(await Store.make(kind as Installation.StoreKind), found, times, timeline)
process.on("exit", () => cast.end(values.keep))
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

const { patroni, postgres, store } = found.versions
timeline.say([store, patroni, postgres].join(", "))
timeline.say(`ttl ${times.ttl}, loop_wait ${times.loopWait}, retry_timeout ${times.retryTimeout}`)
try {
  const results = await Scenario.play(cast, values.short)
  console.log("")
  for (const { what, millis } of results) console.log(`${what.padEnd(48)} ${seconds(millis).padStart(8)}`)
} catch (error) {
  timeline.say(`FAILED: ${(error as Error).message}`)
  for (const node of cast.nodes) timeline.say([`the last lines of ${node.name}:`, ...node.log.slice(-30)].join("\n  "))
  process.exitCode = 1
}
if (values.keep) console.log(`configurations, logs and data: ${cast.directory}`)
process.exit()
