/**
 * A value as bytes by its schema: one byte that names the form, then JSON in UTF-8. Bytes on disk must
 * still be read after an upgrade of Effect, whose binary codec (SchemaBinary) is faster and not declared
 * stable; the JSON of a schema is, and people can read it when they look into a log.
 */
import { Exit, Result, Schema } from "effect"
import type { Codec } from "./Definition.ts"

/** The only form so far. Bytes that begin with another are of a later version. */
const json = 1

export interface SchemaBytes<T> {
  /** Why not, in words, where the schema refuses it. */
  readonly encode: (value: T) => Result.Result<Uint8Array, string>
  /** Total: `undefined` for bytes that are no such value. */
  readonly decode: (bytes: Uint8Array) => T | undefined
}

export const make = <T>(schema: Codec<T>): SchemaBytes<T> => {
  const value = ofJson(schema)
  return {
    encode: (one) => Result.map(value.encode(one), (json) => fromText(JSON.stringify(json) ?? "null")),
    decode: (bytes) => {
      const found = fromBytes(bytes)
      return found === undefined ? undefined : Result.getOrUndefined(value.decode(found.json))
    }
  }
}

export interface SchemaJson<T> {
  readonly encode: (value: T) => Result.Result<unknown, string>
  /** Total, too. */
  readonly decode: (json: unknown) => Result.Result<T, void>
}

export interface Exactness {
  /** Refuses what has more in it than the schema says, instead of leaving that out. */
  readonly exact?: boolean
}

/** Values as JSON's: what `JSON.stringify` takes as it is. */
export const ofJson = <T>(schema: Codec<T>, { exact = false }: Exactness = {}): SchemaJson<T> => {
  const codec = Schema.toCodecJson(schema)
  const encode = Schema.encodeUnknownExit(codec, { onExcessProperty: exact ? "error" : "ignore" })
  const decode = Schema.decodeUnknownExit(codec)
  return {
    encode: (value) => {
      // A transformation of the user's may throw, and so does a value without end.
      try {
        const exit = encode(value)
        return Exit.isSuccess(exit) ? Result.succeed(exit.value) : Result.fail(whyNot(exit))
      } catch (error) {
        return Result.fail(String(error))
      }
    },
    decode: (found) => {
      try {
        const exit = decode(found)
        return Exit.isSuccess(exit) ? Result.succeed(exit.value) : Result.failVoid
      } catch {
        return Result.failVoid
      }
    }
  }
}

/** JSON as bytes of the form. */
export const fromText = (text: string): Uint8Array => {
  const bytes = Buffer.allocUnsafeSlow(1 + Buffer.byteLength(text))
  bytes[0] = json
  bytes.write(text, 1)
  return bytes
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** In an object, for `null` is JSON too. */
export const fromBytes = (bytes: Uint8Array): { readonly json: unknown } | undefined => {
  if (bytes[0] !== json) return undefined
  try {
    return { json: JSON.parse(utf8.decode(bytes.subarray(1))) as unknown }
  } catch {
    return undefined
  }
}

const whyNot = (exit: Exit.Failure<unknown, Schema.SchemaError>): string => {
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return reason.error.message
    if (reason._tag === "Die") return String(reason.defect)
  }
  return "it was interrupted"
}
