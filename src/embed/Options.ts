/** What users set when they start a replica, looked over before anything is opened. */
import { Effect, Schema } from "effect"
import { defaults as raftDefaults } from "../raft/Options.ts"
import type { Tuning } from "./EmbeddedReplica.ts"

/** The options cannot be meant so; the message says which, and what it should look like. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  message: Schema.String
}) {}

export interface Address {
  readonly host: string
  readonly port: number
}

type Checked<A> = Effect.Effect<A, InvalidOptions>

const refuse = (message: string): Checked<never> => Effect.fail(new InvalidOptions({ message }))

export const nameOf = (option: string, name: string): Checked<string> =>
  typeof name === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(name)
    ? Effect.succeed(name)
    : refuse(`${option}: "${name}" is no name of a replica; letters, digits, ".", "_" and "-" are, up to 64 of them`)

/** Names of clusters may have words. */
export const clusterOf = (name: string): Checked<string> =>
  typeof name === "string" && /^[^\p{Cc}]{1,64}$/u.test(name)
    ? Effect.succeed(name)
    : refuse(`cluster: "${name}" is no name of a cluster; 1 to 64 characters that can be read are`)

export const addressOf = (option: string, text: string): Checked<Address> => {
  const found = /^(?:\[([0-9A-Za-z:.%]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text)
  const host = found?.[1] ?? found?.[2]
  const port = Number(found?.[3])
  return host !== undefined && port >= 1 && port <= 65_535
    ? Effect.succeed({ host, port })
    : refuse(`${option}: "${text}" is no address; "127.0.0.1:7501" is`)
}

export const countOf = (count: number, most: number): Checked<number> =>
  Number.isInteger(count) && count >= 1 && count <= most
    ? Effect.succeed(count)
    : refuse(`replicas: ${count} is no number of replicas; 1 to ${most} are, best an odd one`)

/** Every number counts something, and none of them can be nothing. */
export const check = ({ raft, limits, requestTimeoutMillis = 1 }: Tuning): Checked<void> => {
  const numbers = { ...raft, ...limits, requestTimeoutMillis }
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value === "boolean") continue
    if (!Number.isFinite(value) || value <= 0) return refuse(`${name}: ${value} is no number above 0`)
  }
  const { heartbeatMillis, electionTimeoutMillis } = { ...raftDefaults, ...raft }
  return electionTimeoutMillis < 2 * heartbeatMillis
    ? refuse(
        `electionTimeoutMillis: ${electionTimeoutMillis} must be at least twice heartbeatMillis, which is ${heartbeatMillis}; ten times is better`
      )
    : Effect.void
}
