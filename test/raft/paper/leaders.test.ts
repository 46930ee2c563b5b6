/** §5.3 and Figure 2, the leader: how it keeps followers supplied, and what it concludes from their answers. */
import { describe, expect, test } from "vitest"
import type { Index } from "../../../src/raft/LogEntry.ts"
import type { Progress } from "../../../src/raft/Progress.ts"
import {
  after,
  append,
  applied,
  B,
  C,
  conflict,
  deadline,
  entriesFrom,
  forward,
  forwardRefused,
  type Leader,
  leader,
  logged,
  makeRaft,
  matched,
  persist,
  position,
  probe,
  type RaftEvent,
  raft,
  received,
  refused,
  replicate,
  request,
  send,
  sent,
  type ServerState,
  step,
  submitted,
  terms
} from "../builders.ts"

const progress = (state: ServerState, of = B): Progress => (state as Leader).progress.get(of)!
/** What B is told after it answered. */
const answer = (state: ServerState, message: Parameters<typeof received>[1], by = raft) =>
  step(state, received(B, message), by)

describe("§5.3, proposals", () => {
  test('[39] "the leader appends the command to its log as a new entry, then issues AppendEntries RPCs in parallel"', () => {
    const state = leader({ term: 2, log: [1, 2] })
    const [next, effects] = step(state, [submitted(1, "x"), submitted(2, "y")])
    const added = [logged(3, 2, request(1), "x"), logged(4, 2, request(2), "y")]
    const message = append(2, position(2, 2), added, { commit: 2 })
    expect(terms(next)).toEqual([1, 2, 2, 2])
    expect(effects).toEqual([send(B, message), send(C, message), persist(undefined, { from: 3, entries: added })])
    expect(next.stateMachine.commitIndex).toBe(2)
  })

  test("[59] commands stand in the log in the order in which they came, its own clients' and others'", () => {
    const state = leader({ term: 2, log: [2] })
    const [next] = step(state, [
      submitted(1, "x"),
      received(B, forward(2, { request: request(1, B), command: "y" }, { request: request(2, B), command: "z" })),
      submitted(2, "w")
    ])
    const log = [logged(2, 2, request(1), "x"), logged(3, 2, request(1, B), "y"), logged(4, 2, request(2, B), "z")]
    expect(sent(step(state, [])[1])).toEqual([])
    expect(sent([...raft.reduce(next, received(C, conflict(2, 5, position(1, 2))))[1]])).toEqual([
      append(2, position(1, 2), [...log, logged(5, 2, request(2), "w")], { commit: 1 })
    ])
  })

  test('once it is replicated, "the leader applies the entry to its state machine and returns the result"', () => {
    const [proposed] = step(leader({ term: 2, log: [2] }), submitted(1, "x"))
    const [next, effects] = answer(proposed, matched(2, 2))
    expect(next.stateMachine).toMatchObject({ commitIndex: 2, lastApplied: 2, value: ["1.2", "x"] })
    expect(effects).toEqual([applied(1, 2)])
  })

  test("[58] beyond the limit on uncommitted bytes its own clients are refused; committing makes room again", () => {
    const by = makeRaft({ maxUncommittedBytes: 4 })
    const [full, effects] = step(leader({ term: 2, log: [2] }), [submitted(1, "abcd"), submitted(2, "e")], by)
    expect(effects).toContainEqual(refused(2, "UncommittedBytes"))
    const [still, told] = step(full, received(B, forward(2, { request: request(1, B), command: "f" })), by)
    expect(still).toBe(full)
    expect(told).toEqual([send(B, forwardRefused(2, "UncommittedBytes", request(1, B)))])
    const [free] = answer(full, matched(2, 2), by)
    expect((free as Leader).uncommittedBytes).toBe(0)
    expect(terms(step(free, submitted(3, "g"), by)[0])).toEqual([2, 2, 2])
  })

  test("[58] committing what was inherited, and never counted, makes no room", () => {
    const state = {
      ...leader({ term: 3, log: [1, 1, 3, 3], progress: { B: replicate(4), C: probe(5) } }),
      uncommittedBytes: 6
    }
    const [next] = answer({ ...state, progress: new Map(state.progress).set(B, replicate(2)) }, matched(3, 3))
    expect(next.stateMachine.commitIndex).toBe(3)
    expect((next as Leader).uncommittedBytes).toBe(3)
  })

  test("[58] one command larger than the limit is taken when nothing else waits", () => {
    const by = makeRaft({ maxUncommittedBytes: 4 })
    expect(terms(step(leader({ term: 2, log: [2] }), submitted(1, "abcdefgh"), by)[0])).toEqual([2, 2])
  })

  test("[62] a follower that answers nothing holds up nobody", () => {
    const state = leader({ term: 2, log: [2], progress: { B: replicate(1), C: probe(2) }, commit: 1 })
    const [proposed] = step(state, submitted(1, "x"))
    expect(answer(proposed, matched(2, 2))[0].stateMachine.commitIndex).toBe(2)
  })
})

