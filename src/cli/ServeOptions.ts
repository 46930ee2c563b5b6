/**
 * What a replica is started with: from flags and environment to one plain, checked value.
 * Left alone, replica number i of the sorted ids listens on 127.0.0.1, for clients on port
 * 7400 + i and for peers on 7500 + i, so `--id A --peers B,C` is all a trial needs.
 */
import { Option, Result } from "effect"
import * as Endpoint from "../client/Endpoint.ts"
import { ReplicaId } from "../raft/LogEntry.ts"
import type { Environment } from "./Host.ts"
import * as Setting from "./Setting.ts"
import type { UsageError } from "./UsageError.ts"

export interface ServeOptions {
  readonly id: ReplicaId
  readonly cluster: string
  readonly listenClient: Endpoint.Endpoint
  readonly listenPeer: Endpoint.Endpoint
  /** Whether these were given. One that joined once listens where it did then, unless they are. */
  readonly given: { readonly client: boolean; readonly peer: boolean }
  readonly peers: ReadonlyMap<ReplicaId, { readonly peer: Endpoint.Endpoint }>
  /** How it joins a cluster that there is; `undefined` for one of those with whom the cluster begins. */
  readonly join: Join | undefined
  readonly dataDir: string
  readonly heartbeatMillis: number
  readonly electionTimeoutMillis: number
  /** Where they are not given, the core's defaults hold. */
  readonly snapshotLogBytes: number | undefined
  readonly snapshotLogEntries: number | undefined
  /** Where these are not given, the server's defaults hold; 0 is none. */
  readonly quotaBytes: number | undefined
  readonly historyRetentionMillis: number | undefined
  readonly maxConnections: number | undefined
  readonly logFormat: "text" | "json"
  /** Reads may rest on a lease. Where the drift is not given, the core's default holds. */
  readonly lease: { readonly maxClockDrift: number | undefined } | undefined
}

export interface Join {
  /** Members' addresses for clients. */
  readonly members: ReadonlyArray<Endpoint.Endpoint>
  readonly learner: boolean
}

/** The flags as they were given. */
export interface ServeFlags {
  readonly id: Option.Option<string>
  readonly peers: Option.Option<string>
  readonly cluster: Option.Option<string>
  readonly listenClient: Option.Option<string>
  readonly listenPeer: Option.Option<string>
  readonly dataDir: Option.Option<string>
  readonly heartbeat: Option.Option<string>
  readonly electionTimeout: Option.Option<string>
  readonly snapshotLogSize: Option.Option<string>
  readonly snapshotCount: Option.Option<string>
  readonly logFormat: Option.Option<string>
  readonly quotaBytes?: Option.Option<string>
  readonly historyRetention?: Option.Option<string>
  readonly maxConnections?: Option.Option<string>
  readonly join?: Option.Option<string>
  readonly learner?: boolean
  readonly readLease?: boolean
  readonly maxClockDrift?: Option.Option<string>
}

type Parsed<A> = Result.Result<A, UsageError>

const clientBase = 7400
const peerBase = 7500
const defaultHeartbeatMillis = 150
const defaultElectionTimeoutMillis = 500

const fail = (message: string): Result.Result<never, UsageError> => Setting.fail("serve", message)

