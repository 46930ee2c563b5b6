/**
 * The simulator's own machine: a few registers. Every write leaves its own number and
 * tells what it replaced, so that a lost, doubled or misplaced one shows in the answers;
 * the state carries a digest of all that made it.
 */
import type { Machine } from "../raft/Machine.ts"
import { mix } from "./Random.ts"
import type { Subject } from "./Subject.ts"

export interface Registers {
  readonly digest: number
  readonly cells: ReadonlyArray<Cell>
}

export interface Cell {
  /** The operation that wrote it last; 0 is none. */
  readonly value: number
  /** How many writes it has seen. */
  readonly version: number
}

export interface Write {
  readonly key: number
  readonly value: number
  readonly bytes: number
}

export interface Look {
  readonly key: number
}

const blank: Cell = { value: 0, version: 0 }

/** A write's result is the cell as it was before; a look's answer the cell as it is. */
export const machine: Machine<Registers, Write, Cell, Look, Cell> = {
  initial: { digest: 0, cells: [] },
  apply: (state, { key, value }) => {
    const before = state.cells[key] ?? blank
    const cells = state.cells.slice()
    while (cells.length <= key) cells.push(blank)
    cells[key] = { value, version: before.version + 1 }
    return [{ digest: mix(mix(state.digest, key), value), cells }, before]
  },
  query: (state, { key }) => state.cells[key] ?? blank,
  sizeOf: (command) => command.bytes,
  digest: ({ key, value }, before) => mix(mix(mix(key, value), before.value), before.version)
}

const keys = 3

const same = (one: Cell, other: Cell): boolean => one.value === other.value && one.version === other.version

export const subject: Subject<Registers, Write, Cell, Look, Cell> = {
  name: "registers",
  machine,
  command: (random, number) => ({ key: random.below(keys), value: number, bytes: 1 + random.below(64) }),
  query: (random) => ({ key: random.below(keys) }),
  digest: (state) => state.digest,
  /** A value that nobody wrote, where the next write or read of it tells. */
  alter: (random, { digest, cells }) => {
    const key = random.below(keys)
    const altered = Array.from({ length: Math.max(cells.length, key + 1) }, (_, at) => cells[at] ?? blank)
    altered[key] = { value: -1, version: altered[key]!.version }
    return { digest: mix(digest, -1), cells: altered }
  },
  sameResult: same,
  sameAnswer: same
}
