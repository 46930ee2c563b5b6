/** `balsa compact`: forgetting what was overwritten or deleted. */
import { Effect, Option } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Kv from "../client/Kv.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"
import { Host } from "./Host.ts"
import * as KeyArguments from "./KeyArguments.ts"
import { UsageError } from "./UsageError.ts"

export const compactCommand = Command.make(
  "compact",
  {
    revision: Argument.Int("REVISION").pipe(
      Argument.withDescription("The oldest revision that stays readable"),
      Argument.optional
    ),
    keep: Flag.Int("keep").pipe(
      Flag.withMetavar("COUNT"),
      Flag.withDescription("Instead of REVISION: keep so many revisions before the latest"),
      Flag.optional
    ),
    physical: KeyArguments.flag(
      "physical",
      "On etcd, wait until the space is free too. On Balsa there is nothing to wait for"
    ),
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* ClientOptions.resolve("compact", input)
    const kv = Kv.make(options)
    const keep = Option.getOrUndefined(input.keep)
    const revision = yield* revisionOf(kv, Option.getOrUndefined(input.revision), keep)
    const compacted = revision !== undefined && (yield* compact(kv, revision, input.physical, keep !== undefined))
    if (ClientOptions.isJson(options)) {
      return yield* host.out(`${JSON.stringify({ compacted: compacted ? revision : null })}\n`)
    }
    yield* host.out(
      compacted ? `compacted revision ${revision}\n` : "there are no more than that; nothing to compact\n"
    )
  })
).pipe(
  Command.withDescription(
    "Forget what was overwritten or deleted before REVISION. The latest value of every key stays, and REVISION itself and all later ones can still be read and watched. Balsa does this by itself as well."
  ),
  Command.withShortDescription("Forget old revisions"),
  Command.withExamples([
    { command: "balsa compact 4200" },
    { command: "balsa compact --keep 1000", description: "All but the latest thousand revisions" }
  ])
)

/** `false` if it was done before and that is as good. */
const compact = (kv: Kv.KvService, revision: number, physical: boolean, mayBeDone: boolean) =>
  kv.compact(revision, { physical }).pipe(
    Effect.as(true),
    Effect.catchTag("Compacted", () =>
      mayBeDone ? Effect.succeed(false) : failure("BALSA_COMPACTED", `revision ${revision} is compacted already`)
    ),
    Effect.catchTag("FutureRevision", () =>
      failure("BALSA_FUTURE_REVISION", `the store has not come to revision ${revision} yet`)
    )
  )

const failure = (code: string, what: string): Effect.Effect<never, Failure> =>
  Effect.fail(
    new Failure({
      code,
      message: `${what}, and nothing was done. See which is the latest with: balsa status`,
      exitCode: ExitCode.failure
    })
  )

/** `undefined` when there is nothing to forget. */
const revisionOf = Effect.fnUntraced(function* (
  kv: Kv.KvService,
  revision: number | undefined,
  keep: number | undefined
): Effect.fn.Return<number | undefined, UsageError | Kv.RangeError> {
  const usage = (message: string) => new UsageError({ command: "compact", message })
  if (revision !== undefined && keep !== undefined)
    return yield* usage("REVISION and --keep exclude each other; choose one")
  if (revision !== undefined) {
    return revision >= 1 ? revision : yield* usage(`REVISION: ${revision} is none; the first is 1`)
  }
  if (keep === undefined) return yield* usage("which revision? Write it, or --keep COUNT")
  if (keep < 0) return yield* usage(`--keep: ${keep} is negative`)
  const latest = yield* kv.range("\0", { countOnly: true })
  return latest.revision - keep >= 1 ? latest.revision - keep : undefined
})