export const parse = (flags: ServeFlags, environment: Environment): Parsed<ServeOptions> =>
  Result.gen(function* () {
    const setting = (flag: string, value: Option.Option<string>) =>
      Setting.from(flag, value, environment, `BALSA_${flag.toUpperCase().replaceAll("-", "_")}`)

    const id = yield* idFrom(setting("id", flags.id))
    const peersSetting = setting("peers", flags.peers)
    const named = peersSetting === undefined ? [] : yield* peersFrom(peersSetting, id)
    const number = numberOf([id, ...named.map((peer) => peer.id)])
    const at = (base: number, replica: ReplicaId) => ({ host: "127.0.0.1", port: base + number(replica) })
    const listen = (flag: string, value: Option.Option<string>, base: number) => {
      const given = setting(flag, value)
      return given === undefined ? Result.succeed(at(base, id)) : endpointFrom(given.source, given.value)
    }
    const heartbeat = setting("heartbeat", flags.heartbeat)
    const electionTimeout = setting("election-timeout", flags.electionTimeout)
    const snapshotLogSize = setting("snapshot-log-size", flags.snapshotLogSize)
    const snapshotCount = setting("snapshot-count", flags.snapshotCount)
    const maxConnections = setting("max-connections", flags.maxConnections ?? Option.none())
    const options: ServeOptions = {
      id,
      cluster: yield* clusterFrom(setting("cluster", flags.cluster)),
      listenClient: yield* listen("listen-client", flags.listenClient, clientBase),
      listenPeer: yield* listen("listen-peer", flags.listenPeer, peerBase),
      peers: new Map(named.map((peer) => [peer.id, { peer: peer.endpoint ?? at(peerBase, peer.id) }])),
      given: {
        client: setting("listen-client", flags.listenClient) !== undefined,
        peer: setting("listen-peer", flags.listenPeer) !== undefined
      },
      join: yield* joinFrom(
        setting("join", flags.join ?? Option.none()),
        yield* Setting.isSet(flags.learner, environment, "BALSA_LEARNER", "serve")
      ),
      dataDir: setting("data-dir", flags.dataDir)?.value ?? `./balsa-data/${id}`,
      heartbeatMillis: heartbeat ? yield* Setting.millis(heartbeat, "serve") : defaultHeartbeatMillis,
      electionTimeoutMillis: electionTimeout
        ? yield* Setting.millis(electionTimeout, "serve")
        : defaultElectionTimeoutMillis,
      snapshotLogBytes: snapshotLogSize ? yield* Setting.bytes(snapshotLogSize, "serve") : undefined,
      snapshotLogEntries: snapshotCount ? yield* Setting.count(snapshotCount, "serve") : undefined,
      quotaBytes: yield* orZero(setting("quota-bytes", flags.quotaBytes ?? Option.none()), bytesOrNumber),
      historyRetentionMillis: yield* orZero(
        setting("history-retention", flags.historyRetention ?? Option.none()),
        Setting.millis
      ),
      maxConnections: maxConnections ? yield* Setting.count(maxConnections, "serve") : undefined,
      logFormat: yield* logFormatFrom(setting("log-format", flags.logFormat)),
      lease: yield* leaseFrom(
        yield* Setting.isSet(flags.readLease, environment, "BALSA_READ_LEASE", "serve"),
        setting("max-clock-drift", flags.maxClockDrift ?? Option.none())
      )
    }
    // An unset variable of a shell gives this; it would put the log into the current directory.
    if (options.dataDir === "") yield* fail("--data-dir is empty; name a directory, or leave it out")
    yield* checkAddresses(options)
    yield* checkTimes(options)
    return options
  })

const nameShape = /^[A-Za-z0-9._-]{1,64}$/
const nameRule = `1 to 64 letters, digits, ".", "_" or "-"`

/** The id names the data directory too, where "." and ".." would leave it. */
const isName = (text: string): boolean => nameShape.test(text) && text !== "." && text !== ".."

const idFrom = (setting: Setting.Setting | undefined): Parsed<ReplicaId> => {
  if (setting === undefined) {
    return fail("a replica needs a name: add --id A (or set BALSA_ID); for a whole trial cluster run: balsa dev")
  }
  return isName(setting.value)
    ? Result.succeed(ReplicaId(setting.value))
    : fail(`${setting.source}: "${setting.value}" is not a replica id; use ${nameRule}`)
}

const clusterFrom = (setting: Setting.Setting | undefined): Parsed<string> => {
  if (setting === undefined) return Result.succeed("balsa")
  return isName(setting.value)
    ? Result.succeed(setting.value)
    : fail(`${setting.source}: "${setting.value}" is not a cluster name; use ${nameRule}`)
}

/** Of a limit, 0 says that there is none. */
const orZero = (
  setting: Setting.Setting | undefined,
  parse: (setting: Setting.Setting, command: string) => Parsed<number>
): Parsed<number | undefined> => {
  if (setting === undefined) return Result.succeed(undefined)
  return setting.value === "0" ? Result.succeed(0) : parse(setting, "serve")
}

/** A number without a unit is of bytes, as for etcd. */
const bytesOrNumber: typeof Setting.bytes = ({ source, value }, command) =>
  Setting.bytes({ source, value: /^\d+$/.test(value) ? `${value}B` : value }, command)

const logFormatFrom = (setting: Setting.Setting | undefined): Parsed<"text" | "json"> => {
  const value = setting?.value ?? "text"
  return value === "text" || value === "json"
    ? Result.succeed(value)
    : fail(`${setting?.source}: "${value}" is not a log format; use text or json`)
}

const endpointFrom = (source: string, text: string): Parsed<Endpoint.Endpoint> =>
  Result.match(Endpoint.parse(text), {
    onSuccess: (endpoint): Parsed<Endpoint.Endpoint> => Result.succeed(endpoint),
    onFailure: (reason) => fail(`${source}: "${text}" ${reason}`)
  })

