/** `balsa put`: one key, from a shell. */
import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Kv from "../client/Kv.ts"
import { isIdempotencyKey } from "../client/WriteRequest.ts"
import * as ByteText from "./ByteText.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { Host } from "./Host.ts"
import * as KeyRequests from "./KeyRequests.ts"
import * as KeyValueOutput from "./KeyValueOutput.ts"
import { UsageError } from "./UsageError.ts"

export const putCommand = Command.make(
  "put",
  {
    ...KeyRequests.putFlags,
    idempotencyKey: Flag.String("idempotency-key").pipe(
      Flag.withMetavar("NAME"),
      Flag.withDescription(
        "Carried out once under this name, for a day: after a put whose outcome is unknown, run it again with the same one. Only Balsa knows it: etcd ignores it, and would put twice"
      ),
      Flag.optional
    ),
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const cluster = yield* ClientOptions.resolve("put", input)
    const idempotencyKey = Option.getOrUndefined(input.idempotencyKey)
    if (idempotencyKey !== undefined && !isIdempotencyKey(idempotencyKey)) {
      const message = "--idempotency-key takes 1 to 255 printable ASCII characters, without space at either end"
      return yield* new UsageError({ command: "put", message })
    }
    const { key, value, options } = yield* KeyRequests.put("put", input)
    const kv = Kv.make(cluster)
    const named = { ...options, idempotencyKey }
    const answer = yield* value === undefined ? kv.touch(key, named) : kv.put(key, value, named)
    if (ClientOptions.isJson(cluster)) {
      const previous = input.prevKv ? { prev_kv: KeyValueOutput.previousJson(answer.previous, input) } : {}
      const header = { revision: answer.revision }
      return yield* host.out(
        `${JSON.stringify({ header, ...ByteText.field("key", key, input.base64Keys), ...previous })}\n`
      )
    }
    yield* host.out(`OK\n${answer.previous === undefined ? "" : KeyValueOutput.line(answer.previous, input)}`)
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
      command: `balsa put host/a up --lease "$(balsa lease grant 60 -o plain)"`,
      description: "It goes after a minute, unless the lease is kept alive"
    },
    {
      command: "balsa put order/7 paid --idempotency-key order-7-paid",
      description: "Safe to run again: Balsa carries it out once"
    },
    { command: "balsa put delta -- --5", description: `A value that begins with "-"` }
  ])
)
