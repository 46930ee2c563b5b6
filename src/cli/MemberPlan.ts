/** `balsa member plan`: what a change would do to the fault tolerance, without doing it. */
import { Effect } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Members from "../client/Members.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"
import { Host } from "./Host.ts"
import * as MemberChanges from "./MemberChanges.ts"
import * as Table from "./Table.ts"
import { UsageError } from "./UsageError.ts"

export const planCommand = Command.make(
  "plan",
  {
    changes: Argument.String("CHANGE").pipe(
      Argument.withDescription("add, promote, demote or remove, each followed by a name; several are one step"),
      Argument.variadic()
    ),
    force: Flag.Boolean("force").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Exit with 0 even if it would be refused without --force"),
      Flag.withDefault(false)
    ),
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* Effect.fromResult(ClientOptions.parse("member plan", input, host.environment))
    const changes = yield* Effect.fromResult(MemberChanges.parse("member plan", input.changes))
    if (changes.length === 0) {
      return yield* new UsageError({
        command: "member plan",
        message: "which change? For example: balsa member plan remove C"
      })
    }
    const plan = yield* Members.plan(options, changes)
    const format = options.output ?? (host.terminal ? "table" : "plain")
    yield* host.out(render(plan, format))
    const { refusal } = plan
    if (refusal === undefined || (refusal.forcible && input.force)) return
    return yield* new Failure({
      code: "BALSA_WOULD_BE_REFUSED",
      message: refusal.message,
      exitCode: ExitCode.failure
    })
  })
).pipe(
  Command.withDescription(
    "Show voters, quorum and how many may fail, before and after a change, and who is in reach just now. Exits with 1 if the change would be refused. Nothing is done."
  ),
  Command.withShortDescription("Show what a change would come to"),
  Command.withExamples([
    { command: "balsa member plan add D=10.0.0.4:7500" },
    { command: "balsa member plan remove C add D=10.0.0.4:7500", description: "Both in one step" }
  ])
)

const render = (plan: Members.Plan, format: ClientOptions.OutputFormat): string => {
  const { before, after, refusal } = plan
  const added = after.learners.filter((id) => !before.learners.includes(id) && !before.voters.includes(id))
  const rows: ReadonlyArray<readonly [string, string, string]> = [
    ["voters", names(before.voters), names(after.voters)],
    ["learners", names(before.learners), names(after.learners)],
    ["quorum", quorum(before), quorum(after)],
    ["may fail", String(before.tolerates), String(after.tolerates)],
    ["in reach", names(before.inReach), names(after.inReach)]
  ]
  switch (format) {
    case "json":
    case "jsonl":
      return `${JSON.stringify({
        before: toJson(before),
        after: toJson(after),
        refused: refusal !== undefined,
        reason: refusal?.message ?? null,
        forcible: refusal?.forcible ?? null
      })}\n`
    case "plain":
      return rows.map((row) => `${row.join("\t")}\n`).join("")
    case "table":
      return Table.render(["", "NOW", "THEN"], rows) + notes(after, added)
  }
}

const notes = (after: Members.Strength, added: ReadonlyArray<string>): string => {
  const lines: Array<string> = []
  if (added.length > 0) lines.push(once(after, added))
  if (after.voters.length % 2 === 0) {
    lines.push("An even number of voters stands no more failures than one voter less would.")
  }
  if (after.inReach.length === after.quorum && after.tolerates > 0) {
    lines.push("Of the voters then only just a majority is in reach: another failure would stop the cluster.")
  }
  return lines.map((line) => `${line}\n`).join("")
}

/** Learners come first; voters they are once they have caught up. */
const once = ({ voters }: Members.Strength, added: ReadonlyArray<string>): string => {
  const count = voters.length + added.length
  const majority = Math.floor(count / 2) + 1
  return `Once ${names(added)} has caught up and votes: quorum ${majority} of ${count}, ${count - majority} may fail.`
}

const quorum = ({ quorum, voters }: Members.Strength): string => `${quorum} of ${voters.length}`

const names = (ids: ReadonlyArray<string>): string => (ids.length === 0 ? "-" : ids.join(", "))

const toJson = ({ voters, learners, quorum, tolerates, inReach }: Members.Strength) => ({
  voters,
  learners,
  quorum,
  may_fail: tolerates,
  in_reach: inReach
})
