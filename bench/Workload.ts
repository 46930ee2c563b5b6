/**
 * What is asked, and by how many. A name says all of it:
 *
 *     put-64          64 clients, values of 256 bytes
 *     get-256         256 clients, linearizable
 *     serializable-1  gets that one member may answer from what it has
 *     mixed-64        half puts, half linearizable gets
 *     put-50x16       50 clients that send 16 at once, and the next 16 when all are answered
 *     put-64-16KB     larger values
 *     range-4         a thousand keys at once, linearizable
 */
export type Kind = "put" | "get" | "serializable" | "mixed" | "range"
export type Operation = Exclude<Kind, "mixed">

export interface Workload {
  readonly name: string
  readonly kind: Kind
  readonly clients: number
  readonly pipeline: number
  readonly valueBytes: number
}

const kinds: ReadonlyArray<Kind> = ["put", "get", "serializable", "mixed", "range"]
const maxClients = 10_000
const maxPipeline = 1000
const maxValueBytes = 32 * 1024
const grammar = /^([a-z]+)-(\d+)(?:x(\d+))?(?:-(\d+)(B|KB))?$/

export const parse = (name: string): Workload => {
  const [, kind, clients, pipeline = "1", size = "256", unit] = grammar.exec(name) ?? []
  const known = kinds.find((one) => one === kind)
  if (known === undefined) {
    throw new Error(`"${name}" is no workload; one is like put-64, get-1, mixed-64, put-50x16 or put-64-1KB`)
  }
  return {
    name,
    kind: known,
    clients: within(name, "clients", Number(clients), maxClients),
    pipeline: within(name, "requests at once", Number(pipeline), maxPipeline),
    valueBytes: within(
      name,
      "bytes",
      Number(size) * (unit === "KB" ? 1024 : 1),
      known === "range" ? Math.floor(maxDataBytes / keysInRange) : maxValueBytes
    )
  }
}

const within = (name: string, what: string, value: number, most: number): number => {
  if (value >= 1 && value <= most) return value
  throw new Error(`"${name}": ${what} must be 1 to ${most}`)
}

/** In the order in which they are measured; gets come after puts, so that there is something to get. */
export const usual: ReadonlyArray<string> = (
  "put-1 put-64 put-256 put-50x16 get-1 get-64 get-256 serializable-1 serializable-64 serializable-256 " +
  "mixed-64 put-64-1KB put-64-16KB"
).split(" ")

export const quick: ReadonlyArray<string> = ["put-1", "put-64", "put-50x16", "get-64", "serializable-64"]

export const operationsOf = (kind: Kind): ReadonlyArray<Operation> => (kind === "mixed" ? ["put", "get"] : [kind])

export interface Pair {
  readonly key: string
  readonly value: Buffer
  /** The key after the last of a range that begins here, and that one's value. */
  readonly until?: string
  readonly lastValue?: Buffer
}

export const keysInRange = 1000

/** A range of so many keys, from the number `at` on. */
export const rangeAt = (valueBytes: number, at: number): Pair => ({
  ...pairAt(valueBytes, at),
  until: keyAt(valueBytes, at + keysInRange),
  lastValue: pairAt(valueBytes, at + keysInRange - 1).value
})

const maxKeys = 4096
const maxDataBytes = 16 * 1024 * 1024

/** A fixed set for each size of values, the same for every system; a key has the same value always. */
export const pairs = (valueBytes: number): ReadonlyArray<Pair> =>
  Array.from({ length: keysFor(valueBytes) }, (_, at) => pairAt(valueBytes, at))

export const keysFor = (valueBytes: number): number => Math.min(maxKeys, Math.floor(maxDataBytes / valueBytes))

/** Number so many of as many keys as one likes; they are in order. */
export const pairAt = (valueBytes: number, at: number): Pair => ({
  key: keyAt(valueBytes, at),
  value: bytes(at, valueBytes)
})

export const keyAt = (valueBytes: number, at: number): string => `bench/${valueBytes}/${String(at).padStart(8, "0")}`

/** Differ from key to key, so that no value is right by chance. */
const bytes = (at: number, count: number): Buffer => {
  const random = shuffle(at + 1)
  const words = Uint32Array.from({ length: Math.ceil(count / 4) }, random)
  return Buffer.from(words.buffer, 0, count)
}

/** xorshift32: the same numbers from the same seed, which must not be 0. */
export const shuffle = (seed: number) => (): number => {
  seed ^= seed << 13
  seed ^= seed >>> 17
  seed ^= seed << 5
  return seed >>> 0
}
