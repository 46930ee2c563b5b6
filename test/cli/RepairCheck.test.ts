/** A repair begins only when the others can give back everything. */
import { expect, test } from "vitest"
import * as RepairCheck from "../../src/cli/RepairCheck.ts"
import type { EndpointStatus } from "../../src/client/Status.ts"

type Reachable = Extract<EndpointStatus, { readonly _tag: "Reachable" }>

const replica = (id: string, changes: Partial<Reachable> = {}): Reachable => ({
  _tag: "Reachable",
  endpoint: { host: "h", port: id.charCodeAt(0) },
  id,
  clusterId: "77",
  role: id === "B" ? "leader" : "follower",
  term: 4,
  leader: "B",
  revision: 9,
  commitIndex: 100,
  lastApplied: 100,
  lag: 0,
  problems: [],
  snapshot: undefined,
  log: undefined,
  ...changes
})

const silent = (port: number): EndpointStatus => ({
  _tag: "Unreachable",
  endpoint: { host: "h", port },
  id: undefined,
  reason: "ECONNREFUSED"
})

const damaged: RepairCheck.Damaged = { id: "A", voters: ["A", "B", "C"], clusterId: "77", committed: 90 }

test("all the others are there and follow one of them", () => {
  expect(RepairCheck.objection([silent(65), replica("B"), replica("C")], damaged)).toBe(undefined)
  // A replica that is no voter of this cluster does not matter, and neither does the order.
  expect(RepairCheck.objection([replica("D"), replica("C"), replica("B")], damaged)).toBe(undefined)
})

const objections: ReadonlyArray<readonly [string, ReadonlyArray<EndpointStatus>, RegExp]> = [
  ["one is silent", [replica("B"), silent(67)], /^C does not answer \(h:67 ECONNREFUSED\)$/],
  ["one was not asked", [replica("B")], /^C does not answer/],
  ["nobody answers", [silent(66), silent(67)], /^B does not answer/],
  [
    "one is not admitted",
    [replica("B"), replica("C", { problems: ["not admitted"] })],
    /^C is not well: not admitted$/
  ],
  ["one knows no leader", [replica("B"), replica("C", { leader: undefined })], /^C knows no leader$/],
  ["nobody leads", [replica("B", { role: "follower" }), replica("C")], /^none of the others leads$/],
  [
    "they follow the damaged one",
    [replica("B", { role: "follower", leader: "A" }), replica("C", { leader: "A" })],
    /^none of the others leads$/
  ],
  ["one follows another leader", [replica("B"), replica("C", { leader: "D" })], /^C does not follow B, which leads$/],
  ["one is in another term", [replica("B"), replica("C", { term: 5 })], /^C does not follow B, which leads$/],
  ["it runs elsewhere", [replica("A"), replica("B"), replica("C")], /^A itself answers at h:65: it runs, from another/],
  [
    "another cluster has the same names",
    [replica("B", { clusterId: "78" }), replica("C")],
    /^h:66 is of another cluster$/
  ],
  [
    "they have less than is known to be committed",
    [replica("B", { commitIndex: 89 }), replica("C")],
    /^B knows of 89 committed entries, and A of 90/
  ]
]
for (const [what, statuses, complaint] of objections) {
  test(`not when ${what}`, () => {
    expect(RepairCheck.objection(statuses, damaged)).toMatch(complaint)
  })
}
