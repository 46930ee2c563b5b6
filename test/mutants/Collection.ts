/**
 * What tests take for Vitest in a process with a mutant: it gathers them, and
 * they are run one after the other until one fails. A process of Vitest's own for each
 * mutant would take longer than all of the tests.
 */
export { assert, expect } from "vitest"

export interface CollectedTest {
  readonly name: string
  readonly body: () => unknown
}

export const collected: Array<CollectedTest> = []

const path: Array<string> = []

export const describe = (name: string, body: () => void): void => {
  path.push(name)
  body()
  path.pop()
}

export const test = (name: string, body: () => unknown): void => {
  collected.push({ name: [...path, name].join(" > "), body })
}

test.each =
  (cases: ReadonlyArray<unknown>) =>
  (name: string, body: (...args: ReadonlyArray<unknown>) => unknown): void => {
    for (const [at, one] of cases.entries()) {
      test(`${name}, case ${at + 1}`, () => (Array.isArray(one) ? body(...one) : body(one)))
    }
  }

export const it = test
