/** What is answered without asking the store: who is there, and what it can do. */
import type { KvCommand } from "../../kv/KvCommand.ts"
import type { RequestError } from "../../runtime/RequestError.ts"
import type { Cursors } from "./Cursors.ts"
import * as Glob from "./Glob.ts"
import type { RespWriter } from "./RespWriter.ts"
import { integerOf, nameOf, notAnInteger, RespError, type Words } from "./Step.ts"

/** Clients choose what they use by it. */
export const redisVersion = "7.4.0"

export interface Facts {
  readonly balsaVersion: string
  readonly id: string
  readonly port: number
  readonly role: string
  readonly leader: string | undefined
  readonly revision: number
  readonly keys: number
  readonly liveBytes: number
}

export interface Host {
  readonly cursors: Cursors
  readonly maxRequestBytes: number
  /** Why a command is not let in, if it is not. */
  readonly refusal: (command: KvCommand) => string | undefined
  readonly facts: () => Facts
  readonly sessions: () => ReadonlyArray<Session>
  readonly startedAt: number
}

export interface Session {
  readonly id: number
  readonly address: string
  readonly since: number
  name: string
  /** READONLY was said: what only reads is answered by this replica alone. Transactions are not. */
  takesStale: boolean
  readonly writer: RespWriter
}

export type Said = (to: RespWriter) => void
type Make = (words: Words, host: Host, session: Session) => Said | RespError

/** As Redis begins an error: with a code. A write whose outcome is unknown says so. */
export const wordsFor = (error: RequestError | string): string => {
  if (typeof error === "string") return error
  const outcome = error.outcomeUnknown ? "; whether it was carried out is not known" : ""
  return `${codes[error._tag]} ${error.message}${outcome}`
}

const codes: { readonly [tag in RequestError["_tag"]]: string } = {
  Unavailable: "CLUSTERDOWN",
  RequestTimeout: "TIMEOUT",
  ResourceExhausted: "BUSY",
  NotUnderstood: "LOADING",
  AmendmentRefused: "ERR"
}

const ok: Said = (to) => to.simple("OK")

export const ping: Make = ([, message, more]) =>
  more !== undefined
    ? wrongNumber("ping")
    : message === undefined
      ? (to) => to.simple("PONG")
      : (to) => to.bulk(message)

export const echo: Make =
  ([, message]) =>
  (to) =>
    to.bulk(message!)

export const select: Make = ([, index]) => {
  const number = integerOf(index!)
  if (number === undefined) return notAnInteger
  return number === 0n ? ok : new RespError("ERR DB index is out of range")
}

const noPassword =
  "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"

export const auth: Make = () => new RespError(noPassword)

/** HELLO [version [AUTH user password] [SETNAME name]] */
export const hello: Make = (words, host, session) => {
  const [, version] = words
  if (version !== undefined && integerOf(version) === undefined) {
    return new RespError("ERR Protocol version is not an integer or out of range")
  }
  if (version !== undefined && !["2", "3"].includes(version.toString())) {
    return new RespError("NOPROTO unsupported protocol version")
  }
  let name: string | undefined
  for (let at = 2; at < words.length; at++) {
    const option = nameOf(words[at]!)
    if (option === "AUTH" && at + 2 < words.length) return new RespError(noPassword)
    if (option !== "SETNAME" || at + 1 >= words.length) {
      return new RespError(`ERR Syntax error in HELLO option '${words[at]!.toString("latin1")}'`)
    }
    name = words[++at]!.toString("latin1")
  }
  return (to) => {
    if (version !== undefined) to.version = version.toString() === "3" ? 3 : 2
    if (name !== undefined) session.name = name
    const facts: ReadonlyArray<readonly [string, string | number]> = [
      ["server", "redis"],
      ["version", redisVersion],
      ["proto", to.version],
      ["id", session.id],
      ["mode", "standalone"],
      ["role", "master"]
    ]
    to.map(facts.length + 2)
    for (const [fact, value] of facts) {
      to.text(fact)
      if (typeof value === "number") to.integer(value)
      else to.text(value)
    }
    to.text("modules")
    to.array(0)
    to.text("balsa")
    to.text(host.facts().balsaVersion)
  }
}

const describeClient = ({ id, address, since, name, writer }: Session): string =>
  `id=${id} addr=${address} name=${name} age=${Math.floor((Date.now() - since) / 1000)} db=0 resp=${writer.version}`

