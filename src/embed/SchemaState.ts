/**
 * A state with a schema as the pieces of a snapshot, and back. A piece is a value as SchemaBytes has it, one of
 *
 *     [field, value]        a field that is one part
 *     [field, [item, ...]]  items of a field that falls into many, in as many pieces as it takes, at least one
 *     [pieces]              last and once: how many pieces came before
 *
 * where a field is its number in the schema's order. So both ways go piece by piece, and nothing else waits for long.
 * Only a single value that is large by itself is encoded in one go (see StateLayout).
 */
import { Result } from "effect"
import type { StateCodec, StateDecoder } from "../codec/StateCodec.ts"
import type { Codec } from "./Definition.ts"
import * as SchemaBytes from "./SchemaBytes.ts"
import * as StateLayout from "./StateLayout.ts"

const version = 1

/** A piece of items ends with the one that makes its text so long. */
export const targetLength = 64 * 1024

export const make = <S>(name: string, schema: Codec<S>): StateCodec<S> => {
  const layout = StateLayout.of(schema)
  return {
    version,
    encode: (state) => pieces(name, layout, state),
    decoder: (found) => (found === version ? new Decoding(layout) : undefined)
  }
}

const pieces = function* (name: string, layout: StateLayout.Layout, state: unknown): Generator<Uint8Array, void> {
  let count = 0
  for (const [number, field] of layout.fields.entries()) {
    const value = layout.struct ? (state as Record<string, unknown>)[field.name] : state
    if (field.optional && !Object.hasOwn(state as object, field.name)) continue
    for (const text of textsOf(name, field.part, value)) {
      yield SchemaBytes.fromText(`[${number},${text}]`)
      count++
    }
  }
  yield SchemaBytes.fromText(`[${count}]`)
}

const textsOf = function* (name: string, part: StateLayout.Field["part"], value: unknown): Generator<string, void> {
  if (part._tag === "Single") return yield textOf(name, part, value)
  let texts: Array<string> = []
  let length = 0
  let began = false
  for (const item of part.items(value)) {
    const text = textOf(name, part, item)
    texts.push(text)
    length += text.length
    if (length < targetLength) continue
    yield `[${texts.join(",")}]`
    began = true
    texts = []
    length = 0
  }
  if (texts.length > 0 || !began) yield `[${texts.join(",")}]`
}

/** The machine made it, so the machine is wrong; a snapshot without it would lose it. */
const textOf = (name: string, { json }: StateLayout.Field["part"], value: unknown): string => {
  const encoded = json.encode(value)
  if (Result.isSuccess(encoded)) return JSON.stringify(encoded.success) ?? "null"
  throw new Error(`"${name}" has a state that its schema refuses: ${encoded.failure}`)
}

class Decoding<S> implements StateDecoder<S> {
  private readonly layout: StateLayout.Layout
  /** What has come, by the field's number: items, or the one value. */
  private readonly found = new Map<number, Array<unknown>>()
  private pieces = 0
  private ended = false
  private failed = false

  constructor(layout: StateLayout.Layout) {
    this.layout = layout
  }

  push(piece: Uint8Array): boolean {
    const json = SchemaBytes.fromBytes(piece)?.json
    this.failed ||= this.ended || !Array.isArray(json) || !this.take(json)
    return !this.failed
  }

  private take([first, content, ...more]: ReadonlyArray<unknown>): boolean {
    if (content === undefined) {
      this.ended = true
      return first === this.pieces
    }
    this.pieces++
    const number = first as number
    const part = this.layout.fields[number]?.part
    if (part === undefined || more.length > 0) return false
    const found = this.found.get(number)
    if (part._tag === "Many") return Array.isArray(content) && this.takeItems(number, part, content)
    if (found !== undefined) return false
    return this.takeItems(number, part, [content])
  }

  private takeItems(number: number, { json }: StateLayout.Field["part"], items: ReadonlyArray<unknown>): boolean {
    const found = this.found.get(number) ?? []
    this.found.set(number, found)
    for (const item of items) {
      const decoded = json.decode(item)
      if (Result.isFailure(decoded)) return false
      found.push(decoded.success)
    }
    return true
  }

  finish(): S | undefined {
    if (!this.ended || this.failed) return undefined
    const state: Array<[string, unknown]> = []
    for (const [number, { name, optional, part }] of this.layout.fields.entries()) {
      const found = this.found.get(number)
      if (found !== undefined) state.push([name, part._tag === "Many" ? part.from(found) : found[0]])
      else if (!optional) return undefined
    }
    return (this.layout.struct ? Object.fromEntries(state) : state[0]?.[1]) as S
  }
}
