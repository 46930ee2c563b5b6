/**
 * What a snapshot costs those who write meanwhile: three replicas are filled, and under steady puts
 * the leader takes a snapshot. Before, during and after: how long puts take, and the longest
 * pause of each replica's event loop. Ends by itself, and takes with it all that it started.
 *
 *     npm run build && node bench/snapshot.ts --megabytes 1024
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { Cluster } from "./Cluster.ts"
import * as Connection from "./HttpConnection.ts"
import { percentile } from "./Statistics.ts"
import * as Usage from "./Usage.ts"

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "1024" },
    "value-bytes": { type: "string", default: "4096" },
    clients: { type: "string", default: "16" },
    seconds: { type: "string", default: "120" }
  }
})
const valueBytes = Number(values["value-bytes"])
const keys = Math.floor((Number(values.megabytes) * 1024 * 1024) / valueBytes)
const clients = Number(values.clients)
const longestSeconds = Number(values.seconds)

const value = (n: number): string => {
  const bytes = Buffer.alloc(valueBytes)
  for (let at = 0; at + 4 <= valueBytes; at += 4)
    bytes.writeUInt32LE((Math.imul(n + 1, at + 0x9e3779b9) ^ at) >>> 0, at)
  return bytes.toString("base64")
}
const put = (key: number, salt: number): Buffer =>
  Connection.post("/v3/kv/put", {
    key: Buffer.from(`key-${String(key).padStart(9, "0")}`).toString("base64"),
    value: value(key + salt)
  })

interface Sample {
  readonly at: number
  readonly millis: number
}

/** Puts `next()` until it gives undefined. */
const load = async (port: number, count: number, next: () => Buffer | undefined, onDone: (sample: Sample) => void) => {
  const client = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let sentAt = 0
      const go = (): void => {
        const request = next()
        if (request === undefined) {
          connection.close()
          return resolve()
        }
        sentAt = performance.now()
        connection.send(request)
      }
      const connection = Connection.open(port, {
        onOpen: go,
        onAnswer: (status, body) => {
          if (status !== 200) return reject(new Error(`${status}: ${body}`))
          onDone({ at: Date.now(), millis: performance.now() - sentAt })
          go()
        },
        onLost: (reason) => reject(new Error(reason))
      })
    })
  await Promise.all(Array.from({ length: count }, client))
}