export const client: Make = (words, host, session) => {
  const [, subcommand, value] = words
  switch (nameOf(subcommand!)) {
    case "SETNAME":
      if (value === undefined || words.length !== 3) return wrongNumber("client|setname")
      if (/[^!-~]/.test(value.toString("latin1"))) {
        return new RespError("ERR Client names cannot contain spaces, newlines or special characters.")
      }
      return (to) => {
        session.name = value.toString("latin1")
        ok(to)
      }
    case "GETNAME":
      return (to) => (session.name === "" ? to.nothing() : to.text(session.name))
    case "SETINFO":
    case "NO-EVICT":
    case "NO-TOUCH":
      return ok
    case "ID":
      return (to) => to.integer(session.id)
    case "INFO":
      return (to) => to.text(`${describeClient(session)}\n`)
    case "LIST":
      return (to) =>
        to.text(
          host
            .sessions()
            .map((one) => `${describeClient(one)}\n`)
            .join("")
        )
    default:
      return new RespError(`ERR unknown subcommand '${subcommand!.toString("latin1").slice(0, 128)}'. Try CLIENT HELP.`)
  }
}

/** READONLY and READWRITE. Redis has them for replicas in a cluster, which answer nothing without. */
export const takeStale =
  (takesStale: boolean): Make =>
  (_words, _host, session) =>
  (to) => {
    session.takesStale = takesStale
    ok(to)
  }

export const wrongNumber = (command: string): RespError =>
  new RespError(`ERR wrong number of arguments for '${command.toLowerCase()}' command`)

/** INFO [section ...] */
export const info: Make = (words, host) => {
  const wanted = new Set(words.slice(1).map((word) => word.toString("latin1").toLowerCase()))
  const isWanted = (section: string): boolean =>
    wanted.size === 0 || ["all", "default", "everything", section.toLowerCase()].some((one) => wanted.has(one))
  return (to) =>
    to.text(
      sectionsOf(host)
        .filter(([section]) => isWanted(section))
        .map(([section, lines]) => [`# ${section}`, ...lines, ""].join("\r\n"))
        .join("\r\n")
    )
}

const sectionsOf = (host: Host): ReadonlyArray<readonly [section: string, lines: ReadonlyArray<string>]> => {
  const facts = host.facts()
  const seconds = Math.floor((Date.now() - host.startedAt) / 1000)
  return [
    [
      "Server",
      [
        `redis_version:${redisVersion}`,
        "redis_mode:standalone",
        `balsa_version:${facts.balsaVersion}`,
        `balsa_id:${facts.id}`,
        `process_id:${process.pid}`,
        `tcp_port:${facts.port}`,
        `uptime_in_seconds:${seconds}`
      ]
    ],
    ["Clients", [`connected_clients:${host.sessions().length}`]],
    ["Memory", [`used_memory:${process.memoryUsage.rss()}`, `used_memory_dataset:${facts.liveBytes}`]],
    ["Persistence", ["loading:0", "aof_enabled:1"]],
    [
      "Replication",
      ["role:master", "connected_slaves:0", `balsa_role:${facts.role}`, `balsa_leader:${facts.leader ?? ""}`]
    ],
    ["Cluster", ["cluster_enabled:0"]],
    ["Keyspace", facts.keys === 0 ? [] : [`db0:keys=${facts.keys},expires=0,avg_ttl=0`]]
  ]
}

/** What clients ask for before they begin; nothing can be set. */
const settings: { readonly [name: string]: string } = {
  appendfsync: "always",
  appendonly: "yes",
  databases: "1",
  maxmemory: "0",
  "maxmemory-policy": "noeviction",
  save: "",
  timeout: "0"
}

export const config: Make = (words) => {
  const [, subcommand, ...patterns] = words
  if (nameOf(subcommand!) !== "GET") {
    return new RespError("ERR nothing can be configured here; see the options of balsa serve")
  }
  if (patterns.length === 0) return wrongNumber("config|get")
  const globs = patterns.map((pattern) => Glob.parse(pattern.toString("latin1").toLowerCase()))
  const found = Object.entries(settings).filter(([name]) => globs.some(({ fits }) => fits(name)))
  return (to) => {
    to.map(found.length)
    for (const [name, value] of found) {
      to.text(name)
      to.text(value)
    }
  }
}

export const time: Make = () => (to) => {
  const now = Date.now()
  to.array(2)
  to.text(String(Math.floor(now / 1000)))
  to.text(String((now % 1000) * 1000))
}
