/**
 * What is asked: requests over a fixed set of keys, built beforehand so that sending one costs the
 * load generator next to nothing, and the same ones in the same order for every system.
 */
import { post } from "./Connection.ts"
import type { OperationName } from "./Options.ts"

export const keyCount = 4096
export const valueBytes = 256

export interface Operation {
  readonly name: OperationName
  readonly requests: ReadonlyArray<Buffer>
  /** Stands in every right answer: a get that finds nothing is an error here. */
  readonly expected: string
}

export const operation = (name: OperationName): Operation => {
  switch (name) {
    case "put":
      return {
        name,
        requests: each((key, at) => post("/v3/kv/put", { key, value: value(at) })),
        expected: `"revision":`
      }
    case "get":
      return { name, requests: each((key) => post("/v3/kv/range", { key })), expected: `"value":"` }
    case "serializable":
      return {
        name,
        requests: each((key) => post("/v3/kv/range", { key, serializable: true })),
        expected: `"value":"`
      }
  }
}

const each = (request: (key: string, at: number) => Buffer): ReadonlyArray<Buffer> =>
  Array.from({ length: keyCount }, (_, at) =>
    request(Buffer.from(`bench/${String(at).padStart(8, "0")}`).toString("base64"), at)
  )

/** Bytes that differ from key to key, so that nothing is the same string by chance. */
const value = (at: number): string => {
  const random = shuffle(at + 1)
  return Buffer.from(Array.from({ length: valueBytes }, () => random() & 255)).toString("base64")
}

/** xorshift32: the same numbers from the same seed, which must not be 0. */
export const shuffle = (seed: number) => (): number => {
  seed ^= seed << 13
  seed ^= seed >>> 17
  seed ^= seed << 5
  return seed >>> 0
}
