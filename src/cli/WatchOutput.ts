/** How an event is printed: each on one line, whatever is in it. */
import type { WatchEvent } from "../client/WatchResponse.ts"
import * as ByteText from "./ByteText.ts"
import type { OutputFormat } from "./ClientOptions.ts"
import * as KeyValueOutput from "./KeyValueOutput.ts"

export interface WatchStyle extends KeyValueOutput.KeyValueStyle {
  readonly format: OutputFormat
  readonly previous: boolean
}

const typeOf = ({ _tag }: WatchEvent): "PUT" | "DELETE" => (_tag === "Put" ? "PUT" : "DELETE")

export const header = "REVISION  EVENT   KEY\tVALUE\n"

export const renderEvent = (event: WatchEvent, style: WatchStyle): string => {
  const { kv, previous } = event
  const revision = String(kv.modRevision)
  const key = ByteText.line(kv.key, style.base64Keys)
  const values = [
    ...(event._tag === "Put" ? [ByteText.line(kv.value, style.base64)] : []),
    ...(style.previous && previous !== undefined ? [`(was ${ByteText.line(previous.value, style.base64)})`] : [])
  ]
  switch (style.format) {
    case "json":
    case "jsonl":
      return `${JSON.stringify(toJson(event, style))}\n`
    case "table":
      return `${`${revision.padEnd(8)}  ${typeOf(event).padEnd(6)}  ${[key, ...values].join("\t")}`.trimEnd()}\n`
    case "plain":
      return `${[revision, typeOf(event), key, ...values].join("\t")}\n`
  }
}

const toJson = (event: WatchEvent, style: WatchStyle) => {
  const { kv, previous } = event
  const before = style.previous ? { prev_kv: KeyValueOutput.previousJson(previous, style) } : {}
  return event._tag === "Put"
    ? { type: "PUT", revision: kv.modRevision, ...KeyValueOutput.toJson(kv, style), ...before }
    : { type: "DELETE", revision: kv.modRevision, ...ByteText.field("key", kv.key, style.base64Keys), ...before }
}

/** Nothing happened up to `revision`; a later watch may begin after it. */
export const renderProgress = (revision: number, format: OutputFormat): string => {
  switch (format) {
    case "json":
    case "jsonl":
      return `${JSON.stringify({ type: "PROGRESS", revision })}\n`
    case "table":
      return `${String(revision).padEnd(8)}  PROGRESS\n`
    case "plain":
      return `${revision}\tPROGRESS\n`
  }
}

/** The longest text that Linux takes in one variable is 128 KiB, its name included. */
const maxVariableBytes = 100_000

/** For the program of `--exec`. What a variable cannot hold is left out; all of the value comes on standard input. */
export const environmentOf = (event: WatchEvent): Readonly<Record<string, string>> => {
  const { kv } = event
  return {
    BALSA_WATCH_TYPE: typeOf(event),
    BALSA_WATCH_REVISION: String(kv.modRevision),
    ...variable("BALSA_WATCH_KEY", kv.key),
    ...(event._tag === "Put" ? variable("BALSA_WATCH_VALUE", kv.value) : {})
  }
}

const variable = (name: string, bytes: Uint8Array): Readonly<Record<string, string>> => {
  if (bytes.length > maxVariableBytes) return {}
  const text = ByteText.decode(bytes)
  return text === undefined || text.includes("\0")
    ? { [`${name}_BASE64`]: Buffer.from(bytes).toString("base64") }
    : { [name]: text }
}
