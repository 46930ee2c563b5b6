/**
 * Reads the fields of one request object by hand, as proto3 JSON has them: two spellings of a
 * name, of which the one in camelCase goes before the other, int64 as string or number, null as absent, unknown names ignored. The first wrong field
 * is kept in `problem`; reading goes on with a default, so a caller looks once, at the end.
 */
import type { Key } from "../kv/KeyValue.ts"
import { decodeBytes, decodeKey, firstBadCharacter } from "./Base64.ts"
import { type GatewayError, invalid } from "./GatewayError.ts"
import * as LongNumber from "./LongNumber.ts"

export type JsonObject = { readonly [name: string]: unknown }

export class RequestFields {
  problem: GatewayError | undefined = undefined
  private readonly object: JsonObject

  constructor(object: JsonObject) {
    this.object = object
  }

  /** Base64; "" if absent. */
  key(snake: string, camel: string): Key {
    const text = this.text(snake, camel)
    return (text === "" ? "" : decodeKey(text)) ?? this.badBase64(snake, text, "")
  }

  /** Base64; empty if absent. */
  bytes(snake: string, camel: string): Uint8Array {
    const text = this.text(snake, camel)
    return (text === "" ? noBytes : decodeBytes(text)) ?? this.badBase64(snake, text, noBytes)
  }

  flag(snake: string, camel: string): boolean {
    const value = this.field(snake, camel)
    if (value === undefined) return false
    return typeof value === "boolean" ? value : this.wrong(snake, "true or false", value, false)
  }

  /** 0 if absent. Beyond what a number holds exactly it is the nearest one that is: no revision, count or version is as large. */
  int64(snake: string, camel: string): number {
    const number = this.bigInt64(snake, camel)
    return Number(number < leastSafe ? leastSafe : number > greatestSafe ? greatestSafe : number)
  }

  /** The same to the last digit, for ids; 0n if absent. */
  bigInt64(snake: string, camel: string): bigint {
    const value = this.field(snake, camel)
    if (value === undefined) return 0n
    const number = integerIn(value)
    return number !== undefined && BigInt.asIntN(64, number) === number
      ? number
      : this.wrong(snake, "a 64-bit integer, as a number or a string", value, 0n)
  }

  /** An enum's value by name or number; the first of `names` (number 0) if absent. */
  choice<const Name extends string>(snake: string, camel: string, names: readonly [Name, ...Name[]]): Name {
    const value = this.field(snake, camel)
    if (value === undefined) return names[0]
    const found = typeof value === "number" ? names[value] : names.find((name) => name === value)
    return found ?? this.wrong(snake, `one of ${names.join(", ")}`, value, names[0])
  }

  /** Several values of an enum. As in etcd, numbers without a name are passed over. */
  choices<const Name extends string>(name: string, names: ReadonlyArray<Name>): ReadonlyArray<Name> {
    const value = this.field(name, name)
    if (value === undefined) return []
    const isKnown = (one: unknown): boolean => Number.isInteger(one) || names.some((known) => known === one)
    if (!Array.isArray(value) || !value.every(isKnown)) {
      return this.wrong(name, `a list of ${names.join(", ")}`, value, [])
    }
    return names.filter((known, number) => value.includes(known) || value.includes(number))
  }

  /** "" if absent. */
  string(name: string): string {
    const value = this.field(name, name)
    if (value === undefined) return ""
    return typeof value === "string" ? value : this.wrong(name, "a string", value, "")
  }

  /** An unsigned 64-bit number in decimal, which a JavaScript number need not hold; "" if absent or 0. */
  decimal(name: string): string {
    const value = this.field(name, name)
    if (value === undefined) return ""
    const isNumber = typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value))
    const text = isNumber ? String(value) : value
    const isDecimal = typeof text === "string" && /^\s*\d{1,20}\s*$/.test(text)
    if (isDecimal && BigInt(text) < 2n ** 64n) return BigInt(text) === 0n ? "" : text.trim()
    return this.wrong(name, "an unsigned 64-bit integer, as a string", value, "")
  }

  strings(name: string): ReadonlyArray<string> {
    const value = this.field(name, name)
    if (value === undefined) return []
    const isList = Array.isArray(value) && value.every((one) => typeof one === "string")
    return isList ? value : this.wrong(name, "a list of strings", value, [])
  }

  /** `undefined` if absent. */
  message(snake: string, camel: string): JsonObject | undefined {
    const value = this.field(snake, camel)
    if (value === undefined) return undefined
    return isObject(value) ? value : this.wrong(snake, "an object", value, undefined)
  }

  objects(name: string): ReadonlyArray<JsonObject> {
    const value = this.field(name, name)
    if (value === undefined) return []
    return Array.isArray(value) && value.every(isObject) ? value : this.wrong(name, "a list of objects", value, [])
  }

  private field(snake: string, camel: string): unknown {
    const { object } = this
    return LongNumber.read((Object.hasOwn(object, camel) ? object[camel] : object[snake]) ?? undefined)
  }

  private text(snake: string, camel: string): string {
    const value = this.field(snake, camel)
    if (value === undefined) return ""
    return typeof value === "string" ? value : this.wrong(snake, "a base64 string", value, "")
  }

  private wrong<A>(name: string, expected: string, value: unknown, instead: A): A {
    this.problem ??= invalid(`balsa: field "${name}" must be ${expected}, not ${describe(value)}`)
    return instead
  }

  private badBase64<A>(name: string, text: string, instead: A): A {
    const at = firstBadCharacter(text)
    const where =
      at < text.length ? `illegal base64 data at input byte ${at}` : `base64 of ${at} characters is cut short`
    this.problem ??= invalid(`balsa: field "${name}": ${where}`)
    return instead
  }
}

const noBytes = new Uint8Array(0)

const leastSafe = BigInt(Number.MIN_SAFE_INTEGER)
const greatestSafe = BigInt(Number.MAX_SAFE_INTEGER)

const integerIn = (value: unknown): bigint | undefined => {
  if (typeof value === "bigint") return value
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : undefined
  return typeof value === "string" && /^\s*-?(0|[1-9][0-9]{0,19})\s*$/.test(value) ? BigInt(value.trim()) : undefined
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const describe = (value: unknown): string => {
  if (Array.isArray(value)) return "an array"
  if (typeof value === "object") return "an object"
  const text = typeof value === "bigint" ? String(value) : JSON.stringify(value)
  return text.length <= 40 ? text : `${text.slice(0, 40)}... (${text.length} characters)`
}
