/**
 * `balsa serve`: runs one replica until it is told to stop. Without a subcommand, `balsa`
 * does the same, so the flags are shared.
 */
import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Collector from "./Collector.ts"
import { Host } from "./Host.ts"
import * as ServeOptions from "./ServeOptions.ts"
import { version } from "./Version.ts"

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

export const serveFlags = {
  id: text("id", "NAME", "Name of this replica, unique in its cluster (BALSA_ID)"),
  peers: text(
    "peers",
    "B,C",
    "The other replicas, each NAME or NAME=HOST:PORT with its address for peers (BALSA_PEERS)"
  ),
  cluster: text("cluster", "NAME", `Name of the cluster; replicas of another one are refused; "balsa" (BALSA_CLUSTER)`),
  listenClient: text("listen-client", "HOST:PORT", "Address for clients; 127.0.0.1:7400+i (BALSA_LISTEN_CLIENT)"),
  listenPeer: text("listen-peer", "HOST:PORT", "Address for peers; 127.0.0.1:7500+i (BALSA_LISTEN_PEER)"),
  dataDir: text("data-dir", "PATH", "Where the log is kept; ./balsa-data/<id> (BALSA_DATA_DIR)"),
  heartbeat: text("heartbeat", "DURATION", "How often a leader says it is alive, such as 50ms (BALSA_HEARTBEAT)"),
  electionTimeout: text(
    "election-timeout",
    "DURATION",
    "How long followers wait for a leader, such as 500ms (BALSA_ELECTION_TIMEOUT)"
  ),
  snapshotLogSize: text(
    "snapshot-log-size",
    "SIZE",
    "Take a snapshot, and shorten the log, after so much was written: 64MiB; a quarter of the last snapshot if that is more (BALSA_SNAPSHOT_LOG_SIZE)"
  ),
  snapshotCount: text(
    "snapshot-count",
    "NUMBER",
    "Take a snapshot after so many writes at the latest; 250000 (BALSA_SNAPSHOT_COUNT)"
  ),
  quotaBytes: text(
    "quota-bytes",
    "SIZE",
    "What keys and values may take until only deletions are let in; 2GiB, or half of Node's heap limit if that is less, 0 is no limit (BALSA_QUOTA_BYTES)"
  ),
  historyRetention: text(
    "history-retention",
    "DURATION",
    "For how long what was can be read and watched, such as 30m; 1h, 0 is until it is compacted by hand (BALSA_HISTORY_RETENTION)"
  ),
  maxConnections: text(
    "max-connections",
    "NUMBER",
    "How many client connections are taken, if so many files may be open (ulimit -n); 10240 (BALSA_MAX_CONNECTIONS)"
  ),
  join: text(
    "join",
    "HOST:PORT,...",
    "Join the cluster whose members have these addresses for clients, as a replica that is new (BALSA_JOIN)"
  ),
  learner: Flag.Boolean("learner").pipe(
    Flag.withoutNegation,
    Flag.withDescription(
      "With --join: stay a learner, which is sent everything and does not vote (BALSA_LEARNER=true)"
    ),
    Flag.withDefault(false)
  ),
  readLease: Flag.Boolean("read-lease").pipe(
    Flag.withoutNegation,
    Flag.withDescription(
      "Answer reads without asking a majority while a lease holds; rests on clocks, and must be given to all (BALSA_READ_LEASE=true)"
    ),
    Flag.withDefault(false)
  ),
  maxClockDrift: text(
    "max-clock-drift",
    "SHARE",
    "With --read-lease: how much faster or slower than real time any clock may run; 5% (BALSA_MAX_CLOCK_DRIFT)"
  ),
  logFormat: text("log-format", "text|json", "Form of the log; text (BALSA_LOG_FORMAT)")
}

export const runServe = Effect.fnUntraced(function* (flags: ServeOptions.ServeFlags) {
  const host = yield* Host
  const options = yield* Effect.fromResult(ServeOptions.parse(flags, host.environment))
  host.signal.exitCode = 0
  endWithParent()
  Collector.countBytesWithHeap()
  // Loaded on demand: `balsa get` has no use for a server.
  const { serve } = yield* Effect.promise(() => import("../server/Server.ts"))
  return yield* serve({ ...options, version })
})

/**
 * A replica that was started with a channel to its parent (by `balsa dev`) ends when the parent
 * does, however that died; nobody would be left to stop it.
 */
const endWithParent = (): void => {
  if (process.channel === undefined) return
  process.on("disconnect", () => process.kill(process.pid, "SIGTERM"))
  process.channel?.unref()
}

export const serveExamples = [
  { command: "balsa serve --id A --peers B,C", description: "One of three replicas on this machine (then B and C)" },
  {
    command:
      "balsa serve --id A --peers B=10.0.0.2:7500,C=10.0.0.3:7500 --listen-peer 10.0.0.1:7500 --listen-client 10.0.0.1:7400",
    description: "Three machines"
  }
]

export const serveCommand = Command.make("serve", serveFlags, runServe).pipe(
  Command.withDescription(
    "Run one replica until SIGTERM or SIGINT. Replica number i of the sorted names listens on 127.0.0.1, for clients on port 7400+i and for peers on 7500+i."
  ),
  Command.withShortDescription("Run one replica"),
  Command.withExamples(serveExamples)
)