describe("§5.3, repair", () => {
  test('[52] "the leader decrements nextIndex and retries": at once to where the hint says', () => {
    const state = leader({ term: 4, log: [1, 1, 2, 4, 4], progress: { B: probe(6), C: probe(6) } })
    const [next, effects] = answer(state, conflict(4, 5, position(3, 1)))
    expect(progress(next)).toMatchObject({ _tag: "Probe", nextIndex: 3, matchIndex: 0, asked: true })
    expect(effects).toEqual([send(B, append(4, position(2, 1), entriesFrom(3, 2, 4, 4)))])
  })

  test('[52] "eventually nextIndex will reach a point where the leader and follower logs match"', () => {
    const state = leader({ term: 4, log: [1, 4], progress: { B: probe(3), C: probe(3) } })
    const [next] = answer(state, conflict(4, 2, position(0, 0)))
    expect(progress(next)).toMatchObject({ _tag: "Probe", nextIndex: 1 })
    const [done, effects] = answer(next, matched(4, 2))
    expect(progress(done)).toMatchObject({ _tag: "Replicate", matchIndex: 2, nextIndex: 3, inflight: [] })
    expect(done.stateMachine.commitIndex).toBe(2)
    expect(effects).toEqual([])
  })

  test("[52] in Probe nothing more is sent until an answer or a heartbeat", () => {
    const state = leader({ term: 4, log: [4], progress: { B: probe(2), C: probe(2) } })
    const [next, effects] = step(state, submitted(1, "x"))
    expect(sent(effects)).toEqual([])
    const [, late] = step(next, deadline(after(100)))
    expect(sent(late)).toEqual([append(4, position(1, 4)), append(4, position(1, 4))])
  })

  test("[51] [55] what was lost in the middle is noticed by what follows it, and sent again", () => {
    const state = leader({
      term: 4,
      log: [4, 4, 4],
      progress: {
        B: replicate(1, {
          nextIndex: 4 as Index,
          inflight: [
            { last: 2 as Index, bytes: 1 },
            { last: 3 as Index, bytes: 1 }
          ]
        }),
        C: probe(4)
      },
      commit: 1
    })
    const [next, effects] = answer(state, conflict(4, 2, position(1, 4)))
    expect(progress(next)).toMatchObject({ _tag: "Probe", matchIndex: 1, nextIndex: 2 })
    expect(sent(effects, B)).toEqual([append(4, position(1, 4), entriesFrom(2, 4, 4), { commit: 1 })])
  })

  test("[55] what was lost at the end is noticed by the next heartbeat", () => {
    const state = leader({
      term: 4,
      log: [4, 4],
      progress: { B: replicate(1, { nextIndex: 3 as Index, inflight: [{ last: 2 as Index, bytes: 1 }] }), C: probe(3) },
      commit: 1
    })
    const [waiting, effects] = step(state, deadline(after(100)))
    expect(sent(effects, B)).toEqual([append(4, position(2, 4), [], { commit: 1 })])
    expect(sent(answer(waiting, conflict(4, 2, position(1, 4)))[1])).toEqual([
      append(4, position(1, 4), entriesFrom(2, 4), { commit: 1 })
    ])
  })

  test("[46] answers that come out of order lower nothing", () => {
    const state = leader({ term: 4, log: [4, 4, 4, 4], progress: { B: replicate(1), C: probe(5) } })
    const [high] = answer(state, matched(4, 4))
    expect(progress(high)).toMatchObject({ matchIndex: 4, nextIndex: 5 })
    const [low, effects] = answer(high, matched(4, 2))
    expect(progress(low)).toEqual(progress(high))
    expect(effects).toEqual([])
  })

  test("[47] a refusal from before the match is not news", () => {
    const state = leader({ term: 4, log: [4, 4, 4], progress: { B: replicate(3), C: probe(4) }, commit: 3 })
    for (const prev of [0, 1, 3]) {
      const [next, effects] = answer(state, conflict(4, prev, position(0, 0)))
      expect(progress(next)).toEqual(progress(state))
      expect(effects).toEqual([])
    }
  })

  test("[47] a refusal of another probe is not this one's, nor is one at what has matched", () => {
    const state = leader({
      term: 4,
      log: [4, 4, 4, 4],
      progress: { B: probe(3, { matchIndex: 2 as Index }), C: probe(5) }
    })
    for (const prev of [4, 3, 2, 1]) {
      const [next, effects] = answer(state, conflict(4, prev, position(0, 0)))
      expect(progress(next)).toEqual(progress(state))
      expect(effects).toEqual([])
    }
  })

  test("[48] an answer beyond the end of the log is not believed", () => {
    const state = leader({ term: 4, log: [4], progress: { B: replicate(0, { nextIndex: 2 as Index }), C: probe(2) } })
    const [next] = answer(state, matched(4, 9))
    expect(progress(next)).toMatchObject({ matchIndex: 0, nextIndex: 2 })
    expect(next.stateMachine.commitIndex).toBe(0)
  })

  test("[50] a heartbeat carries leaderCommit with the entry before nextIndex: what does not match is not committed by it", () => {
    const state = leader({ term: 4, log: [1, 4], progress: { B: probe(2), C: replicate(2) }, commit: 2 })
    const [, effects] = step(state, deadline(after(100)))
    expect(sent(effects, B)).toEqual([append(4, position(1, 1), [], { commit: 2 })])
  })

  test('§5.2 "periodic heartbeats": each follower on its own, early wake-ups do nothing', () => {
    const state = leader({
      term: 4,
      log: [4],
      progress: { B: replicate(1), C: replicate(1, { sentAt: after(50) }) },
      commit: 1
    })
    expect(raft.nextDeadline(state)).toBe(after(100))
    expect(step(state, deadline(after(99)))).toEqual([state, []])
    const [next, effects] = step(state, deadline(after(100)))
    expect(effects).toEqual([send(B, append(4, position(1, 4), [], { commit: 1 }))])
    expect(raft.nextDeadline(next)).toBe(after(150))
  })

  test("who waits for a commit is told at once, and others with the next message", () => {
    const state = leader({ term: 4, log: [4], commit: 1 })
    const [logging] = step(state, received(B, forward(4, { request: request(1, B), command: "x" })))
    const [next, effects] = step(logging, received(C, matched(4, 2)))
    expect(next.stateMachine.commitIndex).toBe(2)
    expect(effects).toEqual([send(B, append(4, position(2, 4), [], { commit: 2 }))])
  })
})

