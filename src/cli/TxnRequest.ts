/**
 * A request in a transaction: a line that reads as the command of that name, with its flags. What comes of it is shown as that command
 * would show it.
 */
import { Effect, Result } from "effect"
import * as CliConfig from "effect/cli/CliConfig"
import type * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import type * as Json from "../client/GatewayJson.ts"
import * as Txn from "../client/Txn.ts"
import { changed, Host } from "./Host.ts"
import * as KeyRequests from "./KeyRequests.ts"
import * as KeyValueOutput from "./KeyValueOutput.ts"
import * as Presenter from "./Presenter.ts"
import * as RangeOutput from "./RangeOutput.ts"
import { UsageError } from "./UsageError.ts"
import * as Words from "./Words.ts"

/** The answer to one request, in both forms. */
export interface Shown {
  readonly text: string
  readonly json: object
}

export type Request = Txn.Operation<Shown>

const shown = <A>(operation: Txn.Operation<A>, show: (answer: A) => Shown): Request => ({
  ...operation,
  decode: (response, revision) => show(operation.decode(response, revision))
})

const put = Effect.fnUntraced(function* (input: KeyRequests.PutFlags): Effect.fn.Return<Request, UsageError> {
  const asked = yield* KeyRequests.put("txn", input)
  return shown(KeyRequests.putOperation(asked), ({ previous }) => ({
    text: `OK\n${previous === undefined ? "" : KeyValueOutput.line(previous, input)}`,
    json: { put: input.prevKv ? { prev_kv: KeyValueOutput.previousJson(previous, input) } : {} }
  }))
})

const get = Effect.fnUntraced(function* (input: KeyRequests.GetFlags): Effect.fn.Return<Request, UsageError> {
  const { keys, options, style, countOnly } = yield* KeyRequests.get("txn", input)
  return shown(Txn.range(keys, options), (answer: Json.RangeAnswer) => ({
    text: countOnly
      ? RangeOutput.renderCount(answer, "plain")
      : answer.kvs.map((kv) => KeyValueOutput.line(kv, style)).join(""),
    json: {
      get: countOnly
        ? { count: answer.count }
        : { kvs: answer.kvs.map((kv) => KeyValueOutput.toJson(kv, style)), count: answer.count, more: answer.more }
    }
  }))
})

const del = Effect.fnUntraced(function* (input: KeyRequests.DelFlags): Effect.fn.Return<Request, UsageError> {
  const { keys } = yield* KeyRequests.del("txn", input)
  return shown(Txn.remove(keys, { previous: input.prevKv }), ({ deleted, previous }) => ({
    text: `${deleted}\n${previous.map((kv) => KeyValueOutput.line(kv, input)).join("")}`,
    json: {
      del: { deleted, ...(input.prevKv ? { prev_kvs: previous.map((kv) => KeyValueOutput.toJson(kv, input)) } : {}) }
    }
  }))
})

/** It says what is wrong by failing; nobody is shown a page of help in the midst of a transaction. */
const silent = CliOutput.layerPresenter({ present: () => Effect.void })

const noInput = new UsageError({
  command: "txn",
  message: `"-" cannot be read here: the transaction itself comes that way`
})

export const parse = Effect.fnUntraced(
  function* (line: string) {
    const words = Words.parse(line, "go")
    if (Result.isFailure(words)) return yield* Effect.fail(words.failure)
    const host = yield* Host
    let request: Request | undefined
    const keep = Effect.map((made: Request) => {
      request = made
    })
    const root = Command.make("txn").pipe(
      Command.withSubcommands([
        Command.make("put", KeyRequests.putFlags, (input) => keep(put(input))),
        Command.make("get", KeyRequests.getFlags, (input) => keep(get(input))),
        Command.make("del", KeyRequests.delFlags, (input) => keep(del(input)))
      ])
    )
    const parsed = Command.runWith(root, { version: "" })(words.success.map(({ text }) => text)).pipe(
      Effect.provideService(Host, changed(host, { readInput: Effect.fail(noInput) })),
      Effect.mapError((error): Words.WordError => locate(error, words.success))
    )
    yield* parsed
    return request ?? (yield* Effect.fail<Words.WordError>({ column: 1, message: unknown }))
  },
  Effect.provide([silent, CliConfig.layer({ builtIns: [] })])
)

const unknown = `a request begins with put, get or del; write for example: put key "a value"`

const locate = (error: CliError.CliError | UsageError, words: ReadonlyArray<Words.Word>): Words.WordError => {
  const column = words[0]?.column ?? 1
  if (error._tag === "UsageError") return { column, message: error.message }
  const cause = error._tag === "ShowHelp" ? error.errors[0] : error
  if (cause === undefined || cause._tag === "UnknownSubcommand") return { column, message: unknown }
  const culprit =
    cause._tag === "UnrecognizedOption"
      ? cause.option
      : cause._tag === "UnexpectedArgument"
        ? cause.arguments[0]
        : undefined
  const word = words.find(({ text }) => culprit !== undefined && text.startsWith(culprit))
  return { column: word?.column ?? column, message: Presenter.describe(cause) }
}
