/** The machine of golden scripts: names with values, so that scripts read like a client's day. */
import type { Machine } from "../raft/Machine.ts"
import { text } from "./Random.ts"
import type { Subject } from "./Subject.ts"

export type Notes = ReadonlyMap<string, string>

export interface Put {
  readonly put: string
  readonly value: string
}

export interface Get {
  readonly get: string
}

/** A put gives what it replaced. */
export type Value = { readonly value: string | undefined }

export const machine: Machine<Notes, Put, Value, Get, Value> = {
  initial: new Map(),
  apply: (state, { put, value }) => [new Map(state).set(put, value), { value: state.get(put) }],
  query: (state, { get }) => ({ value: state.get(get) }),
  sizeOf: ({ put, value }) => put.length + value.length,
  digest: ({ put, value }, before) => text(`${put}=${value}, was ${before.value}`)
}

const same = (one: Value, other: Value): boolean => one.value === other.value

export const subject: Subject<Notes, Put, Value, Get, Value> = {
  name: "notes",
  machine,
  command: (random, number) => ({ put: random.pick(["x", "y"]), value: `${number}` }),
  query: (random) => ({ get: random.pick(["x", "y"]) }),
  digest: (state) => text([...state].join()),
  alter: (_, state) => new Map([...state].map(([name]) => [name, "?"])),
  sameResult: same,
  sameAnswer: same
}

export const show = (shown: unknown): string => {
  const one = shown as Partial<Put & Get & Value>
  if (one.put !== undefined) return `${one.put}=${one.value}`
  if (one.get !== undefined) return one.get
  return one.value === undefined ? "none" : `"${one.value}"`
}
