/** Changes of members as they are written on a command line. */
import { Result } from "effect"
import * as Endpoint from "../client/Endpoint.ts"
import type { Change } from "../client/Members.ts"
import * as Setting from "./Setting.ts"
import type { UsageError } from "./UsageError.ts"

type Parsed<A> = Result.Result<A, UsageError>

const nameShape = /^[A-Za-z0-9._-]{1,64}$/

export const nameOf = (command: string, text: string): Parsed<string> =>
  nameShape.test(text)
    ? Result.succeed(text)
    : Setting.fail(command, `"${text}" is not a replica id; use 1 to 64 letters, digits, ".", "_" or "-"`)

export const addressOf = (command: string, text: string): Parsed<string> =>
  Result.match(Endpoint.parse(text), {
    onSuccess: (endpoint): Parsed<string> => Result.succeed(Endpoint.show(endpoint)),
    onFailure: (reason) => Setting.fail(command, `"${text}" ${reason}`)
  })

const kinds = ["add", "promote", "demote", "remove"] as const

/** `add D remove C`: each a word for what to do, and a name; D=HOST:PORT says where it is. */
export const parse = (command: string, words: ReadonlyArray<string>): Parsed<ReadonlyArray<Change>> =>
  Result.gen(function* () {
    const changes: Array<Change> = []
    for (let at = 0; at < words.length; at += 2) {
      const type = kinds.find((kind) => kind === words[at])
      const rest = words[at + 1]
      if (type === undefined) {
        return yield* Setting.fail(command, `"${words[at]}" is no change; write one of ${kinds.join(", ")}, and a name`)
      }
      if (rest === undefined) return yield* Setting.fail(command, `${type} whom? Write the name behind it`)
      const equals = rest.indexOf("=")
      const name = yield* nameOf(command, equals < 0 ? rest : rest.slice(0, equals))
      const address = equals < 0 ? undefined : yield* addressOf(command, rest.slice(equals + 1))
      changes.push(type === "add" ? { type, name, address, promote: true } : { type, name })
    }
    return changes
  })
