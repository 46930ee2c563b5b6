/** `balsa storage inspect`: what is in a data directory. Changes nothing, also while a replica runs on it. */
import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import { basename } from "node:path"
import * as DataDirectory from "../maintenance/DataDirectory.ts"
import * as LockHolder from "../maintenance/LockHolder.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { Host } from "./Host.ts"
import { ofStorage } from "./MaintenanceFailure.ts"
import { directoryFlags, directoryOf } from "./StorageOptions.ts"
import * as Table from "./Table.ts"

export const inspectCommand = Command.make(
  "inspect",
  { ...directoryFlags, output: ClientOptions.clientFlags.output },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const command = "storage inspect"
    const directory = yield* Effect.fromResult(directoryOf(command, input, host.environment))
    const output = yield* Effect.fromResult(ClientOptions.parseOutput(command, input.output, host.environment))
    const found = yield* look(directory)
    yield* host.out(render(found, output ?? (host.terminal ? "table" : "plain")))
  })
).pipe(
  Command.withDescription(
    "Print what is in a data directory: whose it is, who uses it, term and vote, the log's segments, the snapshots, and what is damaged. Changes nothing; of a running replica it shows one moment. It reads the log, and of the snapshots only the names: see balsa storage verify."
  ),
  Command.withShortDescription("Print what is in a data directory"),
  Command.withExamples([{ command: "balsa storage inspect --data-dir ./balsa-data/A" }])
)

export interface Found {
  readonly directory: string
  readonly holder: LockHolder.LockHolder | undefined
  readonly inspection: DataDirectory.Inspection
}

export const look = Effect.fnUntraced(function* (directory: string) {
  const inspection = yield* DataDirectory.inspect(directory).pipe(Effect.mapError(ofStorage))
  const found: Found = { directory, holder: yield* LockHolder.find(directory), inspection }
  return found
})

const render = (found: Found, format: ClientOptions.OutputFormat): string => {
  switch (format) {
    case "json":
    case "jsonl":
      return `${JSON.stringify(toJson(found))}\n`
    case "plain":
      return rowsOf(found)
        .map((row) => `${row.join("\t")}\n`)
        .join("")
    case "table":
      return (
        [
          Table.render(["FIELD", "VALUE"], factsOf(found)),
          Table.render(["SEGMENT", "FORMAT", "BYTES", "RECORDS", "ENTRIES", "STATE"], segmentsOf(found)),
          Table.render(["SNAPSHOT", "INDEX", "TERM", "BYTES"], snapshotsOf(found)),
          Table.render(["DAMAGED FILE", "OFFSET", "WHAT"], problemsOf(found))
        ]
          // A header alone says nothing.
          .filter((table) => table.split("\n").length > 2)
          .join("\n")
      )
  }
}

/** Each begins with what it is about, so that a script can pick. */
const rowsOf = (found: Found): ReadonlyArray<ReadonlyArray<string>> => [
  ...factsOf(found),
  ...segmentsOf(found).map((row) => ["segment", ...row]),
  ...snapshotsOf(found).map((row) => ["snapshot", ...row]),
  ...problemsOf(found).map((row) => ["damage", ...row])
]

const factsOf = ({ directory, holder, inspection }: Found): ReadonlyArray<ReadonlyArray<string>> => {
  const { identity, hardState, admitted, base, lastIndex, lastTerm, interruptedBytes, problems } = inspection
  const entries =
    lastIndex > base.index
      ? `${base.index + 1} to ${lastIndex}${lastTerm === undefined ? "" : ` of term ${lastTerm}`}`
      : "none"
  return [
    ["directory", directory],
    ["replica", identity?.replica ?? "unknown"],
    ["cluster", identity?.cluster ?? "unknown"],
    ["voters", identity?.voters.join(", ") ?? "unknown"],
    ["incarnation", String(identity?.incarnation ?? "unknown")],
    ["in use", holder === undefined ? "no" : `by process ${holder.pid}; this is a moment's picture`],
    ["term", String(hardState.currentTerm)],
    ["voted for", hardState.votedFor ?? "nobody"],
    ["admitted", admitted ? "yes" : "no, it does not vote before it has caught up"],
    ["entries", entries],
    ["before them", base.index === 0 ? "nothing" : `index ${base.index} of term ${base.term}`],
    ...(interruptedBytes > 0
      ? [["interrupted", `${interruptedBytes} bytes at the log's end, which the next start cuts off`]]
      : []),
    ["damage", problems.length === 0 ? "none" : String(problems.length)]
  ]
}

const segmentsOf = ({ inspection }: Found): ReadonlyArray<ReadonlyArray<string>> =>
  inspection.segments.map(({ file, bytes, format, sequences, indexes, problem }) => [
    basename(file),
    String(format ?? "?"),
    String(bytes),
    sequences === undefined ? "?" : range(sequences.first, sequences.last),
    indexes === undefined ? "none" : range(indexes.lowest, indexes.highest),
    problem === undefined ? "ok" : "damaged"
  ])

const range = (first: number, last: number): string => (last < first ? "none" : `${first} to ${last}`)

const snapshotsOf = ({ inspection }: Found): ReadonlyArray<ReadonlyArray<string>> =>
  inspection.snapshots.map(({ file, snapshot: { last, bytes } }) => [
    basename(file),
    String(last.index),
    String(last.term),
    String(bytes)
  ])

const problemsOf = ({ inspection }: Found): ReadonlyArray<ReadonlyArray<string>> =>
  inspection.problems.map(({ file, offset, found }) => [basename(file), String(offset), found])

const toJson = ({ directory, holder, inspection }: Found) => {
  const { identity, hardState, admitted, base, lastIndex, lastTerm, interruptedBytes } = inspection
  return {
    directory,
    replica: identity?.replica ?? null,
    cluster: identity?.cluster ?? null,
    voters: identity?.voters ?? null,
    incarnation: identity?.incarnation ?? null,
    in_use_by: holder?.pid ?? null,
    term: hardState.currentTerm,
    voted_for: hardState.votedFor ?? null,
    admitted,
    base,
    last: { index: lastIndex, term: lastTerm ?? null },
    interrupted_bytes: interruptedBytes,
    segments: inspection.segments.map(({ file, number, format, bytes, sequences, indexes, problem }) => ({
      file,
      number: number ?? null,
      format: format ?? null,
      bytes,
      records: sequences ?? null,
      entries: indexes ?? null,
      damaged: problem !== undefined
    })),
    snapshots: inspection.snapshots.map(({ file, snapshot }) => ({ file, ...snapshot.last, bytes: snapshot.bytes })),
    problems: inspection.problems
  }
}
