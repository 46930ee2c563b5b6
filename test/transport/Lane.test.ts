import { assert, describe, it } from "@effect/vitest"
import { tags } from "../../src/raft/Message.ts"
import * as Lane from "../../src/transport/Lane.ts"

type Tagged = { readonly _tag: (typeof tags)[number]; readonly number?: number }

describe("lanes", () => {
  it("entries, forwarded requests and pieces of snapshots go in bulk, all else does not wait for them", () => {
    const bulk = tags.filter((_tag) => Lane.laneOf({ _tag }) === "Bulk")
    assert.sameMembers([...bulk], ["AppendEntries", "Forward", "ForwardAmendment", "InstallSnapshot", "ReadIndex"])
  })

  it("keep the order of their messages", () => {
    const messages: ReadonlyArray<Tagged> = [
      { _tag: "ReadIndexReply", number: 1 },
      { _tag: "Forward", number: 2 },
      { _tag: "ReadIndexReply", number: 3 },
      { _tag: "InstallSnapshot", number: 4 },
      { _tag: "AppendEntries", number: 5 }
    ]
    const { Control, Bulk } = Lane.split(messages)
    assert.deepStrictEqual(
      [Control, Bulk].map((lane) => lane.map(({ number }) => number)),
      [
        [1, 3],
        [2, 4, 5]
      ]
    )
  })

  it("a batch for one of them only is not copied", () => {
    const control: ReadonlyArray<Tagged> = [{ _tag: "ReadIndexReply" }, { _tag: "PreVote" }]
    const bulk: ReadonlyArray<Tagged> = [{ _tag: "Forward" }, { _tag: "AppendEntries" }]
    assert.strictEqual(Lane.split(control).Control, control)
    assert.deepStrictEqual(Lane.split(control).Bulk, [])
    assert.strictEqual(Lane.split(bulk).Bulk, bulk)
    assert.deepStrictEqual(Lane.split(bulk).Control, [])
  })
})
