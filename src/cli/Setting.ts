/**
 * One value from the command line: its flag, else its environment variable, else nothing.
 * Setting both is never an error. It remembers where it came from, so that an error can
 * name what the user has to change.
 */
import { Option, Result } from "effect"
import type { Environment } from "./Host.ts"
import { UsageError } from "./UsageError.ts"

export interface Setting {
  readonly source: string
  readonly value: string
}

/** An empty variable counts as unset: shells and unit files cannot always unset one. */
export const from = (
  flag: string,
  value: Option.Option<string>,
  environment: Environment,
  variable: string
): Setting | undefined => {
  if (Option.isSome(value)) return { source: `--${flag}`, value: value.value }
  const fallback = environment[variable]
  return fallback ? { source: variable, value: fallback } : undefined
}

/** Comma-separated; blanks around and between are ignored. */
export const list = (setting: Setting): ReadonlyArray<string> =>
  setting.value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")

export const millis = (setting: Setting, command: string): Result.Result<number, UsageError> => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(setting.value)
  const value =
    Number(match?.[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[(match?.[2] ?? "ms") as "ms" | "s" | "m" | "h"]
  return value >= 1 && value <= 2 ** 31 - 1
    ? Result.succeed(Math.round(value))
    : fail(
        command,
        `${setting.source}: "${setting.value}" is no duration; write a number and a unit, such as 500ms or 5s`
      )
}

/** A positive number of bytes. */
export const bytes = (setting: Setting, command: string): Result.Result<number, UsageError> => {
  const match = /^(\d+)(B|KiB|MiB|GiB)$/.exec(setting.value)
  const value = Number(match?.[1]) * { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[(match?.[2] ?? "B") as "B"]
  return value >= 1 && value <= Number.MAX_SAFE_INTEGER
    ? Result.succeed(value)
    : fail(command, `${setting.source}: "${setting.value}" is no size; write a number and a unit, such as 64MiB`)
}

export const count = (setting: Setting, command: string): Result.Result<number, UsageError> => {
  const value = /^\d{1,15}$/.test(setting.value) ? Number(setting.value) : 0
  return value >= 1
    ? Result.succeed(value)
    : fail(command, `${setting.source}: "${setting.value}" is no number from 1 on, such as 250000`)
}

/** Whether a flag without a value is set, by itself or by its variable. */
export const isSet = (
  flag: boolean | undefined,
  environment: Environment,
  variable: string,
  command: string
): Result.Result<boolean, UsageError> => {
  const value = environment[variable]?.trim().toLowerCase()
  if (flag === true || value === "true") return Result.succeed(true)
  return value === undefined || value === "" || value === "false"
    ? Result.succeed(false)
    : fail(command, `${variable}: "${environment[variable]}" is neither true nor false`)
}

export const usage = (command: string, message: string): UsageError => new UsageError({ command, message })

export const fail = (command: string, message: string): Result.Result<never, UsageError> =>
  Result.fail(usage(command, message))
