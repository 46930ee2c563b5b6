/** Which addresses an amendment puts into the log besides what it was asked for. */
import { expect, test } from "vitest"
import type { Amendment, MemberChange } from "../../src/raft/Amendment.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as Membership from "../../src/runtime/Membership.ts"

const [A, B, C] = ["A", "B", "C"].map(ReplicaId) as [ReplicaId, ReplicaId, ReplicaId]
const addresses = new Map([A, B, C].map((id) => [id, `${id}:1`]))
const configuration = Configurations.of([A, B, C], [{ id: A, address: "A:9" }])
const moveB: MemberChange = { _tag: "Move", id: B, address: "B:1" }
const moveC: MemberChange = { _tag: "Move", id: C, address: "C:1" }

const members = (change: MemberChange): Amendment => ({
  _tag: "Members",
  changes: [change],
  autoLeave: true,
  force: false
})
const changesOf = (amendment: Amendment) => (amendment._tag === "Members" ? amendment.changes : [])

test.each<MemberChange>([
  { _tag: "Add", id: ReplicaId("D"), address: "D:1", promote: true },
  { _tag: "Promote", id: B },
  { _tag: "Demote", id: B },
  { _tag: "Move", id: A, address: "A:2" }
])("$_tag says where all members are that are not in the log", (change) => {
  expect(changesOf(Membership.complete(members(change), configuration, addresses))).toEqual([moveB, moveC, change])
})

test("one that is removed is not moved", () => {
  const change: MemberChange = { _tag: "Remove", id: C }
  expect(changesOf(Membership.complete(members(change), configuration, addresses))).toEqual([moveB, change])
})

test("leaving a joint configuration, and what is asked within one, stays alone", () => {
  const joint = { ...configuration, outgoing: [A, B, C] }
  for (const [change, at] of [
    [{ _tag: "Leave" }, joint],
    [{ _tag: "Leave" }, configuration],
    [{ _tag: "Remove", id: C }, joint]
  ] as const) {
    expect(changesOf(Membership.complete(members(change), at, addresses))).toEqual([change])
  }
})
