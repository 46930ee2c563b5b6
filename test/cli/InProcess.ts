/** The command line without a process of its own: quick, and enough for all but signals and streams. */
import { Effect } from "effect"
import * as Cli from "../../src/cli/Cli.ts"
import { Host } from "../../src/cli/Host.ts"

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export const run = async (
  argv: ReadonlyArray<string>,
  options: { readonly env?: Record<string, string>; readonly input?: Buffer; readonly terminal?: boolean } = {}
): Promise<Ran> => {
  let out = ""
  let err = ""
  const host: Host = {
    environment: options.env ?? {},
    terminal: options.terminal ?? false,
    errorTerminal: false,
    inputTerminal: false,
    color: false,
    out: (data) =>
      Effect.sync(() => void (out += typeof data === "string" ? data : Buffer.from(data).toString("latin1"))),
    err: (text) => Effect.sync(() => void (err += `${text}\n`)),
    readInput: Effect.sync(() => options.input ?? Buffer.alloc(0)),
    openLines: Effect.sync(() => {
      const lines = (options.input ?? Buffer.alloc(0)).toString().split(/(?<=\n)/)
      return () => Effect.sync(() => lines.shift()?.replace(/\n$/, ""))
    }),
    readerGone: Effect.never,
    calledBy: "balsa ",
    lendsInput: false,
    signal: { exitCode: 130, received: undefined }
  }
  const code = await Effect.runPromise(Cli.run(argv).pipe(Effect.provideService(Host, host)))
  return { code, out, err }
}
