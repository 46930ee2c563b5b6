/**
 * A definition as what a replica is made of: a machine over prepared commands, the codecs of commands and
 * state, and checks of what callers pass. A command travels with its bytes, so it is encoded once,
 * before it is submitted, where the caller can be told what is wrong with it.
 */
import { crc32 } from "node:zlib"
import { Result, Schema } from "effect"
import type { CommandCodec } from "../codec/CommandCodec.ts"
import type { StateCodec } from "../codec/StateCodec.ts"
import type { Machine } from "../raft/Machine.ts"
import type { Definition } from "./Definition.ts"
import { type InvalidCommand, invalidCommand, type InvalidQuery, invalidQuery } from "./InvalidInput.ts"
import * as SchemaBytes from "./SchemaBytes.ts"
import * as SchemaState from "./SchemaState.ts"

/**
 * What stands in for the result of bytes that are no command here: of a later version, mostly, and then
 * nobody waits for it here. It never leaves this folder.
 */
const unknown: unique symbol = Symbol("unknown command")

export const isUnknown = (result: unknown): boolean => result === unknown

/** A command with its bytes, as `prepare` or a decoder made it. */
export interface Prepared<C> {
  readonly command: C
  readonly bytes: Uint8Array
}

export interface SchemaMachine<S, C, R, Q, A> {
  readonly name: string
  readonly machine: Machine<S, Prepared<C>, R, Q, A>
  readonly codec: CommandCodec<Prepared<C>>
  readonly state: StateCodec<S>
  readonly unknownCommand: (state: S) => R
  readonly prepare: (command: C) => Result.Result<Prepared<C>, InvalidCommand>
  readonly check: (query: Q) => Result.Result<Q, InvalidQuery>
}

export const make = <S, C, R, Q, A>(definition: Definition<S, C, R, Q, A>): SchemaMachine<S, C, R, Q, A> => {
  const { name, apply, read, initial } = definition
  const commands = SchemaBytes.make(definition.command)
  const results = SchemaBytes.make(definition.result)
  const isQuery = Schema.is(definition.query)
  const asQuery = Schema.decodeUnknownResult(Schema.toType(definition.query))
  const state = SchemaState.make(name, definition.state)
  return {
    name,
    state,
    machine: {
      initial,
      apply: (before, { command }, ...context) => apply(before, command, ...context),
      query: read,
      sizeOf: ({ bytes }) => bytes.length,
      digest: ({ bytes }, result) => crc32(bytesOf(name, results, result), crc32(bytes))
    },
    codec: {
      encode: ({ bytes }) => bytes,
      decode: (bytes) => {
        const command = commands.decode(bytes)
        return command === undefined ? undefined : { command, bytes }
      }
    },
    unknownCommand: () => unknown as R,
    prepare: (command) => {
      const encoded = commands.encode(command)
      return Result.isSuccess(encoded)
        ? Result.succeed({ command, bytes: encoded.success })
        : Result.fail(invalidCommand(name, encoded.failure))
    },
    check: (query) => {
      if (isQuery(query)) return Result.succeed(query)
      const decoded = asQuery(query)
      return Result.fail(
        invalidQuery(name, Result.isFailure(decoded) ? decoded.failure.message : "it changes when read")
      )
    }
  }
}

/** A result that its own schema refuses is a mistake in the machine, the same on every replica. */
const bytesOf = <R>(name: string, results: SchemaBytes.SchemaBytes<R>, result: R): Uint8Array => {
  const encoded = results.encode(result)
  if (Result.isSuccess(encoded)) return encoded.success
  throw new Error(`"${name}" gave a result that its schema refuses: ${encoded.failure}`)
}