describe("flow control", () => {
  test("[54] an append carries at most so many entries, and at most so many bytes; a larger one goes alone", () => {
    const state = leader({ term: 4, log: [4, 4, 4, 4, 4], progress: { B: replicate(0), C: probe(6) } })
    const sizes = (options: Parameters<typeof makeRaft>[0]) =>
      sent(answer(state, matched(4, 0), makeRaft(options))[1], B).map((one) => "entries" in one && one.entries.length)
    expect(sizes({ maxAppendEntries: 2 })).toEqual([2, 2, 1])
    expect(sizes({ maxAppendBytes: 7 })).toEqual([2, 2, 1])
    expect(sizes({ maxAppendBytes: 1 })).toEqual([1, 1, 1, 1, 1])
    expect(sizes({})).toEqual([5])
  })

  test("[53] a window bounds what is in flight: it fills, an answer refills it, a loss empties it", () => {
    const by = makeRaft({ maxAppendEntries: 1, maxInflightAppends: 2 })
    const state = leader({ term: 4, log: [4, 4, 4, 4, 4], progress: { B: replicate(0), C: probe(6) } })
    const [full, first] = answer(state, matched(4, 0), by)
    expect(sent(first)).toEqual([
      append(4, position(0, 0), entriesFrom(1, 4)),
      append(4, position(1, 4), entriesFrom(2, 4))
    ])
    const [more, second] = answer(full, matched(4, 1), by)
    // Entry 1 is committed by it: 3 follows with the news.
    expect(sent(second)).toEqual([append(4, position(2, 4), entriesFrom(3, 4), { commit: 1 })])
    const [lost] = answer(more, conflict(4, 2, position(1, 4)), by)
    expect(progress(lost)).toMatchObject({ _tag: "Probe", nextIndex: 2 })
    expect(progress(lost)).not.toHaveProperty("inflight")
  })

  test("[53] bytes bound it too", () => {
    const by = makeRaft({ maxAppendEntries: 1, maxInflightBytes: 4 })
    const state = leader({ term: 4, log: [4, 4, 4, 4], progress: { B: replicate(0), C: probe(5) } })
    expect(sent(answer(state, matched(4, 0), by)[1])).toHaveLength(2)
  })

  test("a doubled answer changes nothing the second time", () => {
    const state = leader({
      term: 4,
      log: [1, 4, 4, 4],
      progress: { B: replicate(1, { nextIndex: 5 as Index }), C: probe(5) }
    })
    const answers: ReadonlyArray<RaftEvent> = [
      received(B, matched(4, 3)),
      received(B, conflict(4, 4, position(2, 4))),
      received(C, conflict(4, 4, position(1, 1))),
      received(C, matched(4, 2))
    ]
    for (const event of answers) {
      const [once] = step(state, event)
      const [twice, effects] = step(once, event)
      expect(twice).toEqual(once)
      expect(effects).toEqual([])
    }
  })

  test("an answer under a round that was never opened is another's", () => {
    const state = leader({ term: 4, log: [4], progress: { B: probe(2), C: probe(2) } })
    expect(answer(state, matched(4, 1, 1))).toEqual([state, []])
  })
})
