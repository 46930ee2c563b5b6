/**
 * Bytes in JSON. The standard and the URL-safe alphabet are read, with padding or without, and
 * line ends are skipped as etcd skips them; the standard alphabet with padding is written.
 */
import type { Key } from "../kv/KeyValue.ts"

export const encodeBytes = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")

export const encodeKey = (key: Key): string => Buffer.from(key, "latin1").toString("base64")

/** `undefined` if the text is not base64. */
export const decodeBytes = (text: string): Uint8Array | undefined => decode(text)

export const decodeKey = (text: string): Key | undefined => decode(text)?.toString("latin1")

/** Where the first character stands that is no base64, for messages; the length if all are. */
export const firstBadCharacter = (text: string): number => {
  const at = text.search(/[^A-Za-z0-9+/_\-\r\n]/)
  return at < 0 ? text.length : at
}

const decode = (text: string): Buffer | undefined => {
  const packed = text.includes("\n") || text.includes("\r") ? text.replace(/[\r\n]+/g, "") : text
  return isBase64(packed) ? Buffer.from(packed, "base64") : undefined
}

/** Node's decoder takes anything and drops what it does not know, so this looks first. */
const isBase64 = (text: string): boolean => {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return false
  const padded = text.endsWith("=")
  return padded ? text.length % 4 === 0 : text.length % 4 !== 1
}
