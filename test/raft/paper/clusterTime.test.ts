/** The cluster's time: stamped on commands by leaders, never falling along the log. Not of the paper. */
import { describe, expect, test } from "vitest"
import { ClusterTime, Index } from "../../../src/raft/LogEntry.ts"
import * as Logs from "../../../src/raft/Log.ts"
import type { Context } from "../../../src/raft/Machine.ts"
import * as Replica from "../../../src/raft/Replica.ts"
import {
  after,
  append,
  B,
  candidate,
  deadline,
  follower,
  leader,
  logged,
  machine,
  noOp,
  options,
  position,
  received,
  request,
  requestVoteReply,
  type ServerState,
  start,
  step,
  submitted
} from "../builders.ts"
import { imageIn, imageOf, snapshotAt } from "../images.ts"

const timeAt = ({ stateMachine: { log } }: ServerState, index: number): number | undefined => {
  const payload = Logs.get(log, Index(index))?.payload
  return payload?._tag === "Command" ? payload.time : undefined
}
const stamped = (index: number, time: number) => logged(index, 2, request(index), "x", ClusterTime(time))

describe("a leader stamps what it logs", () => {
  test("with how long it has led, in whole milliseconds", () => {
    let state: ServerState = leader({ term: 2, log: [2] })
    for (const [sequence, millis] of [
      [1, 0],
      [2, 7.9],
      [3, 250]
    ] as const) {
      state = step(state, submitted(sequence, "x", after(millis)))[0]
    }
    expect([2, 3, 4].map((index) => timeAt(state, index))).toEqual([0, 7, 250])
  })

  test("all of one batch alike, with when the batch is settled", () => {
    const [next] = step(leader({ term: 2, log: [2] }), [submitted(1, "x", after(1)), submitted(2, "y", after(5))])
    expect([timeAt(next, 2), timeAt(next, 3)]).toEqual([5, 5])
  })

  test("and a clock that goes back does not take the time with it below where its term began", () => {
    const [next] = step(leader({ term: 2, log: [2] }), submitted(1, "x", after(-1_000)))
    expect(timeAt(next, 2)).toBe(0)
  })
})

describe("the next leader goes on from there", () => {
  const elected = (log: ReadonlyArray<ReturnType<typeof logged>>, commit = 0): ServerState =>
    step(candidate({ term: 3, log, commit }), received(B, requestVoteReply(3, true)))[0]

  test("from the last stamp of its log, committed or not", () => {
    const [next] = step(elected([stamped(1, 500), stamped(2, 800), noOp(3, 2)], 1), submitted(1, "x", after(30)))
    expect(timeAt(next, 5)).toBe(830)
  })

  test("from what is applied, where the log has none", () => {
    const [next] = step(elected([stamped(1, 500), noOp(2, 2)], 2), submitted(1, "x", after(30)))
    expect(timeAt(next, 4)).toBe(530)
    const image = { ...imageOf(2, 2), time: ClusterTime(900) }
    const found = start({ term: 2, image, base: position(2, 2), snapshots: [snapshotAt(2, 2)] })
    expect(found.stateMachine.time).toBe(900)
    const [stands] = step(found, deadline(after(1_000)))
    const vote = {
      _tag: "PreVoteReply",
      term: found.currentTerm,
      askedIn: found.currentTerm,
      granted: true,
      admitted: true
    } as const
    const [led] = step(stands, [received(B, vote, after(1_000)), received(B, requestVoteReply(3, true), after(1_000))])
    expect(timeAt(step(led, submitted(1, "x", after(1_007)))[0], 4)).toBe(907)
  })

  test("while nobody leads it stands still: what expires by it is never early", () => {
    const first = elected([stamped(1, 500)])
    expect(timeAt(step(first, submitted(1, "x"))[0], 3)).toBe(500)
  })
})

describe("applying", () => {
  const seen: Array<Context> = []
  const spying = Replica.make(
    { ...machine, apply: (state, command, context) => (seen.push(context), machine.apply(state, command, context)) },
    options
  )

  test("is given the time of the entry, the same on every replica", () => {
    const log = [stamped(1, 5), stamped(2, 9)]
    const [next] = step(
      follower({ term: 2, leader: B }),
      received(B, append(2, position(0, 0), log, { commit: 2 })),
      spying
    )
    expect(seen.map(({ time }) => time)).toEqual([5, 9])
    expect(next.stateMachine.time).toBe(9)
    expect(imageIn(next).time).toBe(9)
    seen.length = 0
  })

  test("never sees it fall, whatever stands in the log", () => {
    const odd = [stamped(1, 9), stamped(2, 5)]
    spying.reduce(follower({ term: 2, leader: B }), received(B, append(2, position(0, 0), odd, { commit: 2 })))
    expect(seen.map(({ time }) => time)).toEqual([9, 9])
  })

  test("[115] a command that is skipped moves the time all the same", () => {
    const twice = [stamped(1, 5), { ...stamped(2, 9), payload: { ...stamped(1, 9).payload } }]
    const [next] = step(follower({ term: 2, leader: B }), received(B, append(2, position(0, 0), twice, { commit: 2 })))
    expect(next.stateMachine).toMatchObject({ time: 9, value: ["x"] })
  })
})
