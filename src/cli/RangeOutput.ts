/**
 * What `get` prints. A single value in `plain` is the value's own bytes; a listing has one
 * key and value on each line, so there control characters are escaped.
 */
import type { KeyValue, RangeAnswer } from "../client/GatewayJson.ts"
import { toBase64 } from "../client/GatewayJson.ts"
import * as ByteText from "./ByteText.ts"
import type { OutputFormat } from "./ClientOptions.ts"
import * as Table from "./Table.ts"

export interface RangeStyle {
  readonly format: OutputFormat
  readonly base64: boolean
  readonly base64Keys: boolean
  /** One key was asked for by name. */
  readonly single: boolean
  /** A person reads it, so bytes that are no text must not reach the terminal. */
  readonly terminal: boolean
}

export const render = (answer: RangeAnswer, style: RangeStyle): string | Uint8Array => {
  switch (style.format) {
    case "json":
      return `${JSON.stringify({
        header: { revision: answer.revision },
        kvs: answer.kvs.map((kv) => toJson(kv, style)),
        count: answer.count,
        more: answer.more
      })}\n`
    case "jsonl":
      return answer.kvs.map((kv) => `${JSON.stringify({ ...toJson(kv, style), revision: answer.revision })}\n`).join("")
    case "table":
      return answer.kvs.length === 0 ? "" : renderTable(answer.kvs, style)
    case "plain":
      return style.single ? renderValue(answer.kvs, style) : answer.kvs.map((kv) => renderLine(kv, style)).join("")
  }
}

const toJson = (kv: KeyValue, style: RangeStyle) => ({
  ...ByteText.field("key", kv.key, style.base64Keys),
  ...ByteText.field("value", kv.value, style.base64),
  create_revision: kv.createRevision,
  mod_revision: kv.modRevision,
  version: kv.version,
  lease: String(kv.lease ?? 0)
})

const renderTable = (kvs: ReadonlyArray<KeyValue>, style: RangeStyle): string =>
  Table.render(
    ["KEY", "REVISION", "VERSION", "VALUE"],
    kvs.map((kv) => [
      ByteText.line(kv.key, style.base64Keys),
      String(kv.modRevision),
      String(kv.version),
      ByteText.line(kv.value, style.base64)
    ])
  )

const renderLine = (kv: KeyValue, style: RangeStyle): string =>
  `${ByteText.line(kv.key, style.base64Keys)}\t${ByteText.line(kv.value, style.base64)}\n`

const renderValue = (kvs: ReadonlyArray<KeyValue>, style: RangeStyle): string | Uint8Array => {
  const value = kvs[0]?.value
  if (value === undefined) return ""
  if (style.base64) return `${toBase64(value)}\n`
  const text = ByteText.decode(value)
  // A newline after bytes that are no text would spoil a file; without one after text, a
  // terminal's prompt and line-reading tools stumble.
  if (text === undefined) return style.terminal ? `base64:${toBase64(value)}\n` : value
  return text.endsWith("\n") ? text : `${text}\n`
}
