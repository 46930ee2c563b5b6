/**
 * How help, version and usage errors look. A wrong command line gets one line on standard
 * error and a pointer, not pages of help on standard output, where a script would take
 * them for data.
 */
import { Effect, type Layer } from "effect"
import type * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as ExitCode from "./ExitCode.ts"
import { Host } from "./Host.ts"

/** One line; effect/cli spreads its suggestions over several. */
export const describe = (error: CliError.CliError): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `unknown flag ${error.option}${suggestion(error.suggestions)}`
    case "UnknownSubcommand":
      return `unknown command "${error.subcommand}"${suggestion(error.suggestions)}`
    case "UnexpectedArgument":
      return `too many arguments: ${error.arguments.map((text) => JSON.stringify(text)).join(" ")}`
    case "MissingArgument":
      return `${error.argument} is missing`
    case "InvalidValue":
      return describeValue(error)
    default:
      return error.message.replace(/\s+/g, " ")
  }
}

const suggestion = (suggestions: ReadonlyArray<string>): string =>
  suggestions.length === 0 ? "" : `; did you mean ${suggestions.join(" or ")}?`

const describeValue = ({ kind, option, value, expected }: CliError.InvalidValue): string => {
  const name = kind === "argument" ? option : `--${option}`
  if (value === "") return `${name} needs a value`
  if (/^\d+ occurrences$/.test(value)) return `${name} is given more than once`
  const rule = expected
    .replace(/^Expected:? /, "")
    .replaceAll('"', "")
    .replaceAll(" | ", ", ")
    .replace("a string representing a finite number", "a number")
  return `${name}: "${value}" is not valid; expected ${rule}`
}

export const usageLines = (
  message: string,
  command: ReadonlyArray<string>,
  { calledBy }: Pick<Host, "calledBy">
): string => {
  const asked =
    command.length === 0 && calledBy === "" ? "help" : [calledBy.trim(), ...command, "--help"].filter(Boolean).join(" ")
  return `balsa: ${message}\nSee: ${asked}`
}

export const layer = (color: boolean): Layer.Layer<never> => {
  const formatter = CliOutput.defaultFormatter({ colors: color, globalFlags: "summary" })
  return CliOutput.layerPresenter({
    present: Effect.fnUntraced(function* (event) {
      const host = yield* Host
      switch (event._tag) {
        case "Help":
          return yield* host.out(
            `${formatter.formatHelpDoc(event.helpDoc)}\n\nEXIT CODES (balsa help exit-codes)\n  ${ExitCode.summary}\n`
          )
        case "InvalidInvocation": {
          const [first] = event.errors
          const message = first === undefined ? "the command line is wrong" : describe(first)
          return yield* host.err(usageLines(message, event.commandPath.slice(1), host))
        }
        case "Version":
          return yield* host.out(`${event.name} ${event.version}\n`)
      }
    })
  })
}