const directory = mkdtempSync(path.join(tmpdir(), "balsa-snapshot-"))
process.once("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
mkdirSync(path.join(directory, "pauses"))
process.env["LOOP_PAUSES"] = path.join(directory, "pauses", "loop")
const program = path.join(directory, "main.mjs")
copyFileSync(fileURLToPath(new URL("../dist/main.js", import.meta.url)), program)
const pauses = fileURLToPath(new URL("./LoopPauses.ts", import.meta.url))

const cluster = await Cluster.start(
  {
    program: process.execPath,
    arguments: (own, all) => [
      "--import",
      pauses,
      program,
      "--id",
      own.name,
      "--peers",
      all.flatMap((one) => (one === own ? [] : `${one.name}=127.0.0.1:${one.peer}`)).join(","),
      "--data-dir",
      path.join(directory, own.name),
      "--listen-client",
      `127.0.0.1:${own.client}`,
      "--listen-peer",
      `127.0.0.1:${own.peer}`
    ]
  },
  directory,
  ["A", "B", "C"]
)
process.once("SIGINT", () => process.exit(130))
const leader = await cluster.leader()
const leads = cluster.addresses.findIndex(({ client }) => client === leader.port)
const dataDir = path.join(directory, cluster.addresses[leads]!.name)

const showMemory = (): string => {
  const used = Usage.of(cluster.pids)
  return used === undefined ? "" : `, ${Math.round(used.residentBytes / 2 ** 20)} MiB resident in three processes`
}

console.log(`${keys} keys of ${valueBytes} bytes, through the leader ${cluster.addresses[leads]!.name}`)
let filled = 0
let shown = Date.now()
const began = Date.now()
await load(
  leader.port,
  64,
  () => (filled < keys ? put(filled++, 0) : undefined),
  () => {
    if (Date.now() - shown < 5000) return
    shown = Date.now()
    console.log(
      `  ${Math.round((100 * filled) / keys)} %, ${Math.round(filled / ((shown - began) / 1000))} puts/s${showMemory()}`
    )
  }
)
console.log(`filled in ${((Date.now() - began) / 1000).toFixed(1)} s${showMemory()}`)

/** A snapshot that is being written shows as a temporary file. */
const isTaking = (): boolean => {
  try {
    return readdirSync(dataDir).some((name) => name.startsWith("snapshot-") && name.endsWith(".tmp"))
  } catch {
    return false
  }
}

const samples: Array<Sample> = []
const taking: Array<{ from: number; to: number }> = []
let open: number | undefined
const watch = setInterval(() => {
  const now = isTaking()
  if (now && open === undefined) open = Date.now()
  if (!now && open !== undefined) {
    taking.push({ from: open, to: Date.now() })
    open = undefined
  }
}, 5)
const steadyFrom = Date.now()
const lead = 10_000
const isOver = (): boolean => {
  const now = Date.now()
  const whole = taking.find(({ from }) => from > steadyFrom + lead / 2)
  return now > steadyFrom + longestSeconds * 1000 || (whole !== undefined && now > whole.to + lead)
}
let salt = 0
await load(
  leader.port,
  clients,
  () => (isOver() ? undefined : put(Math.floor(Math.random() * keys), ++salt)),
  (sample) => samples.push(sample)
)
clearInterval(watch)

const during = taking.find(({ from }) => from > steadyFrom + lead / 2)
const pausesOf = (pid: number): ReadonlyArray<Sample> =>
  readFileSync(path.join(directory, "pauses", `loop.${pid}`), "utf8")
    .trim()
    .split("\n")
    .map((line) => ({ at: Number(line.split(" ")[0]), millis: Number(line.split(" ")[1]) }))

const phases =
  during === undefined
    ? [{ name: "all (no snapshot was taken)", from: steadyFrom, to: Date.now() }]
    : [
        { name: "before", from: steadyFrom, to: during.from },
        { name: "during", from: during.from, to: during.to },
        { name: "after", from: during.to, to: Date.now() }
      ]
console.log(
  `\n${clients} clients put; the leader's snapshot took ${during && ((during.to - during.from) / 1000).toFixed(2)} s`
)
for (const name of readdirSync(dataDir).filter((file) => file.endsWith(".snap"))) console.log(`  ${name}`)
console.log("\n| phase | seconds | puts/s | p50 ms | p99 ms | max ms | longest pause ms: leader | followers |")
console.log("| --- | --- | --- | --- | --- | --- | --- | --- |")
for (const { name, from, to } of phases) {
  const inside = ({ at }: Sample): boolean => at >= from && at <= to + 250
  const sorted = Float64Array.from(samples.filter(inside).map(({ millis }) => millis)).sort()
  const longest = (pid: number): string =>
    Math.max(
      ...pausesOf(pid)
        .filter(inside)
        .map(({ millis }) => millis),
      0
    ).toFixed(1)
  const followers = cluster.pids.filter((_, at) => at !== leads).map(longest)
  const seconds = (to - from) / 1000
  console.log(
    `| ${name} | ${seconds.toFixed(1)} | ${Math.round(sorted.length / seconds)} | ${percentile(sorted, 50).toFixed(2)} | ${percentile(sorted, 99).toFixed(2)} | ${(sorted.at(-1) ?? Number.NaN).toFixed(1)} | ${longest(cluster.pids[leads]!)} | ${followers.join(", ")} |`
  )
}
console.log(showMemory().slice(2))
await cluster.stop()
