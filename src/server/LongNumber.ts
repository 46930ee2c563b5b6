/**
 * Integers in JSON that a JavaScript number does not hold, such as ids of leases. They are kept apart in the text, before it is
 * parsed, as strings that begin with a mark; who reads a field gets them whole.
 */
import * as JsonText from "./JsonText.ts"

/** No base64, no name and no number begins with it. */
const mark = "\0"

/** The same JSON where it has no such integer. */
export const keep = (json: string): string => {
  if (!/[0-9]{16}/.test(json)) return json
  let kept = ""
  let from = 0
  for (const { token, index } of JsonText.tokensIn(json, number)) {
    if (!isLong(token)) continue
    kept += `${json.slice(from, index)}"\\u0000${token}"`
    from = index + token.length
  }
  return kept + json.slice(from)
}

export const read = (value: unknown): unknown =>
  typeof value === "string" && value.startsWith(mark) && isLong(value.slice(1)) ? BigInt(value.slice(1)) : value

const number = String.raw`-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?`

const isLong = (token: string): boolean => /^-?[1-9]\d{15,39}$/.test(token)
