/**
 * What no other test would have noticed: each of these was written because a bug put into
 * the core on purpose (test/mutants, or mutation testing as docs/testing.md tells) survived.
 */
import { describe, expect, test } from "vitest"
import {
  A,
  after,
  answered,
  append,
  B,
  C,
  deadline,
  forward,
  leader,
  matched,
  position,
  queried,
  quorumLost,
  received,
  refused,
  request,
  sent,
  step,
  submitted
} from "./builders.ts"

const others = { request: request(1, C), command: "x" }

describe("a batch in which a leader falls", () => {
  test("[56] what others forwarded to it is not passed on to the next leader", () => {
    const state = leader({ term: 4, log: [4] })
    const [next, effects] = step(state, [
      received(C, forward(4, others)),
      submitted(1, "y"),
      received(B, append(5, position(1, 4)))
    ])
    expect(next).toMatchObject({ _tag: "Follower", leader: B })
    expect(sent(effects, B)).toContainEqual(forward(5, { request: request(1, A), command: "y" }))
    expect(sent(effects).filter(({ _tag }) => _tag === "Forward")).toHaveLength(1)
  })

  test("[32] without a majority its own clients are refused, and nobody else's", () => {
    const state = leader({ term: 4, log: [4] })
    const at = after(500)
    const [, effects] = step(state, [received(C, forward(4, others), at), submitted(1, "y", at), deadline(at)])
    expect(effects).toEqual([refused(1, "NoQuorum"), quorumLost])
  })
})

test("[139] get safety within a batch: a round that is confirmed before the write is committed answers nothing yet", () => {
  const [asking] = step(leader({ term: 2, log: [2] }), [submitted(1, "w"), queried(2, "q")])
  const [confirmed, early] = step(asking, received(C, matched(2, 1, 1)))
  expect(early).toEqual([])
  const [, effects] = step(confirmed, received(C, matched(2, 2, 1)))
  expect(effects).toContainEqual(answered(2, "q:1.2,w"))
})
