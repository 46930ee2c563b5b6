/**
 * The machine that is replicated: text under keys. A put carries its client and its MID, so that whoever leads when it is
 * committed can answer it, also one that has only inherited it.
 */
import { crc32 } from "node:zlib"
import type { CommandCodec } from "../codec/CommandCodec.ts"
import type { StateCodec } from "../codec/StateCodec.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import type { Machine } from "../raft/Machine.ts"
import * as ByteMachine from "../runtime/ByteMachine.ts"

export interface Put {
  readonly client: string
  readonly mid: string
  readonly key: string
  readonly value: string
}

export type State = OrderedMap.OrderedMap<string>

const machine: Machine<State, Put, void, string, string> = {
  initial: OrderedMap.empty,
  apply: (state, { key, value }) => [OrderedMap.set(state, key, value), undefined],
  // A key that was never put has the empty value.
  query: (state, key) => OrderedMap.get(state, key) ?? "",
  sizeOf: ({ key, value }) => key.length + value.length,
  digest: (put) => crc32(JSON.stringify(put))
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const fromJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    return undefined
  }
}

const isTexts = (value: unknown, length: number): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.length === length && value.every((one) => typeof one === "string")

export const commandCodec: CommandCodec<Put> = {
  encode: ({ client, mid, key, value }) => encoder.encode(JSON.stringify([client, mid, key, value])),
  decode: (bytes) => {
    const fields = fromJson(bytes)
    if (!isTexts(fields, 4)) return undefined
    const [client, mid, key, value] = fields as readonly [string, string, string, string]
    return { client, mid, key, value }
  }
}

/** A piece for each pair: they are few, and a snapshot of them is rare. */
export const stateCodec: StateCodec<State> = {
  version: 1,
  encode: function* (state) {
    const pairs: Array<readonly [string, string]> = []
    OrderedMap.walk(state, "", undefined, (value, key) => {
      pairs.push([key, value])
      return true
    })
    for (const pair of pairs) yield encoder.encode(JSON.stringify(pair))
  },
  decoder: (version) => {
    if (version !== 1) return undefined
    let state: State = OrderedMap.empty
    return {
      push: (piece) => {
        const pair = fromJson(piece)
        if (!isTexts(pair, 2)) return false
        state = OrderedMap.set(state, pair[0]!, pair[1]!)
        return true
      },
      finish: () => state
    }
  }
}

export const CourseMachine = ByteMachine.make({ machine, codec: commandCodec, unknownCommand: () => undefined })
