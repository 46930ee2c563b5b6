/** How a server ends that cannot go on. */
import { Schema } from "effect"

/** Why a replica could not start, or had to stop; the message says what to do. */
export class ServerError extends Schema.TaggedError<ServerError>()("ServerError", { message: Schema.String }) {}
