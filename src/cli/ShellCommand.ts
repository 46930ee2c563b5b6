/**
 * `balsa shell`: every command for the store, line by line and without `balsa` in front. A person gets a line editor, a pipe is run like
 * a script. Each line is run as the program itself would run it, only in this process.
 */
import { Effect, Result, type Scope } from "effect"
import * as Command from "effect/cli/Command"
import type { CommandDescriptor } from "effect/cli/Completions"
import { show } from "../client/Endpoint.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import { changed, type Environment, Host, type ReadLine } from "./Host.ts"
import * as KeyArguments from "./KeyArguments.ts"
import * as LineEditor from "./LineEditor.ts"
import { ProgramEnd } from "./ProgramEnd.ts"
import * as ShellCompletion from "./ShellCompletion.ts"
import * as ShellHistory from "./ShellHistory.ts"
import { UsageError } from "./UsageError.ts"
import * as Words from "./Words.ts"

/** What the shell needs to know of the commands, which know nothing of it. */
export interface ShellCommands {
  /** The success value is the exit code. */
  readonly run: (argv: ReadonlyArray<string>) => Effect.Effect<number>
  readonly describe: () => CommandDescriptor
}

const prompt = "balsa> "

export const make = (commands: ShellCommands) =>
  Command.make(
    "shell",
    {
      keepGoing: KeyArguments.flag(
        "keep-going",
        "Of piped lines: go on after one that fails; the exit code is that of the first"
      ),
      ...ClientOptions.clientFlags
    },
    Effect.fnUntraced(function* (input) {
      const host = yield* Host
      const options = yield* ClientOptions.resolve("shell", input)
      // Some commands wait longer than others as long as nobody said how long.
      const timeout = ClientOptions.choosesTimeout(input, host.environment) ? options.timeoutMillis : undefined
      const environment = { ...host.environment, ...environmentOf(options, timeout) }
      yield* host.inputTerminal && host.terminal
        ? Effect.scoped(converse(commands, options, environment))
        : Effect.scoped(runScript(commands, environment, input.keepGoing))
    })
  ).pipe(
    Command.withDescription(
      [
        "Run commands line by line, without balsa in front: put, get, del, watch, txn, lease, lock, elect, compact, status, member, snapshot. Words are quoted as in sh, # begins a comment; nothing is expanded. help shows the commands, exit or Ctrl-D leaves.",
        "At a terminal Tab completes commands, flags, keys and leases, and the history is kept in $XDG_STATE_HOME/balsa/history (~/.local/state if unset), except for lines that begin with a blank. Ctrl-C ends what runs, not the shell.",
        "From a pipe, it stops at the first line that fails, with its exit code. The flags are the defaults of every line."
      ].join("\n\n")
    ),
    Command.withShortDescription("Run commands line by line, with completion and history"),
    Command.withExamples([
      { command: "balsa shell -e 10.0.0.1:7401" },
      { command: "balsa shell < commands.txt", description: "Stops at the first line that fails" },
      { command: `printf 'put a 1\\nget a\\n' | balsa shell --keep-going` }
    ])
  )

/** What was said on the command line of the shell, for every line in it. */
const environmentOf = (
  { endpoints, output }: ClientOptions.ClientOptions,
  timeoutMillis: number | undefined
): Environment => ({
  BALSA_ENDPOINTS: endpoints.map(show).join(","),
  ...(timeoutMillis === undefined ? {} : { BALSA_TIMEOUT: `${timeoutMillis}ms` }),
  ...(output === undefined ? {} : { BALSA_OUTPUT: output })
})

type Ran = { readonly _tag: "Exit" } | { readonly _tag: "Ran"; readonly exitCode: number }

const ran = (exitCode: number): Ran => ({ _tag: "Ran", exitCode })

/** `readLine` is where a command gets its lines from: those that follow its own. */
const runLine = Effect.fnUntraced(function* (
  { run }: ShellCommands,
  environment: Environment,
  readLine: ReadLine,
  line: string
): Effect.fn.Return<Ran> {
  const host = yield* Host
  const words = Words.parse(line, "sh")
  if (Result.isFailure(words)) {
    yield* host.err(`balsa: column ${words.failure.column}: ${words.failure.message}`)
    return ran(ExitCode.usage)
  }
  const argv = words.success.map(({ text }) => text)
  if (argv[0] === "balsa") argv.shift()
  if (argv.length === 0) return ran(ExitCode.ok)
  if (argv.length === 1 && (argv[0] === "exit" || argv[0] === "quit")) return { _tag: "Exit" }
  const own = changed(host, {
    environment,
    openLines: Effect.succeed(readLine),
    readInput: Effect.fail(noInput),
    calledBy: "",
    lendsInput: false,
    signal: { exitCode: ExitCode.interrupted, received: undefined }
  })
  const exitCode = yield* Effect.provideService(run(argv), Host, own)
  return ran(exitCode)
})

const noInput = new UsageError({
  command: "put",
  message: `"-" reads standard input, which is the shell's own here; write the value, or run balsa put outside`
})

const runScript = Effect.fnUntraced(function* (
  commands: ShellCommands,
  environment: Environment,
  keepGoing: boolean
): Effect.fn.Return<void, ProgramEnd, Scope.Scope> {
  const host = yield* Host
  let number = 0
  const lines = yield* host.openLines
  const readLine: ReadLine = (prompt) =>
    Effect.tap(lines(prompt), () =>
      Effect.sync(() => {
        number++
      })
    )
  let first: number | undefined
  while (true) {
    const line = yield* readLine(prompt)
    if (line === undefined) break
    const at = number
    const result = yield* runLine(commands, environment, readLine, line)
    if (result._tag === "Exit") break
    if (result.exitCode === ExitCode.ok) continue
    if (!keepGoing) {
      const message = `balsa: line ${at} failed, and what follows was not run; --keep-going runs it`
      return yield* new ProgramEnd({ exitCode: result.exitCode, message })
    }
    first ??= result.exitCode
  }
  if (first !== undefined) return yield* new ProgramEnd({ exitCode: first, message: undefined })
})

const converse = Effect.fnUntraced(function* (
  commands: ShellCommands,
  options: ClientOptions.ClientOptions,
  environment: Environment
): Effect.fn.Return<void, never, Scope.Scope> {
  const host = yield* Host
  const root = commands.describe()
  const history = ShellHistory.open(ShellHistory.fileIn(host.environment))
  let isCommand = true
  const editor = yield* LineEditor.open({
    history: history.lines,
    maxHistory: ShellHistory.maxLines,
    complete: (line) =>
      isCommand
        ? Effect.runPromise(ShellCompletion.complete(root, options, line))
        : Promise.resolve({ offered: [], replaced: "" })
  })
  const readLine: ReadLine = (prompt) =>
    Effect.map(editor.read(prompt), (typed) => (typed._tag === "Line" ? typed.text : undefined))
  yield* host.err(`${options.endpoints.map(show).join(", ")}. help shows the commands, Ctrl-D leaves`)
  while (true) {
    const typed = yield* editor.read(prompt)
    if (typed._tag === "Cancelled") continue
    if (typed._tag === "End") return yield* host.err("")
    const unkept = history.add(typed.text)
    if (unkept !== undefined) yield* host.err(`balsa: the history is not kept: ${unkept}`)
    isCommand = false
    const result = yield* Effect.raceFirst(
      runLine(commands, environment, readLine, typed.text),
      Effect.as(editor.cancelled, ran(ExitCode.interrupted))
    )
    isCommand = true
    if (result._tag === "Exit") return
  }
})
