/** The key-value store under test: puts and deletes of a few keys, single and in ranges. */
import { unstamped } from "../raft/Machine.ts"
import type { KeyValue } from "../kv/KeyValue.ts"
import type { KvCommand, KvResult } from "../kv/KvCommand.ts"
import { KvMachine } from "../kv/KvMachine.ts"
import type { KvState } from "../kv/KvState.ts"
import type { KvAnswer, KvQuery, RangeQuery } from "../kv/KvQuery.ts"
import { mix, type Random, text } from "./Random.ts"
import { inWords, type Subject } from "./Subject.ts"

const keys = ["a", "b", "bb", "c"]

const everything: RangeQuery = {
  _tag: "Range",
  key: "\0",
  rangeEnd: "\0",
  limit: 0,
  revision: 0,
  keysOnly: false,
  countOnly: false
}

const range = (random: Random): { readonly key: string; readonly rangeEnd: string | undefined } => ({
  key: random.pick(keys),
  rangeEnd: random.pick([undefined, undefined, "c", "\0"])
})

export const subject: Subject<KvState, KvCommand, KvResult, KvQuery, KvAnswer> = {
  name: "store",
  machine: KvMachine,
  command: (random, number) => {
    const prevKv = random.chance(0.5)
    if (random.chance(0.2)) return { _tag: "DeleteRange", ...range(random), prevKv }
    return { _tag: "Put", key: random.pick(keys), value: bytesOf(number), prevKv }
  },
  query: (random) => ({ ...everything, ...range(random), limit: random.pick([0, 1]), keysOnly: random.chance(0.2) }),
  alter: (random, state) => {
    const put = { _tag: "Put", key: random.pick(keys), value: Uint8Array.of(0xff), prevKv: false } as const
    return { ...KvMachine.apply(state, put, unstamped)[0], revision: state.revision }
  },
  digest: (state) => {
    const all = KvMachine.query(state, everything)
    const pairs = all._tag === "Range" ? all.kvs : []
    return pairs.reduce(fold, state.revision)
  },
  sameResult: (one, other) => inWords(one) === inWords(other),
  sameAnswer: (one, other) => inWords(one) === inWords(other)
}

const bytesOf = (number: number): Uint8Array => Uint8Array.of(number >> 16, number >> 8, number)

const fold = (digest: number, { key, value, createRevision, modRevision, version }: KeyValue): number => {
  let folded = mix(digest, text(key))
  for (const byte of value) folded = mix(folded, byte)
  return mix(mix(mix(folded, createRevision), modRevision), version)
}
