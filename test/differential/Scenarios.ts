/** What chance does not come upon, or not in time: leases that end by themselves, much at once, locks and elections. */
import { type Call, call, type Create, type Sequence, type Step, type Watch } from "./Sequence.ts"
import { bytes, key, type Template } from "./Template.ts"

const lease = (index: number): Template => ({ $: "lease", index, as: "string" })

const put = (name: string, value: string, more: { readonly [name: string]: Template } = {}): Call =>
  call("/v3/kv/put", { key: key(name), value: bytes(value), ...more })

const grant = (index: number, TTL: number): Call => ({
  ...call("/v3/lease/grant", { TTL, ID: lease(index) }),
  grants: index
})

const everything = { key: key(""), range_end: { $: "end" } as const }
const all = call("/v3/kv/range", everything)

const watch = (from: number, more: { readonly [name: string]: Template } = {}): Watch => {
  const start: Template = { $: "revision", nth: from, as: "string" }
  const body = { create_request: { ...everything, ...(from === 0 ? {} : { start_revision: start }), ...more } }
  const create: Create = { kind: "create", body, touched: key("watched"), noDelete: "filters" in more, from }
  return { kind: "watch", requests: [create], replica: 0 }
}

const letters = ["a", "b", "c", "d", "e", "f", "g", "h"]

const steps: { readonly [name: string]: ReadonlyArray<Step> } = {
  "a lease that ends takes its keys along, in one revision": [
    watch(0, { prev_kv: true }),
    grant(0, 2),
    put("a", "1", { lease: lease(0) }),
    put("b", "2", { lease: lease(0) }),
    put("c", "3", { lease: lease(0) }),
    put("b", "4"),
    put("d", "5"),
    { kind: "expire", lease: 0 },
    all,
    call("/v3/lease/keepalive", { ID: lease(0) }),
    call("/v3/lease/leases", {}),
    call("/v3/lease/revoke", { ID: lease(0) }),
    put("a", "6", { lease: lease(0) })
  ],
  "the shortest leases": [0, -5, 1, 2, 3].flatMap((seconds, index) => [
    grant(index, seconds),
    call("/v3/lease/timetolive", { ID: lease(index) }),
    call("/v3/lease/keepalive", { ID: lease(index) }),
    call("/v3/lease/revoke", { ID: lease(index) })
  ]),
  "more events than a message holds": [
    ...letters.map((name) => put(name, name.repeat(400_000))),
    watch(1, { fragment: true }),
    watch(1),
    // Puts alone.
    watch(1, { prev_kv: true, filters: ["NODELETE"] })
  ],
  "large values, read together": [
    ...letters.map((name) => put(name, name.repeat(1_400_000))),
    all,
    call("/v3/kv/deleterange", { ...everything, prev_kv: true })
  ],
  "many keys": [
    ...Array.from({ length: 20 }, (_, part) =>
      call("/v3/kv/txn", {
        success: Array.from({ length: 100 }, (_, at) => ({
          request_put: { key: key(`k${part}/${at}`), value: bytes(`${part * at}`) }
        }))
      })
    ),
    call("/v3/kv/range", { ...everything, limit: 777 }),
    call("/v3/kv/range", { ...everything, count_only: true }),
    call("/v3/kv/range", { ...everything, keys_only: true, sort_order: "DESCEND" }),
    watch(1),
    call("/v3/kv/deleterange", everything)
  ],
  "a lock, held, waited for in vain, and given back": [
    grant(0, 60),
    call("/v3/lock/lock", { name: key("lock"), lease: lease(0) }),
    call("/v3/lock/lock", { name: key("lock"), lease: lease(0) }),
    all,
    call("/v3/lock/unlock", { key: key("lock") }),
    call("/v3/lease/timetolive", { ID: lease(0), keys: true }),
    call("/v3/lease/revoke", { ID: lease(0) }),
    grant(1, 60),
    call("/v3/lock/lock", { name: key("lock"), lease: lease(1) }),
    all
  ],
  "an election": [
    grant(0, 60),
    call("/v3/election/leader", { name: key("office") }),
    call("/v3/election/campaign", { name: key("office"), lease: lease(0), value: bytes("A") }),
    call("/v3/election/campaign", { name: key("office"), lease: lease(0), value: bytes("B") }),
    call("/v3/election/leader", { name: key("office") }),
    all,
    call("/v3/election/proclaim", {
      leader: { name: key("office"), key: key("office"), rev: "1", lease: lease(0) },
      value: bytes("C")
    }),
    call("/v3/lease/revoke", { ID: lease(0) }),
    call("/v3/election/leader", { name: key("office") })
  ]
}

export const scenarios: ReadonlyArray<readonly [name: string, Sequence]> = Object.entries(steps).map(
  ([name, steps]) => [name, { seed: 0, steps }]
)
