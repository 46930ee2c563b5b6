/**
 * The program: arguments in, exit code out. Whatever is expected to fail has become an exit
 * code by the time it gets here; what remains is a bug, and is shown with its stack.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Effect, Exit } from "effect"
import * as Cli from "./cli/Cli.ts"
import * as Collector from "./cli/Collector.ts"
import * as Host from "./cli/Host.ts"

/** For a clean stop; after that, or at a second signal, the process just ends. Raft survives that. */
const stopMillis = 10_000

Collector.prepare()

const argv = process.argv.slice(2)
const host = Host.fromProcess(argv)

let stopping = false
const onSignal = (signal: NodeJS.Signals): void => {
  if (stopping) {
    process.stderr.write(`balsa: a second ${signal}: ending at once\n`)
    process.exit(1)
  }
  stopping = true
  host.signal.received = signal
  setTimeout(() => {
    process.stderr.write(`balsa: still stopping after ${stopMillis / 1000} s: ending at once\n`)
    process.exit(1)
  }, stopMillis).unref()
}
process.on("SIGINT", onSignal)
process.on("SIGTERM", onSignal)

// Whoever read our output is gone (`balsa get --prefix "" | head`): not an error, and for a
// replica no reason to stop.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error
  })
}

NodeRuntime.runMain(Cli.run(argv).pipe(Effect.provideService(Host.Host, host)), {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    if (Exit.isSuccess(exit)) return onExit(Number(exit.value))
    if (Cause.hasInterruptsOnly(exit.cause)) return onExit(host.signal.exitCode)
    process.stderr.write(`balsa: internal error, please report it\n${Cause.pretty(exit.cause)}\n`)
    onExit(1)
  }
})
