/** What is refused before it is submitted: nothing was done, and trying again does not help. */
import { Schema } from "effect"

/** The command's schema refuses it; the message says where. */
export class InvalidCommand extends Schema.TaggedError<InvalidCommand>()("InvalidCommand", {
  message: Schema.String,
  outcomeUnknown: Schema.Literal(false)
}) {}

/** The query's schema refuses it; the message says where. */
export class InvalidQuery extends Schema.TaggedError<InvalidQuery>()("InvalidQuery", {
  message: Schema.String,
  outcomeUnknown: Schema.Literal(false)
}) {}

export const invalidCommand = (machine: string, why: string): InvalidCommand =>
  new InvalidCommand({ message: `this is no command of "${machine}": ${why}`, outcomeUnknown: false })

export const invalidQuery = (machine: string, why: string): InvalidQuery =>
  new InvalidQuery({ message: `this is no query of "${machine}": ${why}`, outcomeUnknown: false })
