/**
 * The text of a request body as a JSON object. As in etcd, nothing at all and `null` are the
 * request without fields. A body that is no JSON is refused with the place where it ceases to be.
 */
import { type GatewayError, invalid } from "./GatewayError.ts"
import { endOfString } from "./JsonText.ts"
import * as LongNumber from "./LongNumber.ts"
import type { JsonObject } from "./RequestFields.ts"

export type JsonBody = { readonly _tag: "JsonBody"; readonly object: JsonObject }

const noFields: JsonBody = { _tag: "JsonBody", object: {} }

export const parse = (text: string): JsonBody | GatewayError => {
  if (/^\s*$/.test(text)) return noFields
  if (isTooDeep(text)) return invalid(`balsa: the body is nested deeper than ${maxDepth} levels`)
  let value: unknown
  try {
    value = JSON.parse(LongNumber.keep(text))
  } catch (error) {
    return invalid(`balsa: the body is not JSON: ${explain(text, error as Error)}`)
  }
  if (value === null) return noFields
  if (typeof value !== "object" || Array.isArray(value)) {
    return invalid(
      `balsa: the body must be a JSON object, not ${Array.isArray(value) ? "an array" : `a ${typeof value}`}`
    )
  }
  return { _tag: "JsonBody", object: value as JsonObject }
}

/** No request nests deeper than a transaction in a transaction or two does. */
const maxDepth = 64
/** Shorter ones are parsed in no time, however deep they are. */
const maxUncheckedCharacters = 65_536

/** Parsing a million brackets takes half a second, in which nothing else is served; counting them does not. */
const isTooDeep = (text: string): boolean => {
  if (text.length <= maxUncheckedCharacters) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) at = endOfString(text, at)
    else if (code === 0x5b || code === 0x7b) depth++
    else if (code === 0x5d || code === 0x7d) depth--
    if (depth > maxDepth) return true
  }
  return false
}

/** Bodies up to this long are searched for the place of an error; that parses them a dozen times. */
const maxSearchedCharacters = 16_384

const explain = (text: string, { message }: Error): string => {
  if (/ at position \d+/.test(message) || text.length > maxSearchedCharacters) return message
  const at = lengthOfGoodPrefix(text)
  return at < text.length ? `unexpected ${JSON.stringify(text[at])} at position ${at}` : `it ends at position ${at}`
}

/** A prefix is good if more text could make it JSON. All that are shorter are good too, so halving finds the longest. */
const lengthOfGoodPrefix = (text: string): number => {
  let good = 0
  let bad = text.length + 1
  while (good + 1 < bad) {
    const middle = (good + bad) >>> 1
    if (isGoodPrefix(text.slice(0, middle))) good = middle
    else bad = middle
  }
  return good
}

const isGoodPrefix = (prefix: string): boolean => {
  try {
    JSON.parse(prefix)
    return true
  } catch (error) {
    const { message } = error as Error
    const position = / at position (\d+)/.exec(message)
    return position === null ? message === "Unexpected end of JSON input" : Number(position[1]) >= prefix.length
  }
}
