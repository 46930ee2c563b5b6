/** Whom a leader asks to confirm a read round (thesis §6.4: a majority is enough), and what happens when they do not. */
import { describe, expect, test } from "vitest"
import type { ReplicaId } from "../../../src/raft/LogEntry.ts"
import {
  A,
  after,
  answered,
  B,
  C,
  D,
  deadline,
  E,
  type Leader,
  leader,
  makeRaft,
  matched,
  members,
  now,
  queried,
  raft,
  received,
  type ServerState,
  step,
  submitted
} from "../builders.ts"

const asked = (effects: ReturnType<typeof step>[1]): ReadonlyArray<ReplicaId> =>
  effects.flatMap((effect) => (effect._tag === "Send" ? [effect.to] : []))
const replies = (effects: ReturnType<typeof step>[1]) => effects.filter(({ _tag }) => _tag === "Reply")
const { roundPatienceMillis: patience } = raft.options

/** A leader of three that B was the first to confirm, in round 1. */
const confirmedByB = (): ServerState => {
  const [asking, effects] = step(leader({ term: 2, log: [2] }), queried(1, "p"))
  expect(asked(effects)).toEqual([B, C])
  const [confirmed, answers] = step(asking, received(B, matched(2, 1, 1)))
  expect(replies(answers)).toEqual([answered(1, "p:1.2")])
  return confirmed
}

describe("a read round goes", () => {
  test("to all at first, then to who was first to confirm", () => {
    const [asking, effects] = step(confirmedByB(), queried(2, "q"))
    expect(asked(effects)).toEqual([B])
    const [, answers] = step(asking, received(B, matched(2, 1, 2)))
    expect(answers).toEqual([answered(2, "q:1.2")])
  })

  test("to nobody else because of an answer that comes later", () => {
    const [late, nothing] = step(confirmedByB(), received(C, matched(2, 1, 1)))
    expect(nothing).toEqual([])
    expect(asked(step(late, queried(2, "q"))[1])).toEqual([B])
  })

  test("to the others when it is unconfirmed for too long, and then to whoever answers", () => {
    const [asking] = step(confirmedByB(), queried(2, "q"))
    expect(raft.nextDeadline(asking)).toBe(after(patience))
    expect(step(asking, deadline(after(patience - 1)))[1]).toEqual([])
    const [again, effects] = step(asking, deadline(after(patience)))
    expect(asked(effects)).toEqual([C])
    expect(raft.nextDeadline(again)).toBeGreaterThan(after(patience))
    const [confirmed, answers] = step(again, received(C, matched(2, 1, 2), after(patience + 1)))
    expect(replies(answers)).toEqual([answered(2, "q:1.2")])
    expect(asked(step(confirmed, queried(3, "r", after(patience + 2)))[1])).toEqual([C])
  })

  test("to all, as long as one before it is unconfirmed for too long", () => {
    const [asking] = step(confirmedByB(), queried(2, "q"))
    expect(asked(step(asking, queried(3, "r", after(1)))[1])).toEqual([B])
    expect(asked(step(asking, queried(3, "r", after(patience)))[1])).toEqual([B, C])
  })

  test("to no more than make a majority", () => {
    const [asking] = step(leader({ voters: members(5), term: 2, log: [2] }), queried(1, "p"))
    const [all] = step(
      asking,
      [B, C, D, E].map((peer) => received(peer, matched(2, 1, 1)))
    )
    expect((all as Leader).prompt).toEqual(new Set([A, B, C]))
    expect(asked(step(all, queried(2, "q"))[1])).toEqual([B, C])
  })

  test("to all where those are no majority any more", () => {
    const voters = members(5)
    const state: Leader = { ...leader({ voters, term: 2, log: [2] }), prompt: new Set([A, B]) }
    expect(asked(step(state, queried(1, "q"))[1])).toEqual([B, C, D, E])
  })

  test("with what a follower is sent anyway", () => {
    const [, effects] = step(confirmedByB(), [submitted(2, "x"), queried(3, "q")])
    expect(effects.filter(({ _tag }) => _tag === "Send")).toMatchObject([
      { to: B, message: { _tag: "AppendEntries", round: 2 } },
      { to: C, message: { _tag: "AppendEntries", round: 2 } }
    ])
  })

  test("to all at once, where it is asked for", () => {
    const by = makeRaft({ roundPatienceMillis: 0 })
    const [asking] = step(leader({ term: 2, log: [2] }), queried(1, "p"), by)
    const [confirmed] = step(asking, received(B, matched(2, 1, 1)), by)
    expect(asked(step(confirmed, queried(2, "q"), by)[1])).toEqual([B, C])
  })
})

test("nobody is asked again for a round that is confirmed", () => {
  const [asking] = step(confirmedByB(), queried(2, "q"))
  const [confirmed] = step(asking, received(B, matched(2, 1, 2)))
  expect(step(confirmed, deadline(after(patience)))[1]).toEqual([])
  expect(raft.nextDeadline(confirmed)).toBeGreaterThan(after(patience))
  expect(now).toBeLessThan(after(patience))
})
