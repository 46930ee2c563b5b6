/** `balsa put`, `balsa get` and `balsa del`: the store, from a shell. */
import { Effect, Option } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { Staleness } from "../client/Gateway.ts"
import { type KeyRange, prefixRange } from "../client/KeyRange.ts"
import * as Kv from "../client/Kv.ts"
import * as ByteText from "./ByteText.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { Host } from "./Host.ts"
import { NotFound } from "./NotFound.ts"
import * as RangeOutput from "./RangeOutput.ts"
import { UsageError } from "./UsageError.ts"

const keyArgument = Argument.String("KEY").pipe(Argument.withDescription("The key"))

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))

const base64 = flag("base64", "Values are base64, as arguments and as output")
const base64Keys = flag("base64-keys", "Keys are base64, as arguments and as output")
const prefix = flag("prefix", `All keys that begin with KEY; "" is every key`)

const resolveKeys = (command: string, text: string, isPrefix: boolean, isBase64: boolean) =>
  Effect.gen(function* () {
    const key = yield* Effect.fromResult(ByteText.argument(command, "KEY", text, isBase64))
    if (isPrefix) return prefixRange(key)
    const one: KeyRange = { key, rangeEnd: undefined }
    return key.length > 0
      ? one
      : yield* new UsageError({ command, message: "KEY is empty; a key has at least one byte" })
  })

const clientOptions = (command: string, flags: ClientOptions.ClientFlags) =>
  Effect.flatMap(Host, (host) => Effect.fromResult(ClientOptions.parse(command, flags, host.environment)))

/** As the gateway takes it. */
const isIdempotencyKey = (text: string): boolean => /^[!-~](?:[ -~]{0,253}[!-~])?$/.test(text)

export const putCommand = Command.make(
  "put",
  {
    key: keyArgument,
    value: Argument.String("VALUE").pipe(Argument.withDescription(`The value; "-" reads it from standard input`)),
    base64,
    base64Keys,
    idempotencyKey: Flag.String("idempotency-key").pipe(
      Flag.withMetavar("NAME"),
      Flag.withDescription(
        "Carried out once under this name, for a day: after a put whose outcome is unknown, run it again with the same one"
      ),
      Flag.optional
    ),
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* clientOptions("put", input)
    const idempotencyKey = Option.getOrUndefined(input.idempotencyKey)
    if (idempotencyKey !== undefined && !isIdempotencyKey(idempotencyKey)) {
      const message = "--idempotency-key takes 1 to 255 printable ASCII characters, without space at either end"
      return yield* new UsageError({ command: "put", message })
    }
    const { key } = yield* resolveKeys("put", input.key, false, input.base64Keys)
    const value =
      input.value === "-"
        ? yield* host.readInput
        : yield* Effect.fromResult(ByteText.argument("put", "VALUE", input.value, input.base64))
    const { revision } = yield* Kv.make(options).put(key, value, { idempotencyKey })
    const json = options.output === "json" || options.output === "jsonl"
    yield* host.out(
      json ? `${JSON.stringify({ header: { revision }, ...ByteText.field("key", key, input.base64Keys) })}\n` : "OK\n"
    )
  })
).pipe(
  Command.withDescription(
    `Set a key. "OK" means that a majority has it on disk. A put without an answer in time exits with 5 and is not tried again: it may have been applied. With --idempotency-key it is safe to run it again.`
  ),
  Command.withShortDescription("Set a key"),
  Command.withExamples([
    { command: "balsa put hello world" },
    { command: "balsa put config - < config.json", description: "The value from a file, byte for byte" },
    {
      command: "balsa put order/7 paid --idempotency-key order-7-paid",
      description: "Safe to run again: Balsa carries it out once"
    },
    { command: "balsa put delta -- --5", description: `A value that begins with "-"` }
  ])
)

export const getCommand = Command.make(
  "get",
  {
    key: keyArgument,
    prefix,
    limit: Flag.Int("limit").pipe(
      Flag.withMetavar("COUNT"),
      Flag.withDescription("At most so many keys; 0 is all of them"),
      Flag.withDefault(0)
    ),
    consistency: Flag.Literals("consistency", ["linearizable", "stale"]).pipe(
      Flag.withDescription("linearizable sees every acknowledged write; stale asks one replica only"),
      Flag.withDefault("linearizable")
    ),
    base64,
    base64Keys,
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* clientOptions("get", input)
    const keys = yield* resolveKeys("get", input.key, input.prefix, input.base64Keys)
    if (input.limit < 0)
      return yield* new UsageError({ command: "get", message: `--limit: ${input.limit} is negative` })
    const stale = input.consistency === "stale"
    const answer = yield* Kv.make(options).range(keys, { limit: input.limit, serializable: stale })
    const single = !input.prefix
    const format = options.output ?? (host.terminal && !single ? "table" : "plain")
    const { base64, base64Keys } = input
    yield* host.out(RangeOutput.render(answer, { format, base64, base64Keys, single, terminal: host.terminal }))
    if (stale && answer.staleness !== undefined) yield* host.err(describeStaleness(answer.staleness))
    if (answer.kvs.length === 0) return yield* new NotFound({ key: input.key, prefix: input.prefix })
    if (answer.more && format !== "json") yield* host.err(`${answer.kvs.length} of ${answer.count} keys shown`)
  })
).pipe(
  Command.withDescription(
    "Print the value of a key, or all keys and values under a prefix. A missing key prints nothing and exits with 3."
  ),
  Command.withShortDescription("Print a value, or all under a prefix"),
  Command.withExamples([
    { command: "balsa get hello" },
    { command: "balsa get config/ --prefix -o jsonl", description: "One JSON object for each key" },
    { command: "balsa get hello --consistency stale", description: "Works without a majority; may be out of date" }
  ])
)

const describeStaleness = ({ appliedIndex, leaderHeardMillis }: Staleness): string =>
  leaderHeardMillis === undefined
    ? `stale: as of entry ${appliedIndex}, by a replica that knows no leader; it may be of any age`
    : `stale: as of entry ${appliedIndex}, by a replica that last heard of the leader ${leaderHeardMillis} ms ago`

export const delCommand = Command.make(
  "del",
  { key: keyArgument, prefix, base64Keys, ...ClientOptions.clientFlags },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* clientOptions("del", input)
    const keys = yield* resolveKeys("del", input.key, input.prefix, input.base64Keys)
    const { revision, deleted } = yield* Kv.make(options).delete(keys)
    const json = options.output === "json" || options.output === "jsonl"
    yield* host.out(json ? `${JSON.stringify({ header: { revision }, deleted })}\n` : `${deleted}\n`)
    if (deleted === 0) return yield* new NotFound({ key: input.key, prefix: input.prefix })
  })
).pipe(
  Command.withDescription(
    "Delete a key, or all keys under a prefix, and print how many there were. None exits with 3."
  ),
  Command.withShortDescription("Delete a key, or all under a prefix"),
  Command.withExamples([{ command: "balsa del hello" }, { command: "balsa del config/ --prefix" }])
)
