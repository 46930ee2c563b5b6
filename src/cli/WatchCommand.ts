/** `balsa watch`: what changes, a line for each event, over any number of connections; or a program that is run for each. */
import { Effect, Option, Stream } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { show } from "../client/Endpoint.ts"
import type { WatchNotice } from "../client/WatchConnection.ts"
import type { WatchEvent } from "../client/WatchResponse.ts"
import * as Watch from "../client/Watch.ts"
import * as ChildProgram from "./ChildProgram.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"
import { Host } from "./Host.ts"
import * as KeyArguments from "./KeyArguments.ts"
import { ProgramEnd } from "./ProgramEnd.ts"
import { UsageError } from "./UsageError.ts"
import * as WatchOutput from "./WatchOutput.ts"

const { flag } = KeyArguments

export const watchCommand = Command.make(
  "watch",
  {
    key: KeyArguments.keyArgument,
    program: Argument.String("CMD").pipe(
      Argument.withDescription("With --exec: the program, and its arguments"),
      Argument.variadic()
    ),
    ...KeyArguments.rangeFlags,
    rev: KeyArguments.revisionFlag(
      "rev",
      "Begin with this revision, and so with what happened before; now if left out"
    ),
    prevKv: flag("prev-kv", "Also print what was there before"),
    filter: Flag.Literals("filter", ["noput", "nodelete"]).pipe(
      Flag.withDescription("Leave out puts, or deletes"),
      Flag.optional
    ),
    progressNotify: flag("progress-notify", "Also print how far the watch is when nothing happens for a while"),
    exec: flag("exec", "Run CMD for each event, one after the other; write it behind --"),
    base64: KeyArguments.base64,
    ...ClientOptions.clientFlags,
    timeout: ClientOptions.clientFlags.timeout.pipe(
      Flag.withDescription(
        `How long to wait for the watch to begin; ${ClientOptions.defaultTimeout} (BALSA_TIMEOUT). After that it reconnects for as long as it takes`
      )
    )
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const cluster = yield* ClientOptions.resolve("watch", input)
    const { keys } = yield* KeyArguments.resolveKeys("watch", input.key, input)
    const program = yield* programOf(input)
    const format = cluster.output ?? (host.terminal ? "table" : "plain")
    const style = { base64: input.base64, base64Keys: input.base64Keys, format, previous: input.prevKv }
    const take = (event: WatchEvent) =>
      program === undefined ? host.out(WatchOutput.renderEvent(event, style)) : execute(program, event)
    if (format === "table" && program === undefined) yield* host.out(WatchOutput.header)
    const filter = Option.getOrUndefined(input.filter)
    const watching = Watch.make(cluster)
      .batches(keys, {
        startRevision: Option.getOrUndefined(input.rev),
        previous: input.prevKv,
        only: filter === undefined ? undefined : filter === "noput" ? "deletes" : "puts",
        progress: input.progressNotify,
        notice: (notice) => host.err(describe(notice))
      })
      .pipe(
        Stream.runForEach((batch) => {
          switch (batch._tag) {
            case "Started":
              return Effect.void
            case "Events":
              return Effect.forEach(batch.events, take, { discard: true })
            case "Progress":
              return input.progressNotify && program === undefined
                ? host.out(WatchOutput.renderProgress(batch.revision, format))
                : Effect.void
          }
        }),
        Effect.catchTag("Compacted", ({ endpoint, reason, compactRevision }) =>
          Effect.fail(
            new Failure({
              code: "BALSA_COMPACTED",
              message: `${show(endpoint)} no longer has the revisions that were asked for (${reason}), so events are missing. ${whatToDo(compactRevision)}`,
              exitCode: ExitCode.failure
            })
          )
        )
      )
    // Without a reader there is nobody to watch for: `balsa watch k | head -1`.
    yield* Effect.raceFirst(watching, host.readerGone)
  })
).pipe(
  Command.withDescription(
    [
      "Print every change of a key, or of a range of them, as it happens: each revision once and in order. When a connection or a leader goes, it goes on elsewhere where it was, and says so on standard error. It runs until it is interrupted (exit code 130), nobody reads it any more (0), or what it should go on with is compacted (1).",
      "With --exec, CMD is run for each event, with BALSA_WATCH_TYPE (PUT or DELETE), BALSA_WATCH_KEY, BALSA_WATCH_VALUE and BALSA_WATCH_REVISION in its environment, and the value on its standard input. Keys and values that are no text are in BALSA_WATCH_KEY_BASE64 and BALSA_WATCH_VALUE_BASE64; what is longer than 100 kB comes on standard input only. If CMD fails, the watch ends with its exit code."
    ].join("\n\n")
  ),
  Command.withShortDescription("Print changes as they happen, or run a program for each"),
  Command.withExamples([
    { command: "balsa watch config/ --prefix" },
    { command: "balsa watch config/ --prefix -o json", description: "One JSON object on a line for each event" },
    {
      command: "balsa watch hello --rev 1",
      description: "All that happened to it, as far as it is kept, and then goes on"
    },
    {
      command: `balsa watch config/ --prefix --exec -- sh -c 'echo "$BALSA_WATCH_KEY changed"'`,
      description: "A program for each event"
    }
  ])
)

type Argv = ChildProgram.ChildProgram["argv"]

const programOf = Effect.fnUntraced(function* ({
  exec,
  program
}: {
  readonly exec: boolean
  readonly program: ReadonlyArray<string>
}): Effect.fn.Return<Argv | undefined, UsageError> {
  const [command, ...rest] = program
  if (!exec && command === undefined) return undefined
  if (exec && command !== undefined) return [command, ...rest]
  const message = exec
    ? "--exec: which program? Write it behind --, such as: balsa watch KEY --exec -- echo"
    : `too many arguments: "${command}"; to run a program for each event, add --exec`
  return yield* new UsageError({ command: "watch", message })
})

const execute = Effect.fnUntraced(function* (argv: Argv, event: WatchEvent): Effect.fn.Return<void, ProgramEnd> {
  const exitCode = yield* ChildProgram.run({
    argv,
    environment: WatchOutput.environmentOf(event),
    input: event._tag === "Put" ? event.kv.value : new Uint8Array(0)
  })
  if (exitCode === 0) return
  const message = `balsa: ${argv[0]} ended with ${exitCode} at revision ${event.kv.modRevision}; the watch ends with it`
  return yield* new ProgramEnd({ exitCode, message })
})

const describe = (notice: WatchNotice): string => {
  switch (notice._tag) {
    case "Broken":
      return `balsa: ${show(notice.endpoint)} ${notice.reason}; reconnecting, nothing is missed`
    case "Resumed":
      return `balsa: ${show(notice.endpoint)} goes on with revision ${notice.nextRevision}`
  }
}

const whatToDo = (compactRevision: number | undefined): string =>
  compactRevision === undefined
    ? "Read what is there with balsa get, and watch from its revision on"
    : `The oldest that is left is ${compactRevision}: add --rev ${compactRevision} to begin there, or read what is there with balsa get -o json and watch from its revision on`
