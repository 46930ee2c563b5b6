/** How a key and what is under it is written, wherever a command prints some. */
import type { KeyValue } from "../client/GatewayJson.ts"
import * as LeaseId from "../client/LeaseId.ts"
import * as ByteText from "./ByteText.ts"

export interface KeyValueStyle {
  readonly base64: boolean
  readonly base64Keys: boolean
  /** Both if nothing is said. */
  readonly show?: "keys" | "values" | undefined
}

/** The lease is in hexadecimal, as every command takes and prints it. */
export const toJson = (kv: KeyValue, { base64, base64Keys, show }: KeyValueStyle) => ({
  ...(show === "values" ? {} : ByteText.field("key", kv.key, base64Keys)),
  ...(show === "keys" ? {} : ByteText.field("value", kv.value, base64)),
  create_revision: kv.createRevision,
  mod_revision: kv.modRevision,
  version: kv.version,
  lease: kv.lease === undefined ? null : LeaseId.toHex(kv.lease)
})

/** What `--prev-kv` adds to JSON. */
export const previousJson = (kv: KeyValue | undefined, style: KeyValueStyle) =>
  kv === undefined ? null : toJson(kv, style)

/** On one line, with a tab in between. */
export const line = (kv: KeyValue, style: KeyValueStyle): string => `${cells(kv, style).join("\t")}\n`

export const cells = (kv: KeyValue, { base64, base64Keys, show }: KeyValueStyle): ReadonlyArray<string> => [
  ...(show === "values" ? [] : [ByteText.line(kv.key, base64Keys)]),
  ...(show === "keys" ? [] : [ByteText.line(kv.value, base64)])
]
