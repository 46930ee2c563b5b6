/** What chance is to come upon, it comes upon; and from the same seed the same. */
import { expect, test } from "vitest"
import { camelOf, keys } from "./Alphabet.ts"
import { sequence } from "./Generator.ts"

const many = Array.from({ length: 600 }, (_, seed) => sequence(seed + 1))
const text = JSON.stringify(many)

test("a seed is a sequence", () => {
  expect(JSON.stringify(sequence(7))).toBe(JSON.stringify(sequence(7)))
  expect(JSON.stringify(sequence(7))).not.toBe(JSON.stringify(sequence(8)))
})

test("every route is asked, under each of its names", () => {
  const routes = new Set(
    many.flatMap(({ steps }) => steps.flatMap((step) => (step.kind === "call" ? [step.route] : [])))
  )
  const kv = ["put", "range", "deleterange", "txn", "compaction"].map((name) => `/v3/kv/${name}`)
  const leases = ["revoke", "timetolive", "leases"].flatMap((name) => [`/v3/lease/${name}`, `/v3/kv/lease/${name}`])
  expect([...routes].sort()).toEqual([...kv, ...leases, "/v3/lease/grant", "/v3/lease/keepalive"].sort())
})

const names = [
  ..."value prev_kv ignore_value ignore_lease range_end limit revision sort_order sort_target serializable".split(" "),
  ..."keys_only count_only min_mod_revision max_mod_revision min_create_revision max_create_revision".split(" "),
  ..."compare success failure request_put request_range request_delete_range request_txn result target".split(" "),
  ..."version create_revision mod_revision lease physical keys start_revision progress_notify filters".split(" "),
  ..."watch_id fragment create_request cancel_request progress_request TTL ID".split(" ")
]

/** Written in one way only: the two bodies that are not made of fields. */
const oneWay = ["cancel_request", "progress_request"]

test.each(names)("%s is sent, however it is spelt", (name) => {
  expect(text).toContain(`"${name}":`)
  if (!oneWay.includes(name)) expect(text).toContain(`"${camelOf(name)}":`)
})

test.each([
  "DESCEND",
  "VALUE",
  "CREATE",
  "MOD",
  "VERSION",
  "LEASE",
  "NOT_EQUAL",
  "GREATER",
  "LESS",
  "NOPUT",
  "NODELETE"
])("%s is sent", (value) => {
  expect(text).toContain(`"${value}"`)
})

test("every key is used, and not too many for etcd's sort", () => {
  for (const key of keys) expect(text).toContain(JSON.stringify(key))
  expect(keys.length).toBeLessThanOrEqual(11)
})

test("transactions are nested three deep", () => {
  const nested = /"request_?[tT]xn":\{(?:(?!"request_?[tT]xn").)*"request_?[tT]xn":/
  expect(many.some(({ steps }) => steps.some((step) => nested.test(JSON.stringify(step))))).toBe(true)
})
