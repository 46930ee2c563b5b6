/**
 * Keys and values are bytes; people and JSON want text. Bytes that are UTF-8 are shown as the
 * text they are, others as base64, and never one disguised as the other.
 */
import { Result } from "effect"
import { fromBase64, toBase64 } from "../client/GatewayJson.ts"
import * as Setting from "./Setting.ts"
import type { UsageError } from "./UsageError.ts"

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Undefined when the bytes are not UTF-8. */
export const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

export const encode = (text: string): Uint8Array => Buffer.from(text, "utf8")

/** A JSON field: `name` holds text; `name_base64` holds what is not text, or what was asked for so. */
export const field = (name: string, bytes: Uint8Array, base64: boolean): Record<string, string> => {
  const text = base64 ? undefined : decode(bytes)
  return text === undefined ? { [`${name}_base64`]: toBase64(bytes) } : { [name]: text }
}

const escapes: Record<string, string> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" }

/** On one line, and harmless to a terminal: control characters become escapes. */
export const line = (bytes: Uint8Array, base64: boolean): string => {
  const text = base64 ? undefined : decode(bytes)
  if (text === undefined) return base64 ? toBase64(bytes) : `base64:${toBase64(bytes)}`
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\\\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return escapes[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`
  })
}

/** An argument of the command line: text, or bytes written in base64. */
export const argument = (
  command: string,
  what: string,
  text: string,
  base64: boolean
): Result.Result<Uint8Array, UsageError> => {
  if (!base64) return Result.succeed(encode(text))
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)
    ? Result.succeed(fromBase64(text))
    : Setting.fail(command, `${what}: "${text}" is not base64`)
}