const joinFrom = (setting: Setting.Setting | undefined, learner: boolean): Parsed<Join | undefined> =>
  Result.gen(function* () {
    if (setting === undefined) {
      return learner ? yield* fail("--learner is for a replica that joins; add --join HOST:PORT") : undefined
    }
    const members: Array<Endpoint.Endpoint> = []
    for (const item of Setting.list(setting)) members.push(yield* endpointFrom(setting.source, item))
    if (members.length === 0)
      return yield* fail(`${setting.source} names no member; write HOST:PORT, an address for clients`)
    return { members, learner }
  })

/** A share of 1, or percent. */
const leaseFrom = (isWanted: boolean, drift: Setting.Setting | undefined): Parsed<ServeOptions["lease"]> => {
  if (!isWanted) {
    return drift === undefined
      ? Result.succeed(undefined)
      : fail(`${drift.source} is about reads that rest on a lease; add --read-lease`)
  }
  if (drift === undefined) return Result.succeed({ maxClockDrift: undefined })
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(drift.value.trim())
  const share = Number(match?.[1]) / (match?.[2] === "%" ? 100 : 1)
  return share >= 0 && share <= 0.5
    ? Result.succeed({ maxClockDrift: share })
    : fail(`${drift.source}: "${drift.value}" is not a drift; write a share such as 0.05, or 5%, up to 50%`)
}

interface NamedPeer {
  readonly id: ReplicaId
  readonly endpoint: Endpoint.Endpoint | undefined
}

const peersFrom = (setting: Setting.Setting, own: ReplicaId): Parsed<ReadonlyArray<NamedPeer>> =>
  Result.gen(function* () {
    const peers: Array<NamedPeer> = []
    for (const item of Setting.list(setting)) {
      const at = item.indexOf("=")
      const name = at < 0 ? item : item.slice(0, at)
      if (!isName(name)) {
        return yield* fail(
          `${setting.source}: "${name}" is not a replica id; use ${nameRule}, as in B,C or B=HOST:PORT`
        )
      }
      if (name === own) {
        return yield* fail(`${setting.source} names ${own}, which is this replica; list only the others`)
      }
      if (peers.some((peer) => peer.id === name)) {
        return yield* fail(`${setting.source} names ${name} twice; list every other replica once`)
      }
      const endpoint = at < 0 ? undefined : yield* endpointFrom(`${setting.source}: ${name}`, item.slice(at + 1))
      peers.push({ id: ReplicaId(name), endpoint })
    }
    return peers
  })

/** Every replica sorts the same ids the same way, by code unit, so all agree on the numbers. */
const numberOf = (ids: ReadonlyArray<ReplicaId>): ((id: ReplicaId) => number) => {
  const sorted = ids.toSorted((a, b) => (a < b ? -1 : 1))
  return (id) => sorted.indexOf(id) + 1
}

const checkAddresses = (options: ServeOptions): Parsed<void> => {
  const isAnywhere = ["0.0.0.0", "::"].includes(options.listenPeer.host)
  if (options.join !== undefined && options.given.peer && isAnywhere) {
    return fail(
      `--listen-peer ${Endpoint.show(options.listenPeer)}: the others have to reach this replica there; name the address by which they do`
    )
  }
  // The places of one that joins are not known yet.
  if (options.join !== undefined && !(options.given.client && options.given.peer)) {
    return Result.succeed(undefined)
  }
  const used = [
    { who: `${options.id} for clients`, endpoint: options.listenClient },
    { who: `${options.id} for peers`, endpoint: options.listenPeer },
    ...[...options.peers].map(([id, { peer }]) => ({ who: `${id} for peers`, endpoint: peer }))
  ]
  for (const [at, one] of used.entries()) {
    const other = used.slice(0, at).find(({ endpoint }) => Endpoint.equals(endpoint, one.endpoint))
    if (other !== undefined) {
      return fail(
        `${Endpoint.show(one.endpoint)} is the address of ${other.who} and of ${one.who}; give each its own with --listen-client, --listen-peer or --peers ID=HOST:PORT`
      )
    }
  }
  return Result.succeed(undefined)
}

/** A leader that speaks less often than its followers' patience lasts is deposed for ever. */
const checkTimes = ({ heartbeatMillis, electionTimeoutMillis }: ServeOptions): Parsed<void> =>
  electionTimeoutMillis < 2 * heartbeatMillis
    ? fail(
        `the election timeout (${electionTimeoutMillis} ms) must be at least twice the heartbeat (${heartbeatMillis} ms), better ten times`
      )
    : Result.succeed(undefined)
