/**
 * Sends the same random sequences of requests to etcd and to Balsa, and compares what they answer. `--help` says how.
 *
 * It runs dist/main.js, or the program that BALSA_PROGRAM names, and the etcd that is installed, or that ETCD_PROGRAM names.
 */
import { parseArgs } from "node:util"
import { write } from "../test/differential/Page.ts"
import { campaign } from "../test/differential/Campaign.ts"
import type { Pair } from "../test/differential/Run.ts"
import * as Servers from "../test/differential/Servers.ts"
import { endpointsOf, Side } from "../test/differential/Side.ts"

const usage = `Sends the same random sequences of requests to etcd and to Balsa, and compares what they answer.

npm run differential                                      1000 sequences, from a seed that it prints
npm run differential -- --sequences 10000 --seed 42       so many, with the seeds 42, 43 and so on
npm run differential -- --minutes 10                      as many as fit
npm run differential -- --replicas 1                      Balsa of one replica, not of three
npm run differential -- --lanes 4                         so many pairs of servers at once (2)
npm run differential -- --against-itself                  etcd and another etcd: they must not differ
npm run differential -- --etcd URL --balsa URL[,URL...]   servers that run, which must be empty, and are emptied
npm run differential -- --page                            writes the differences that are meant into docs/etcd-compatibility.md

A difference is shown as the smallest sequence that was found, as curl commands, with both answers.
It ends with 1 where the two differ, with 2 where it was not understood, and with 3 where there is no etcd.`

const misused = (why: string): never => {
  console.error(why)
  console.error("see: npm run differential -- --help")
  process.exit(2)
}

const read = () =>
  parseArgs({
    options: {
      help: { type: "boolean", short: "h", default: false },
      sequences: { type: "string" },
      minutes: { type: "string" },
      seed: { type: "string" },
      replicas: { type: "string", default: "3" },
      lanes: { type: "string", default: "2" },
      "max-reports": { type: "string", default: "10" },
      page: { type: "boolean", default: false },
      "against-itself": { type: "boolean", default: false },
      etcd: { type: "string" },
      balsa: { type: "string" }
    }
  })

const valuesOf = (): ReturnType<typeof read>["values"] => {
  try {
    return read().values
  } catch (error) {
    return misused((error as Error).message)
  }
}

const values = valuesOf()

if (values.help) {
  console.log(usage)
  process.exit(0)
}

if (values.page) {
  write()
  process.exit(0)
}

const wholeNumber = (name: string, text: string, least = 1): number => {
  const number = Number(text)
  return Number.isSafeInteger(number) && number >= least
    ? number
    : misused(`--${name} takes a whole number from ${least} on, not "${text}"`)
}

const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000_000) : wholeNumber("seed", values.seed, 0)
const sequences = wholeNumber("sequences", values.sequences ?? (values.minutes === undefined ? "1000" : "1000000000"))
const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes)
if (!(minutes > 0)) misused(`--minutes takes a number above 0, not "${values.minutes}"`)
const replicas = wholeNumber("replicas", values.replicas)
if (replicas > Servers.mostReplicas) misused(`--replicas takes ${Servers.mostReplicas} at most, not ${replicas}`)
const lanes = values.etcd === undefined && values.balsa === undefined ? wholeNumber("lanes", values.lanes) : 1
const maxReports = wholeNumber("max-reports", values["max-reports"])

if (values.etcd === undefined && Servers.etcdVersion() === undefined) {
  console.error(Servers.howToGetEtcd)
  process.exit(3)
}

const started: Array<Servers.Started> = []
process.on("exit", () => {
  for (const one of started) one.kill()
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

const start = async (starting: Promise<Servers.Started>): Promise<Side> => {
  const one = await starting
  started.push(one)
  return one.side
}

/** Somebody's keys are not for us to delete. */
const empty = async (name: string, urls: string): Promise<Side> => {
  const side = new Side(name, endpointsOf(urls))
  const { status, text } = await side.ask({
    path: "/v3/kv/range",
    body: '{"key":"AA==","range_end":"AA==","count_only":true}'
  })
  if (status !== 200) return misused(`${name} does not answer at ${urls}: ${text}`)
  return text.includes('"count"') ? misused(`${name} at ${urls} holds keys; give one that is empty`) : side
}

const pair = async (): Promise<Pair> => ({
  etcd: values.etcd === undefined ? await start(Servers.startEtcd()) : await empty("etcd", values.etcd),
  balsa:
    values.balsa !== undefined
      ? await empty("Balsa", values.balsa)
      : await start(values["against-itself"] ? Servers.startEtcd("the other etcd") : Servers.startBalsa(replicas))
})

const began = performance.now()
const pairs = await Promise.all(Array.from({ length: lanes }, pair))
console.log(`seed ${seed}; etcd ${Servers.etcdVersion() ?? "as it is"}, ${lanes} ${lanes === 1 ? "pair" : "pairs"}`)
const outcome = await campaign({
  pairs,
  seed,
  sequences,
  maxReports,
  maxMillis: minutes * 60_000,
  say: (line) => console.log(line)
})
for (const [name, count] of outcome.known) console.log(`known: ${name}, ${count} times`)
const seconds = ((performance.now() - began) / 1000).toFixed(0)
const differences = `${outcome.found.length} ${outcome.found.length === 1 ? "difference" : "differences"}`
if (outcome.disturbed > 0) console.log(`begun anew because a server was not there: ${outcome.disturbed} times`)
console.log(`${outcome.compared} sequences in ${seconds} s: ${differences}, seen again ${outcome.repeated} times`)
await Promise.all(started.map((one) => one.stop()))
process.exit(outcome.found.length > 0 ? 1 : 0)
