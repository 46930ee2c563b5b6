/** What a range may be asked for, as people write it and as the gateway takes it. */
import type { Json } from "./GatewayJson.ts"
import { toBase64 } from "./GatewayJson.ts"
import * as KeyRange from "./KeyRange.ts"

export type SortTarget = "key" | "version" | "create" | "mod" | "value"

export interface RangeOptions {
  /** As of this revision; the latest if nothing is said. */
  readonly revision?: number | undefined
  /** At most so many keys; 0 is all of them. */
  readonly limit?: number | undefined
  /** The store sorts before it limits. */
  readonly sort?: { readonly by: SortTarget; readonly descending?: boolean | undefined } | undefined
  /** Values stay away. */
  readonly keysOnly?: boolean | undefined
  /** Only `count` is answered. */
  readonly countOnly?: boolean | undefined
  readonly minModRevision?: number | undefined
  readonly maxModRevision?: number | undefined
  readonly minCreateRevision?: number | undefined
  readonly maxCreateRevision?: number | undefined
  /** From what one replica has, which may be out of date; without asking a majority. */
  readonly serializable?: boolean | undefined
}

export const encodeKeys = (keys: KeyRange.Keys): Json => {
  const { key, rangeEnd } = KeyRange.of(keys)
  return { key: toBase64(key), ...(rangeEnd === undefined ? {} : { range_end: toBase64(rangeEnd) }) }
}

const sortTarget: Readonly<Record<SortTarget, string>> = {
  key: "KEY",
  version: "VERSION",
  create: "CREATE",
  mod: "MOD",
  value: "VALUE"
}

export const encode = (keys: KeyRange.Keys, options: RangeOptions): Json => ({
  ...encodeKeys(keys),
  ...integer("revision", options.revision),
  ...integer("limit", options.limit),
  ...(options.sort === undefined
    ? {}
    : {
        sort_order: options.sort.descending === true ? "DESCEND" : "ASCEND",
        sort_target: sortTarget[options.sort.by]
      }),
  ...flag("keys_only", options.keysOnly),
  ...flag("count_only", options.countOnly),
  ...integer("min_mod_revision", options.minModRevision),
  ...integer("max_mod_revision", options.maxModRevision),
  ...integer("min_create_revision", options.minCreateRevision),
  ...integer("max_create_revision", options.maxCreateRevision),
  ...flag("serializable", options.serializable)
})

/** Zero is how the gateway says that there is none. */
export const integer = (name: string, value: number | bigint | undefined): Json =>
  value === undefined || value === 0 || value === 0n ? {} : { [name]: String(value) }

export const flag = (name: string, value: boolean | undefined): Json => (value === true ? { [name]: true } : {})
