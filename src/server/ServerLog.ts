/**
 * A replica's log: one line an event, on standard error, since standard output is for data.
 * As text it reads `time LEVEL replica message`; as JSON it is what log collectors take.
 */
import type { Layer } from "effect"
import { Cause, Logger } from "effect"

export const layer = (format: "text" | "json", replica: string): Layer.Layer<never> =>
  Logger.layer([Logger.withConsoleError(format === "json" ? Logger.formatJson : text(replica))])

const text = (replica: string): Logger.Logger<unknown, string> =>
  Logger.make(({ date, logLevel, message, cause }) => {
    const words = (Array.isArray(message) ? message : [message]).map(word).join(" ")
    const why = cause.reasons.length === 0 ? "" : ` ${Cause.pretty(cause)}`
    return `${date.toISOString()} ${logLevel.toUpperCase().padEnd(5)} ${replica} ${words}${why}`
  })

const word = (part: unknown): string => {
  if (typeof part === "string") return part
  return part instanceof Error ? part.message : JSON.stringify(part)
}
