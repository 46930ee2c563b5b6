/** What a leader does while its disk works on its last step: it hears acknowledgements, as far as they rest on nothing of that. */
import { describe, expect, test } from "vitest"
import * as Overtaking from "../../../src/raft/Overtaking.ts"
import {
  applied,
  B,
  C,
  leader,
  makeRaft,
  matched,
  position,
  queried,
  append,
  received,
  recordFrom,
  step,
  submitted
} from "../builders.ts"

const replica = makeRaft()
/** Entries 2 and 3 are logged, and only 2 is on the disk. */
const writing = () => {
  const [first] = step(leader({ term: 2, log: [2] }), submitted(1, "x"))
  const [second] = step(first, submitted(2, "y"))
  return second
}
const disk = recordFrom(3)

describe("while its disk works, a leader", () => {
  test("commits and answers what was on it before", () => {
    const before = writing()
    const taken = Overtaking.attempt(replica, before, [received(B, matched(2, 2))], disk)
    expect(taken?.[0].stateMachine).toMatchObject({ commitIndex: 2, lastApplied: 2 })
    expect(taken?.[1].filter(({ _tag }) => _tag === "Reply")).toEqual([applied(1, 2)])
    expect(taken?.[1].filter(({ _tag }) => _tag === "Persist")).toEqual([])
  })

  test("does not commit what is still on its way there, however many others have it", () => {
    const events = [received(B, matched(2, 3)), received(C, matched(2, 3))]
    expect(Overtaking.attempt(replica, writing(), events, disk)).toBeUndefined()
    expect(Overtaking.attempt(replica, writing(), events, recordFrom(4))?.[0].stateMachine.commitIndex).toBe(3)
  })

  test("hears nothing of a later term, which must be written", () => {
    expect(Overtaking.attempt(replica, writing(), [received(B, matched(3, 2))], disk)).toBeUndefined()
  })

  test.each([
    ["a command", submitted(3, "z")],
    ["a query", queried(3, "q")],
    ["an append", received(B, append(2, position(1, 2), [], { commit: 1 }))]
  ])("lets %s wait", (_, event) => {
    expect(Overtaking.mayOvertake(event)).toBe(false)
    expect(Overtaking.attempt(replica, writing(), [event], disk)).toBeUndefined()
  })
})

test("a follower hears nothing while its disk works", () => {
  const [follower] = step(leader({ term: 2, log: [2] }), received(B, append(3, position(1, 2), [], { commit: 1 })))
  expect(follower._tag).toBe("Follower")
  expect(Overtaking.attempt(replica, follower, [received(B, matched(3, 1))], disk)).toBeUndefined()
})
