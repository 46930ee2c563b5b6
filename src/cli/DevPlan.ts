/**
 * A trial cluster as data: who runs where, with which arguments, and the lines that `dev`
 * offers for pasting. On the default ports the lines need no flags at all.
 */
import { relative } from "node:path"
import type { Endpoint } from "../client/Endpoint.ts"
import { show } from "../client/Endpoint.ts"

export interface DevReplica {
  readonly id: string
  readonly client: Endpoint
  readonly peer: Endpoint
  /** After the program's own name. */
  readonly argv: ReadonlyArray<string>
}

export interface DevPlan {
  readonly basePort: number
  readonly replicas: ReadonlyArray<DevReplica>
  /** How the user starts this program, such as `node dist/main.js`. */
  readonly program: string
  /** Flags that reach this cluster; empty when the defaults do. */
  readonly clientFlags: string
}

export const defaultBasePort = 7400
export const defaultDataDir = "./balsa-data"

export const make = (options: {
  readonly count: number
  readonly basePort: number
  readonly dataDir: string
  readonly program: string
}): DevPlan => {
  const { count, basePort, dataDir } = options
  const members = Array.from({ length: count }, (_, at) => ({
    id: String.fromCharCode("A".charCodeAt(0) + at),
    client: { host: "127.0.0.1", port: basePort + at + 1 },
    peer: { host: "127.0.0.1", port: basePort + 100 + at + 1 }
  }))
  const usual = basePort === defaultBasePort
  const replicas = members.map((member): DevReplica => {
    const others = members.filter(({ id }) => id !== member.id)
    const peers = others.map(({ id, peer }) => (usual ? id : `${id}=${show(peer)}`)).join(",")
    const addresses = usual ? [] : ["--listen-client", show(member.client), "--listen-peer", show(member.peer)]
    const data = dataDir === defaultDataDir ? [] : ["--data-dir", `${dataDir}/${member.id}`]
    return { ...member, argv: ["--id", member.id, "--peers", peers, ...addresses, ...data] }
  })
  const endpoints = members.map(({ client }) => show(client)).join(",")
  return { basePort, replicas, program: options.program, clientFlags: usual && count === 3 ? "" : ` -e ${endpoints}` }
}

/** As the user typed it, near enough to paste: relative to where they are. */
export const programName = (script: string, directory: string): string => {
  const path = relative(directory, script)
  return `node ${quote(path.startsWith("../../") ? script : path)}`
}

export const quote = (word: string): string =>
  /^[A-Za-z0-9_./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

export const restartLine = (plan: DevPlan, replica: DevReplica): string =>
  [plan.program, ...replica.argv.map(quote)].join(" ")

/** What to try once there is a leader. */
export const invitation = (plan: DevPlan, leader: { readonly client: Endpoint; readonly pid: number }): string => {
  const { program, clientFlags } = plan
  const other = plan.replicas.find(({ client }) => client.port !== leader.client.port) ?? plan.replicas[0]!
  return `
Try it, in another terminal:

  ${program} put hello world${clientFlags}
  ${program} get hello${clientFlags}
  ${program} status${clientFlags}

  # the same over HTTP; keys and values are base64 (aGVsbG8= is hello, d29ybGQ= is world)
  curl -s http://${show(leader.client)}/v3/kv/put -d '{"key":"aGVsbG8=","value":"d29ybGQ="}'
  curl -s http://${show(other.client)}/v3/kv/range -d '{"key":"aGVsbG8="}'

  # kill the leader: the others elect a new one, and nothing is lost
  kill -9 ${leader.pid}

Ctrl-C stops the cluster; the data stays for the next time.
`
}
