/** Scenarios that are told twice, and the commands that they are made of. */
import { expect, it } from "vitest"
import type { DeleteRange, KvCommand, Put, Txn } from "../../src/kv/KvCommand.ts"
import type { RangeQuery } from "../../src/kv/KvQuery.ts"

export const put = (key: string, value = "v"): Put => ({ _tag: "Put", key, value: Buffer.from(value), prevKv: false })
export const del = (key: string): DeleteRange => ({ _tag: "DeleteRange", key, rangeEnd: undefined, prevKv: false })
export const compact = (revision: number): KvCommand => ({ _tag: "Compact", revision })
export const read = (key: string, revision: number): RangeQuery => ({
  _tag: "Range",
  key,
  rangeEnd: undefined,
  limit: 0,
  revision,
  keysOnly: false,
  countOnly: false
})
export const txn = (...success: Txn["success"]): Txn => ({ _tag: "Txn", compares: [], success, failure: [] })

/** Twice: as it is, and broken. */
export const scenario = <B>(
  name: string,
  told: (broken?: B) => void,
  { broken, objection }: { readonly broken: B; readonly objection: string }
): void => {
  it(name, () => {
    told()
    expect(() => told(broken)).toThrow(objection)
  })
}
