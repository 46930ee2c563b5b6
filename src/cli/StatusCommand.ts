/** `balsa status`: what every endpoint says of itself, and why the silent ones are silent. */
import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import { show } from "../client/Endpoint.ts"
import * as Status from "../client/Status.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"
import { Host } from "./Host.ts"
import * as Table from "./Table.ts"

export const statusCommand = Command.make(
  "status",
  ClientOptions.clientFlags,
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* Effect.fromResult(ClientOptions.parse("status", input, host.environment))
    const statuses = yield* Status.statusOf(options)
    yield* host.out(render(statuses, options.output ?? (host.terminal ? "table" : "plain")))
    const problem = diagnose(statuses)
    if (problem !== undefined) return yield* problem
  })
).pipe(
  Command.withDescription(
    "Ask every endpoint who it is, which leader it follows and how far it is. Exits with 4 when none answers, or none knows a leader."
  ),
  Command.withShortDescription("Show every replica's role, term, leader and lag"),
  Command.withExamples([
    { command: "balsa status" },
    { command: "balsa status -e 10.0.0.1:7401,10.0.0.2:7401 -o json", description: "For scripts" }
  ])
)

const render = (statuses: ReadonlyArray<Status.EndpointStatus>, format: ClientOptions.OutputFormat): string => {
  switch (format) {
    case "json":
      return `${JSON.stringify(statuses.map(toJson))}\n`
    case "jsonl":
      return statuses.map((status) => `${JSON.stringify(toJson(status))}\n`).join("")
    case "plain":
      return statuses.map((status) => `${toCells(status).join("\t")}\n`).join("")
    case "table":
      return Table.render(
        ["ID", "ENDPOINT", "ROLE", "TERM", "LEADER", "REVISION", "LAG", "NOTE"],
        statuses.map(toCells)
      )
  }
}

const toJson = (status: Status.EndpointStatus) =>
  status._tag === "Unreachable"
    ? { endpoint: show(status.endpoint), reachable: false, id: status.id ?? null, reason: status.reason }
    : {
        endpoint: show(status.endpoint),
        reachable: true,
        id: status.id,
        role: status.role,
        term: status.term,
        leader: status.leader ?? null,
        revision: status.revision,
        commit_index: status.commitIndex,
        last_applied: status.lastApplied,
        lag: status.lag,
        problems: status.problems,
        snapshot: status.snapshot ?? null,
        log: status.log === undefined ? null : { first_index: status.log.firstIndex, bytes: status.log.bytes }
      }

const toCells = (status: Status.EndpointStatus): ReadonlyArray<string> =>
  status._tag === "Unreachable"
    ? [status.id ?? "?", show(status.endpoint), "-", "-", "-", "-", "-", `unreachable: ${status.reason}`]
    : [
        status.id,
        show(status.endpoint),
        status.role,
        String(status.term),
        status.leader ?? "none",
        String(status.revision),
        String(status.lag),
        noteOn(status)
      ]

const noteOn = ({ leader, problems }: Extract<Status.EndpointStatus, { _tag: "Reachable" }>): string => {
  const all = [...(leader === undefined ? ["knows no leader"] : []), ...problems]
  return all.length === 0 ? "ok" : all.join("; ")
}

const diagnose = (statuses: ReadonlyArray<Status.EndpointStatus>): Failure | undefined => {
  const reachable = statuses.filter((status) => status._tag === "Reachable")
  const unavailable = (code: string, message: string) => new Failure({ code, message, exitCode: ExitCode.unavailable })
  if (reachable.length === 0) {
    return unavailable(
      "BALSA_UNREACHABLE",
      `none of ${statuses.length} endpoints answers. Start a cluster (balsa dev), or name the right addresses with --endpoints`
    )
  }
  return reachable.every((status) => status.leader === undefined)
    ? unavailable(
        "BALSA_NO_QUORUM",
        `${reachable.length} of ${statuses.length} endpoints answer, and none knows a leader: a majority of the cluster is needed`
      )
    : undefined
}
