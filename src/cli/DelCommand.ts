/** `balsa del`: a key, or a range of them. */
import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import * as Kv from "../client/Kv.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { Host } from "./Host.ts"
import * as KeyRequests from "./KeyRequests.ts"
import * as KeyValueOutput from "./KeyValueOutput.ts"

export const delCommand = Command.make(
  "del",
  { ...KeyRequests.delFlags, ...ClientOptions.clientFlags },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const cluster = yield* ClientOptions.resolve("del", input)
    const { keys, absent } = yield* KeyRequests.del("del", input)
    const { revision, deleted, previous } = yield* Kv.make(cluster).delete(keys, { previous: input.prevKv })
    if (ClientOptions.isJson(cluster)) {
      const gone = input.prevKv ? { prev_kvs: previous.map((kv) => KeyValueOutput.toJson(kv, input)) } : {}
      yield* host.out(`${JSON.stringify({ header: { revision }, deleted, ...gone })}\n`)
    } else {
      yield* host.out(`${deleted}\n${previous.map((kv) => KeyValueOutput.line(kv, input)).join("")}`)
    }
    if (deleted === 0) return yield* absent
  })
).pipe(
  Command.withDescription("Delete a key, or all keys of a range, and print how many there were. None exits with 3."),
  Command.withShortDescription("Delete a key, or a range of them"),
  Command.withExamples([
    { command: "balsa del hello" },
    { command: "balsa del config/ --prefix --prev-kv", description: "Say what they were" },
    { command: "balsa del log/2024 --range log/2025", description: "From log/2024 up to log/2025, without that" }
  ])
)
