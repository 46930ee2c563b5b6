/**
 * Integers in JSON that a JavaScript number does not hold, such as ids of leases. They are kept apart in the text, before it is
 * parsed, as strings that begin with a mark; who reads a field gets them whole.
 */

/** No base64, no name and no number begins with it. */
const mark = "\0"

/** The same JSON where it has no such integer. */
export const keep = (json: string): string =>
  /[0-9]{16}/.test(json) ? json.replace(stringOrNumber, (token) => (isLong(token) ? `"\\u0000${token}"` : token)) : json

export const read = (value: unknown): unknown =>
  typeof value === "string" && value.startsWith(mark) && isLong(value.slice(1)) ? BigInt(value.slice(1)) : value

/** Strings are matched so that what looks like a number in them is passed over. */
const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

const isLong = (token: string): boolean => /^-?[1-9]\d{15,39}$/.test(token)
