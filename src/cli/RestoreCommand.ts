/** `balsa restore`: one replica's part of a new cluster, from a backup. */
import { Effect, Option } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Restoration from "../maintenance/Restoration.ts"
import * as SnapshotFile from "../maintenance/SnapshotFile.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { quote } from "./DevPlan.ts"
import * as Facts from "./Facts.ts"
import { Host } from "./Host.ts"
import { ofSnapshotFile, ofStorage } from "./MaintenanceFailure.ts"
import * as Progress from "./Progress.ts"
import { serveFlags } from "./ServeCommand.ts"
import * as ServeOptions from "./ServeOptions.ts"
import { hex } from "./SnapshotFacts.ts"
import { UsageError } from "./UsageError.ts"

/** More than a cluster writes between a backup and its end, so that no revision is given twice. */
export const defaultBump = 1_000_000_000

const none = Option.none<string>()
const unused = {
  listenClient: none,
  listenPeer: none,
  heartbeat: none,
  electionTimeout: none,
  snapshotLogSize: none,
  snapshotCount: none,
  logFormat: none
}

const usage = (message: string): UsageError => new UsageError({ command: "restore", message })

export const restoreCommand = Command.make(
  "restore",
  {
    file: Argument.String("FILE").pipe(Argument.withDescription("A snapshot, from balsa snapshot save")),
    id: serveFlags.id,
    peers: serveFlags.peers,
    cluster: serveFlags.cluster,
    dataDir: serveFlags.dataDir.pipe(
      Flag.withDescription("The new directory, empty or not there yet; ./balsa-data/<id> (BALSA_DATA_DIR)")
    ),
    bumpRevision: Flag.Int("bump-revision").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription(
        `Add so much to the revision, so that none that a client of the old cluster has seen comes back; ${defaultBump}`
      ),
      Flag.withDefault(defaultBump)
    ),
    output: ClientOptions.clientFlags.output
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const { id, peers, cluster, dataDir } = yield* Effect.fromResult(
      ServeOptions.parse({ ...input, ...unused }, host.environment)
    ).pipe(Effect.mapError(({ message }) => usage(message)))
    const output = yield* Effect.fromResult(ClientOptions.parseOutput("restore", input.output, host.environment))
    if (input.bumpRevision < 0) return yield* usage(`--bump-revision: ${input.bumpRevision} is negative`)

    const progress = yield* Progress.make(host)
    const { image: backup, keys } = yield* SnapshotFile.load(input.file, (read, total) =>
      progress.tell(() => `reading: ${Progress.mebibytes(read, total)}`)
    ).pipe(Effect.mapError(ofSnapshotFile), Effect.ensuring(progress.clear))
    if (input.bumpRevision > Restoration.maxRevision - backup.value.revision) {
      return yield* usage(`--bump-revision: ${input.bumpRevision} is more than a revision can grow by`)
    }
    const voters = [id, ...peers.keys()]
    const image = Restoration.firstImage(backup, { cluster, voters, bumpRevision: input.bumpRevision })
    yield* progress
      .during(`writing ${dataDir}`, Restoration.restore(image, { directory: dataDir, cluster, replica: id }))
      .pipe(Effect.mapError(ofStorage), Effect.ensuring(progress.clear))

    const start = startLine(input)
    const facts: ReadonlyArray<Facts.Fact> = [
      ["directory", dataDir],
      ["replica", id],
      ["cluster", cluster],
      ["voters", image.configuration.voters],
      ["keys", keys],
      ["revision", image.value.revision],
      ["revision of the backup", backup.value.revision],
      ["index", image.last.index],
      ["term", image.last.term],
      ["epoch", SnapshotFile.epochOf(image)],
      ["hash", hex(image.hash)]
    ]
    if (output === "json" || output === "jsonl") {
      return yield* host.out(Facts.render([...facts.map(inSnakeCase), ["start", start]], "json"))
    }
    yield* host.out(Facts.render(facts, output ?? (host.terminal ? "table" : "plain")))
    yield* host.err(nextSteps([...peers.keys()], start))
  })
).pipe(
  Command.withDescription(
    "Make a new data directory for one replica of a new cluster, with all keys of a snapshot. Run it once for each replica, with the same file and options, before any of them is started. The new cluster is of the next epoch: replicas of the old one are refused. Its revision is raised by --bump-revision, so that no revision that a client of the old cluster has seen comes back; the default is far more than is written between a backup and the end of a cluster."
  ),
  Command.withShortDescription("Begin a new cluster from a backup"),
  Command.withExamples([
    { command: "balsa restore backup.snap --id A --peers B,C", description: "The first of three; then B and C" },
    {
      command: "balsa restore backup.snap --id A --peers B=10.0.0.2:7500,C=10.0.0.3:7500 --data-dir /var/lib/balsa/A"
    }
  ])
)

const inSnakeCase = ([name, value]: Facts.Fact): Facts.Fact => [name.replaceAll(" ", "_"), value]

/** With the flags as they were given; what came from the environment will come from there again. */
const startLine = (input: {
  readonly id: Option.Option<string>
  readonly peers: Option.Option<string>
  readonly cluster: Option.Option<string>
  readonly dataDir: Option.Option<string>
}): string => {
  const flags = { "--id": input.id, "--peers": input.peers, "--cluster": input.cluster, "--data-dir": input.dataDir }
  const words = Object.entries(flags).flatMap(([name, value]) =>
    Option.isSome(value) ? [name, quote(value.value)] : []
  )
  return ["balsa", "serve", ...words].join(" ")
}

const nextSteps = (peers: ReadonlyArray<string>, start: string): string =>
  [
    peers.length === 0
      ? "Next, start it:"
      : `Next, before any replica is started: the same restore, with the same file and options, for ${peers.join(" and for ")}. Then start all of them, this one as:`,
    `  ${start}`
  ].join("\n")
