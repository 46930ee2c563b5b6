/**
 * `balsa storage repair --from-peers`: a stopped replica whose log is damaged begins anew, and is sent
 * everything by the others. Most of this is about when not to.
 */
import { Effect, type Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { join } from "node:path"
import * as Members from "../client/Members.ts"
import * as Status from "../client/Status.ts"
import * as DataDirectory from "../maintenance/DataDirectory.ts"
import type { Identity, Inspection } from "../maintenance/DataDirectory.ts"
import { clusterIdOf } from "../server/Ids.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { quote } from "./DevPlan.ts"
import { ExitCode } from "./ExitCode.ts"
import * as Facts from "./Facts.ts"
import { Failure } from "./Failure.ts"
import { type Environment, Host } from "./Host.ts"
import { failure, ofStorage } from "./MaintenanceFailure.ts"
import * as RepairCheck from "./RepairCheck.ts"
import { serveFlags } from "./ServeCommand.ts"
import * as Setting from "./Setting.ts"
import { look } from "./StorageInspect.ts"
import { directoryFlags, directoryOf } from "./StorageOptions.ts"
import { UsageError } from "./UsageError.ts"

const command = "storage repair"

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))

export const repairCommand = Command.make(
  "repair",
  {
    fromPeers: flag("from-peers", "Have everything sent by the other replicas; there is no other way"),
    ...directoryFlags,
    peers: serveFlags.peers.pipe(
      Flag.withDescription("The other replicas, if they are to be compared with those in the directory (BALSA_PEERS)")
    ),
    cluster: serveFlags.cluster.pipe(
      Flag.withDescription("Name of the cluster, if it is to be compared with that in the directory (BALSA_CLUSTER)")
    ),
    diverged: flag(
      "diverged",
      "Also where no file is damaged, because the replica said that it differs from the others"
    ),
    force: flag(
      "force",
      "Also where no file is damaged, or the other replicas are not all there and well; writes that only this replica still has are lost then"
    ),
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* Effect.fromResult(ClientOptions.parse(command, input, host.environment))
    const directory = yield* Effect.fromResult(directoryOf(command, input, host.environment))
    if (!input.fromPeers) return yield* new UsageError({ command, message: onlyWay })

    const { holder, inspection } = yield* look(directory)
    if (holder !== undefined) {
      return yield* failure("BALSA_IN_USE", `process ${holder.pid} is using ${directory}. Stop that replica first`)
    }
    const identity = yield* identityIn(directory, inspection)
    yield* checkOwner(directory, identity, input, host.environment)
    const voters = yield* votersOf(options, identity)
    if (voters.length === 1 && voters[0] === identity.replica)
      return yield* failure("BALSA_SOLE_VOTER", soleVoter(identity.replica))
    if (voters.length === 2 && voters.includes(identity.replica))
      return yield* failure("BALSA_TWO_VOTERS", twoVoters(identity.replica))
    if (inspection.problems.length === 0 && !input.diverged && !input.force) {
      return yield* failure("BALSA_UNDAMAGED", undamaged(directory))
    }
    const objection = RepairCheck.objection(yield* Status.statusOf(options), {
      id: identity.replica,
      voters,
      clusterId: clusterIdOf(identity.cluster),
      committed: committedIn(inspection)
    })
    if (objection !== undefined && !input.force) {
      return yield* new Failure({
        code: "BALSA_PEERS_NOT_READY",
        message: `${objection}. Nothing was changed. Repair them first, or name their addresses for clients with --endpoints; ${whatForceCosts}`,
        exitCode: ExitCode.unavailable
      })
    }
    if (objection !== undefined) yield* host.err(`warning: ${objection}. Forced: ${whatIsLost}`)

    const done = yield* DataDirectory.reset(directory, reasonOf(inspection)).pipe(Effect.mapError(ofStorage))
    const output = options.output ?? (host.terminal ? "table" : "plain")
    yield* host.out(
      Facts.render(
        [
          ["directory", directory],
          ["replica", identity.replica],
          [output.startsWith("json") ? "set_aside" : "set aside", done.folder],
          ["term", done.hardState.currentTerm]
        ],
        output
      )
    )
    yield* host.err(nextSteps(identity.replica, done.folder))
  })
).pipe(
  Command.withDescription(
    "For a stopped replica that does not start because its log is damaged, in a cluster of several. Asks the others first whether all of them are there and follow one leader. Then it sets the log and the snapshots aside, in a folder of the data directory, and keeps the term and the vote. Started again, the replica follows without voting until the others have sent it everything. Never do this to so many replicas that no majority is left."
  ),
  Command.withShortDescription("Have a damaged replica sent everything by its peers"),
  Command.withExamples([
    { command: "balsa storage repair --from-peers --data-dir ./balsa-data/A", description: "Trial cluster" },
    {
      command: "balsa storage repair --from-peers --data-dir /var/lib/balsa/A -e 10.0.0.2:7400,10.0.0.3:7400",
      description: "With the addresses of the others for clients"
    }
  ])
)

