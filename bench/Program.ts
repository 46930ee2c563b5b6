/** What every program here does alike: flags that are wrong end it with 2, what fails with 1, and nothing is left behind. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"

export interface Program<O extends object> {
  readonly help: string
  /** "help", a complaint, or what to do. */
  readonly parse: (args: ReadonlyArray<string>) => O | "help" | Error
  readonly main: (options: O) => Promise<void>
}

export const run = async <O extends object>({ help, parse, main }: Program<O>): Promise<void> => {
  const options = parse(process.argv.slice(2))
  if (options === "help") console.log(help)
  else if (options instanceof Error) {
    console.error(`${options.message}\n\n${help}`)
    process.exitCode = 2
  } else {
    // Each process that is started has a listener of its own for the end of this one.
    process.setMaxListeners(0)
    await main(options).catch((error: unknown) => giveUp(error instanceof Error ? error.message : String(error)))
  }
}

/** Whatever is to be cleaned up hangs on "exit". */
export const endOnSignals = (): void => {
  process.once("SIGINT", () => process.exit(130))
  process.once("SIGTERM", () => process.exit(143))
  process.once("SIGHUP", () => process.exit(129))
}

export const giveUp = (reason: string): never => {
  console.error(reason)
  process.exit(1)
}

/** Gone with all that is in it when this process ends. */
export const temporaryDirectory = (prefix: string): string => {
  const directory = mkdtempSync(path.join(tmpdir(), prefix))
  process.once("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
  return directory
}
