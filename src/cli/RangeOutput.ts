/**
 * What `get` prints. A single value in `plain` is the value's own bytes; a listing has one
 * key and value on each line, so there control characters are escaped.
 */
import type { KeyValue, RangeAnswer } from "../client/GatewayJson.ts"
import { toBase64 } from "../client/GatewayJson.ts"
import * as LeaseId from "../client/LeaseId.ts"
import * as ByteText from "./ByteText.ts"
import type { OutputFormat } from "./ClientOptions.ts"
import * as KeyValueOutput from "./KeyValueOutput.ts"
import * as Table from "./Table.ts"

export interface RangeStyle extends KeyValueOutput.KeyValueStyle {
  readonly format: OutputFormat
  /** One key was asked for by name. */
  readonly single: boolean
  /** A person reads it, so bytes that are no text must not reach the terminal. */
  readonly terminal: boolean
}

/** Whether pages can be printed one by one; the others need to know all before the first line. */
export const isStreamed = (format: OutputFormat): boolean => format === "plain" || format === "jsonl"

export const render = (answer: RangeAnswer, style: RangeStyle): string | Uint8Array => {
  switch (style.format) {
    case "json":
      return `${JSON.stringify({
        header: { revision: answer.revision },
        kvs: answer.kvs.map((kv) => KeyValueOutput.toJson(kv, style)),
        count: answer.count,
        more: answer.more
      })}\n`
    case "jsonl":
      return answer.kvs
        .map((kv) => `${JSON.stringify({ ...KeyValueOutput.toJson(kv, style), revision: answer.revision })}\n`)
        .join("")
    case "table":
      return answer.kvs.length === 0 ? "" : renderTable(answer.kvs, style)
    case "plain":
      return style.single && style.show !== "keys"
        ? renderValue(answer.kvs, style)
        : answer.kvs.map((kv) => KeyValueOutput.line(kv, style)).join("")
  }
}

export const renderCount = ({ revision, count }: RangeAnswer, format: OutputFormat): string =>
  format === "json" || format === "jsonl" ? `${JSON.stringify({ header: { revision }, count })}\n` : `${count}\n`

const renderTable = (kvs: ReadonlyArray<KeyValue>, style: RangeStyle): string => {
  const leased = kvs.some(({ lease }) => lease !== undefined)
  const columns: ReadonlyArray<readonly [header: string, shown: boolean, cell: (kv: KeyValue) => string]> = [
    ["KEY", style.show !== "values", ({ key }) => ByteText.line(key, style.base64Keys)],
    ["REVISION", true, ({ modRevision }) => String(modRevision)],
    ["VERSION", true, ({ version }) => String(version)],
    ["LEASE", leased, ({ lease }) => (lease === undefined ? "-" : LeaseId.toHex(lease))],
    ["VALUE", style.show !== "keys", ({ value }) => ByteText.line(value, style.base64)]
  ]
  const shown = columns.filter(([, isShown]) => isShown)
  return Table.render(
    shown.map(([header]) => header),
    kvs.map((kv) => shown.map(([, , cell]) => cell(kv)))
  )
}

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