const onlyWay =
  "add --from-peers: what is damaged is set aside, and the other replicas send everything. There is no other way to repair a log without losing writes; a cluster of one voter is restored from a backup (balsa restore)"

const whatIsLost =
  "a write that was acknowledged by a majority of which only this replica still has it is lost, and nobody notices"

const whatForceCosts = `with --force it is done all the same, and ${whatIsLost}`

const twoVoters = (id: string): string =>
  `${id} is one of two voters: the other cannot lead without its vote, and it would have none until the other had led. ` +
  "Save what the other one has, as far as it still serves (balsa snapshot save, or balsa get --consistency stale), and restore a backup into a new cluster"

const soleVoter = (id: string): string =>
  `${id} is the only voter of its cluster, so nobody else has its data. Restore a backup into a new directory: balsa restore`

const undamaged = (directory: string): string =>
  `nothing in ${directory} is damaged that would keep the replica from starting, so nothing was changed. If the replica said that it differs from the others, add --diverged. For the snapshots see: balsa storage verify --data-dir ${quote(directory)}`

/** As the cluster has them now; those with whom it began where nobody tells. */
const votersOf = (cluster: ClientOptions.ClientOptions, identity: Identity): Effect.Effect<ReadonlyArray<string>> =>
  Members.membersOf(cluster).pipe(
    Effect.map(({ cluster, members }) =>
      cluster === identity.cluster ? members.filter(({ role }) => role !== "learner").map(({ id }) => id) : []
    ),
    Effect.orElseSucceed((): ReadonlyArray<string> => []),
    Effect.map((now) => (now.length === 0 ? identity.voters : now))
  )

const identityIn = (directory: string, { identity, problems }: Inspection): Effect.Effect<Identity, Failure> => {
  if (identity !== undefined) return Effect.succeed(identity)
  const about = problems.find(({ file }) => file === join(directory, "identity"))
  const why = about === undefined ? "there is no file identity in it" : about.found
  return Effect.fail(
    failure(
      "BALSA_DAMAGED",
      `whose directory ${directory} is cannot be read (${why}). If a replica's data is in it, and the others of its cluster are a healthy majority, move the whole directory away and start the replica with an empty one`
    )
  )
}

/** Options of `balsa serve` that are given must say what the directory says. */
const checkOwner = Effect.fnUntraced(function* (
  directory: string,
  { cluster, replica, voters }: Identity,
  flags: {
    readonly id: Option.Option<string>
    readonly peers: Option.Option<string>
    readonly cluster: Option.Option<string>
  },
  environment: Environment
): Effect.fn.Return<void, Failure> {
  const setting = (name: "id" | "peers" | "cluster") =>
    Setting.from(name, flags[name], environment, `BALSA_${name.toUpperCase()}`)
  const differs = (given: Setting.Setting, found: string) =>
    failure("BALSA_WRONG_DIRECTORY", `${given.source} says ${given.value}, and ${directory} belongs to ${found}`)
  const id = setting("id")
  if (id !== undefined && id.value !== replica) return yield* differs(id, `replica ${replica}`)
  const name = setting("cluster")
  if (name !== undefined && name.value !== cluster) return yield* differs(name, `cluster ${cluster}`)
  const peers = setting("peers")
  if (peers === undefined) return
  const others = Setting.list(peers).map((item) => item.replace(/=.*/, ""))
  if ([replica, ...others].toSorted().join() !== voters.join()) {
    return yield* differs(peers, `a cluster of ${voters.join(", ")}`)
  }
})

/** A snapshot and the log's base stand for nothing but what was committed. */
const committedIn = ({ base, snapshots }: Inspection): number =>
  Math.max(base.index, ...snapshots.map(({ snapshot }) => snapshot.last.index))

const reasonOf = ({ problems }: Inspection): string => {
  const [first] = problems
  return first === undefined
    ? "asked for, with no damage in sight"
    : `${first.file} is damaged at offset ${first.offset}: ${first.found}`
}

const nextSteps = (id: string, folder: string): string =>
  [
    `Start ${id} as before. It follows without voting until its peers have sent it everything; balsa status shows that.`,
    `Then ${folder} can be removed.`
  ].join("\n")
