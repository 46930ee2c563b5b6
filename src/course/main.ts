/**
 * `3700kvstore <UDP port> <own id> <peer ids...>`: a replica for the course's network. Whoever starts it may not read what
 * it prints, so it prints nothing while all is well.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Effect, Exit, Layer, Logger } from "effect"
import * as MemoryStorage from "../storage/MemoryStorage.ts"
import * as Arguments from "./Arguments.ts"
import * as Server from "./Server.ts"

const parsed = Arguments.parse(process.argv.slice(2))
if (parsed._tag === "Misused") {
  process.stderr.write(`3700kvstore: ${parsed.why}\n${Arguments.usage}\n`)
  process.exit(2)
}

const program = Server.run(parsed.options).pipe(
  Effect.scoped,
  Effect.provide(Layer.merge(MemoryStorage.make().layer, Logger.layer([])))
)

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    // Being told to end is how it ends.
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return onExit(0)
    process.stderr.write(`3700kvstore: ${Cause.pretty(exit.cause)}\n`)
    onExit(1)
  }
})
