/**
 * `balsa txn`: comparisons, what to do if all of them hold, and what to do otherwise, one on each line and a blank line after each of
 * the three, as etcdctl takes them.
 */
import { Effect, Result } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Kv from "../client/Kv.ts"
import * as Txn from "../client/Txn.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import { Host, type ReadLine } from "./Host.ts"
import { ProgramEnd } from "./ProgramEnd.ts"
import * as TxnCompare from "./TxnCompare.ts"
import * as TxnRequest from "./TxnRequest.ts"
import { UsageError } from "./UsageError.ts"
import type * as Words from "./Words.ts"

export const txnCommand = Command.make(
  "txn",
  {
    interactive: Flag.Boolean("interactive").pipe(
      Flag.withAlias("i"),
      Flag.withoutNegation,
      Flag.withDescription("Taken for etcdctl's sake: it is the only way there is"),
      Flag.withDefault(false)
    ),
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const cluster = yield* ClientOptions.resolve("txn", input)
    const { compares, success, failure } = yield* Effect.scoped(readTransaction)
    if (compares.length + success.length + failure.length === 0) {
      return yield* new UsageError({ command: "txn", message: "the transaction is empty, and nothing was done" })
    }
    const answer = yield* Kv.make(cluster).txn(
      Txn.when(...compares)
        .andThen(...success)
        .orElse(...failure)
    )
    const { succeeded, revision, answers } = answer
    yield* host.out(
      ClientOptions.isJson(cluster)
        ? `${JSON.stringify({ header: { revision }, succeeded, responses: answers.map(({ json }) => json) })}\n`
        : `${succeeded ? "SUCCESS" : "FAILURE"}\n${answers.map(({ text }) => text).join("")}`
    )
    if (!succeeded) return yield* new ProgramEnd({ exitCode: ExitCode.notFound, message: undefined })
  })
).pipe(
  Command.withDescription(
    [
      "Read a transaction from standard input and carry it out as one step. It has three parts, and a blank line ends each: comparisons, requests for when all of them hold, requests for when one does not. The end of input ends them all.",
      "A comparison is value, version, create, mod or lease of a key, then one of = != > <, then what to compare with. A key that is not there has 0 for all but its value. A request is put, get or del with its flags.",
      `SUCCESS and the answers are printed, or FAILURE and the answers of the last part; the latter exits with 3. A mistake exits with 2 and says line and column; nothing is done then.`
    ].join("\n\n")
  ),
  Command.withShortDescription("Compare, and do one thing or another, in one step"),
  Command.withExamples([
    {
      command: `printf 'create("lock") = "0"\\n\\nput lock me\\n\\nget lock\\n' | balsa txn`,
      description: "Take lock if nobody has it, otherwise show who has"
    },
    {
      command: `printf 'mod("k") = "42"\\n\\nput k new\\n' | balsa txn`,
      description: "Replace k unless somebody else wrote since revision 42"
    },
    { command: "balsa txn", description: "At a terminal: it asks for each part" }
  ])
)

const sections = [
  "compares, then a blank line:",
  "if all hold (put, get, del), then a blank line:",
  "otherwise (put, get, del), then a blank line:"
] as const

const readTransaction = Effect.gen(function* () {
  const host = yield* Host
  const next = numbered(yield* host.openLines)
  const mistakes: Array<string> = []
  const read = <A, R>(title: string, parse: Parse<A, R>) => readSection(next, title, parse, mistakes)
  const compares = yield* read(sections[0], (line) => Effect.fromResult(TxnCompare.parse(line)))
  const success = yield* read(sections[1], TxnRequest.parse)
  const failure = yield* read(sections[2], TxnRequest.parse)
  if (!host.inputTerminal && host.calledBy !== "") yield* expectEnd(next, mistakes)
  const [message] = mistakes
  if (message !== undefined) return yield* new UsageError({ command: "txn", message })
  return { compares, success, failure }
})

/** What stands behind a blank line too many would be left out without a word. In a shell it is the next command. */
const expectEnd = Effect.fnUntraced(function* (next: Numbered, mistakes: Array<string>): Effect.fn.Return<void> {
  while (true) {
    const { line, number } = yield* next()
    if (line === undefined) return
    if (line.trim() !== "") {
      mistakes.push(
        `line ${number}, column 1: this is a fourth part, and a transaction has three, with a blank line after each`
      )
    }
  }
})

type Parse<A, R> = (line: string) => Effect.Effect<A, Words.WordError, R>

type Numbered = () => Effect.Effect<{ readonly line: string | undefined; readonly number: number }>

const numbered = (readLine: ReadLine): Numbered => {
  let number = 0
  return () => Effect.map(readLine("  "), (line) => ({ line, number: ++number }))
}

/**
 * At a terminal a mistake is told, and its line can be written once more. Elsewhere all is read nevertheless, since what follows is not
 * meant for anybody else.
 */
const readSection = Effect.fnUntraced(function* <A, R>(
  next: Numbered,
  title: string,
  parse: Parse<A, R>,
  mistakes: Array<string>
): Effect.fn.Return<ReadonlyArray<A>, never, R> {
  const host = yield* Host
  if (host.inputTerminal) yield* host.err(title)
  const found: Array<A> = []
  while (true) {
    const { line, number } = yield* next()
    if (line === undefined || line.trim() === "") return found
    if (line.trimStart().startsWith("#")) continue
    const parsed = yield* Effect.result(parse(line))
    if (Result.isSuccess(parsed)) {
      found.push(parsed.success)
      continue
    }
    const { column, message } = parsed.failure
    if (host.inputTerminal) yield* host.err(`column ${column}: ${message}`)
    else mistakes.push(`line ${number}, column ${column}: ${message}`)
  }
})
