/** `balsa recover`: what to do when a majority of the voters is gone for good and nothing else is left. */
import { Effect, type Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Forcing from "../maintenance/Forcing.ts"
import * as LockHolder from "../maintenance/LockHolder.ts"
import type { SnapshotFileError } from "../maintenance/SnapshotFile.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { quote } from "./DevPlan.ts"
import * as Facts from "./Facts.ts"
import { Host } from "./Host.ts"
import { failure, ofSnapshotFile, ofStorage } from "./MaintenanceFailure.ts"
import * as Setting from "./Setting.ts"
import { directoryFlags, directoryOf } from "./StorageOptions.ts"

export const recoverCommand = Command.make(
  "recover",
  {
    forceNewCluster: Flag.Boolean("force-new-cluster").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Do it; without this flag, only say what would be done"),
      Flag.withDefault(false)
    ),
    ...directoryFlags,
    output: ClientOptions.clientFlags.output
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const output = yield* Effect.fromResult(ClientOptions.parseOutput("recover", input.output, host.environment))
    const directory = yield* Effect.fromResult(directoryOf("recover", input, host.environment))
    const holder = yield* LockHolder.find(directory)
    if (holder !== undefined) {
      return yield* failure("BALSA_IN_USE", `process ${holder.pid} is using ${directory}. Stop that replica first`)
    }
    const remains = yield* Forcing.look(directory).pipe(Effect.mapError(ofEither))
    const { identity, members, voters, term, lastIndex, admitted } = remains
    const named = Setting.from("id", input.id, host.environment, "BALSA_ID")?.value
    if (named !== undefined && named !== identity.replica) {
      return yield* failure(
        "BALSA_WRONG_REPLICA",
        `${directory} belongs to replica ${identity.replica}, not to ${named}. Nothing was changed`
      )
    }
    const others = members.filter((id) => id !== identity.replica)
    const isJson = output === "json" || output === "jsonl"
    const name = (text: string): string => (isJson ? text.replaceAll(" ", "_") : text)
    const facts: ReadonlyArray<Facts.Fact> = [
      ["directory", directory],
      ["replica", identity.replica],
      ["cluster", identity.cluster],
      ["voters", voters],
      ["members", members],
      ["term", term],
      [name("last index"), lastIndex],
      ["admitted", admitted],
      [name("given up"), others]
    ]
    const format = output ?? (host.terminal ? "table" : "plain")
    if (!input.forceNewCluster) {
      yield* host.out(Facts.render([...facts, ["done", false]], format))
      return yield* host.err(dryRun(identity.replica, others, admitted))
    }
    const { recovery, index, term: next } = yield* Forcing.force(directory, remains).pipe(Effect.mapError(ofStorage))
    yield* host.out(
      Facts.render(
        [...facts, ["done", true], [name("new term"), next], [name("new last index"), index], ["recovery", recovery]],
        format
      )
    )
    yield* host.err(nextSteps(identity.replica, others, startLine(input, identity.cluster, identity.replica)))
  })
).pipe(
  Command.withDescription(
    "When a majority of the voters is gone for good: have one stopped replica go on alone, with all that its log holds, as a new cluster that the others are not let into. Writes that only the others held are lost, even if they were acknowledged; choose the replica whose last index and term are the highest. Without --force-new-cluster nothing is changed. Never do this while a majority may come back: restart those instead."
  ),
  Command.withShortDescription("Go on from one replica when a majority is lost for good"),
  Command.withExamples([
    { command: "balsa recover --id A", description: "What is there, and what would be given up" },
    { command: "balsa recover --id A --force-new-cluster" }
  ])
)

const ofEither = (error: Parameters<typeof ofStorage>[0] | SnapshotFileError) =>
  "kind" in error ? ofSnapshotFile(error) : ofStorage(error)

const names = (ids: ReadonlyArray<string>): string => (ids.length === 0 ? "nobody" : ids.join(", "))

const dryRun = (replica: string, others: ReadonlyArray<string>, admitted: boolean): string =>
  [
    `Nothing was changed. With --force-new-cluster, ${replica} goes on alone, and gives up ${names(others)}: what only they hold is lost, ` +
      "even if it was acknowledged. Do the same look at each replica that is left, and go on from the one with the highest term of its last " +
      "entry, and of those the highest last index. If a majority may come back, restart that instead.",
    ...(admitted
      ? []
      : [`warning: ${replica} had not caught up when it stopped, and may lack what was committed long ago.`])
  ].join("\n")

const startLine = (input: { readonly dataDir: Option.Option<string> }, cluster: string, replica: string): string => {
  const named = input.dataDir._tag === "Some" ? ` --data-dir ${quote(input.dataDir.value)}` : ""
  return `balsa serve --id ${replica}${cluster === "balsa" ? "" : ` --cluster ${cluster}`}${named}`
}

const nextSteps = (replica: string, others: ReadonlyArray<string>, start: string): string =>
  [
    `${replica} goes on alone. Start it, with the --listen-client and --listen-peer that it had:`,
    `  ${start}`,
    `Directories of ${names(others)} are of the old cluster and are refused from now on: move them away. Then add replicas, each with an ` +
      "empty data directory:",
    "  balsa serve --id ID --join HOST:PORT"
  ].join("\n")
