/** §7, the leader: who is sent a snapshot, a chunk at a time, and what else goes on meanwhile. */
import { describe, expect, test } from "vitest"
import { type Instant } from "../../../src/raft/LogEntry.ts"
import type { Progress } from "../../../src/raft/Progress.ts"
import {
  after,
  append,
  B,
  C,
  candidate,
  conflict,
  deadline,
  entriesFrom,
  installing,
  type Leader,
  leader,
  makeRaft,
  matched,
  type Message,
  now,
  position,
  probe,
  queried,
  received,
  replicate,
  send,
  sent,
  type ServerState,
  step,
  submitted
} from "../builders.ts"
import { bytesAt, chunk, failed, held, missing, sendChunk, snapshotAt, stored } from "../images.ts"

const snapshot = snapshotAt(4, 2)

describe("§7, the leader", () => {
  const log = [1, 1, 2, 2, 2, 3]
  const snapshots = [snapshot, snapshotAt(3, 2)]
  const given = { term: 3, log, base: 3, commit: 6, snapshots }
  const to = (progress: Progress, more: Partial<Parameters<typeof leader>[0]> = {}) =>
    leader({ ...given, ...more, progress: { B: progress, C: replicate(6) } })
  const by = makeRaft({ snapshotChunkBytes: 4, snapshotRetryMillis: 50 })
  const hears = (state: ServerState, message: Message, at: Instant = now) => step(state, received(B, message, at), by)
  const progress = (state: ServerState): Progress => (state as Leader).progress.get(B)!
  const sending = installing(snapshot)

  test('[98] "the leader must occasionally send snapshots to followers that lag behind": who needs what it "has already discarded"', () => {
    const [next, effects] = hears(to(probe(7)), conflict(3, 6, position(2, 1)))
    expect(progress(next)).toMatchObject({
      _tag: "Snapshot",
      snapshot,
      offset: 0,
      catchingUp: true,
      nextIndex: 5,
      matchIndex: 0,
      askedAt: now
    })
    expect(effects).toEqual([sendChunk(B, 3, snapshot, 0, 4)])
  })

  test("[98] who holds the base needs none; one entry less, and it does", () => {
    expect(progress(hears(to(probe(7)), conflict(3, 6, position(3, 2)))[0])).toMatchObject({
      _tag: "Probe",
      nextIndex: 4
    })
    expect(progress(hears(to(probe(7)), conflict(3, 6, position(2, 2)))[0])).toMatchObject({ _tag: "Snapshot" })
    // Another entry at the base's index: what stood before is gone, too.
    expect(progress(hears(to(probe(4)), conflict(3, 3, position(3, 1)))[0])).toMatchObject({ _tag: "Snapshot" })
  })

  test("a chunk at a time, each when the one before is there", () => {
    let state: ServerState = to(sending)
    for (const [so, next] of [
      [0, sendChunk(B, 3, snapshot, 0, 4)],
      [4, sendChunk(B, 3, snapshot, 4, 4)],
      [8, sendChunk(B, 3, snapshot, 8, 2)]
    ] as const) {
      const [sendingOn, effects] = hears(state, held(3, snapshot, so))
      expect(effects).toEqual([next])
      expect(hears(sendingOn, held(3, snapshot, so))[1]).toEqual([])
      state = sendingOn
    }
    const [whole, none] = hears(state, held(3, snapshot, 10))
    expect(none).toEqual([])
    expect(progress(whole)).toMatchObject({ offset: 10, askedAt: now })
  })

  test("[102] what is lost is sent again, and not before its time", () => {
    const [asked] = hears(to(sending), held(3, snapshot, 4))
    expect(by.nextDeadline(asked)).toBe(after(50))
    expect(step(asked, deadline(after(49)), by)[1]).toEqual([])
    const [again, effects] = step(asked, deadline(after(50)), by)
    expect(effects).toEqual([sendChunk(B, 3, snapshot, 4, 4)])
    expect(by.nextDeadline(again)).toBe(after(100))
  })

  test("[102] when all has arrived and nothing is heard, it is asked what it has", () => {
    const [whole] = hears(to(installing(snapshot, { offset: 8 })), held(3, snapshot, 10))
    const [, effects] = step(whole, deadline(after(50)), by)
    expect(effects).toEqual([send(B, chunk(3, snapshot, 10, bytesAt(0, 0)))])
    expect(hears(whole, held(3, snapshot, 10), after(10))[1]).toEqual([])
  })

  test("[105] when nothing is left of it, it begins anew after a pause, twice as long each time; then another is taken", () => {
    let state: ServerState = to(installing(snapshot, { offset: 10, askedAt: now }))
    let at: number = now
    let taken = 0
    for (let failure = 0; failure < 9; failure++) {
      const [paused, none] = hears(state, held(3, snapshot, 0), at as Instant)
      expect(none.filter(({ _tag }) => _tag === "SendChunk")).toEqual([])
      taken += none.filter(({ _tag }) => _tag === "TakeSnapshot").length
      const pause = 50 * 2 ** Math.min(failure, 6)
      const heard = (offset: number) => received(C, matched(3, 6), (at + offset) as Instant)
      const [still, early] = step(paused, heard(pause - 1), by)
      expect(early.filter(({ _tag }) => _tag === "SendChunk")).toEqual([])
      expect(by.nextDeadline(still)).toBeLessThanOrEqual(at + pause)
      const [again, effects] = step(still, heard(pause), by)
      expect(effects).toContainEqual(sendChunk(B, 3, snapshot, 0, 4))
      at += pause
      state = hears(again, held(3, snapshot, 4), at as Instant)[0]
    }
    expect(taken).toBe(1)
  })

  for (const [name, message] of Object.entries({
    "of an earlier term": held(2, snapshot, 4),
    "about another one": held(3, snapshotAt(4, 2, { checksum: 8 }), 4),
    "beyond its end": held(3, snapshot, 11)
  })) {
    test(`[102] [109] an answer ${name} changes nothing`, () => {
      const state = to(sending)
      expect(progress(hears(state, message)[0])).toMatchObject({ offset: 0, snapshot })
    })
  }

  test("an answer from one that is not being sent any is a sign of life, and no more", () => {
    const [next] = hears(to(replicate(6)), held(3, snapshot, 4), after(30))
    expect(progress(next)).toEqual(replicate(6, { heardAt: after(30) }))
  })

  test("[109] who is being sent one is sent that to its end, while newer ones are taken", () => {
    const [newer] = step(to(installing(snapshot, { offset: 4, askedAt: now })), stored(snapshotAt(6, 3)), by)
    expect(hears(newer, held(3, snapshot, 8))[1]).toEqual([sendChunk(B, 3, snapshot, 8, 2)])
  })

  test("[110] appends wait until it is installed; the signs of life do not", () => {
    const state = to(installing(snapshot, { askedAt: now }))
    const [proposed, effects] = step(state, submitted(1, "x"), by)
    expect(sent(effects, B)).toEqual([])
    expect(sent(effects, C)).toHaveLength(1)
    // [113] By the heartbeat it hears of the leader, and of what it must hold to have got there.
    const [, beat] = step(proposed, deadline(after(100)), by)
    expect(sent(beat, B)).toEqual([append(3, position(4, 2), [], { commit: 6 })])
  })

  test("[113] a chunk is no append: heartbeats and read rounds go on as if there were none", () => {
    const state = to(installing(snapshot, { offset: 4, sentAt: now }))
    const [next, chunks] = hears(state, held(3, snapshot, 8), after(60))
    expect(chunks).toEqual([sendChunk(B, 3, snapshot, 8, 2)])
    expect(progress(next).sentAt).toBe(now)
    const [, effects] = step(next, queried(1, "q", after(61)), by)
    expect(sent(effects, B)).toMatchObject([{ _tag: "AppendEntries", round: 1, entries: [] }])
  })

  test("[111] an append's answer that matches what the log goes on from ends it, whatever the chunks say", () => {
    for (const match of [3, 4, 5]) {
      const [next, effects] = hears(to(installing(snapshot, { offset: 4, askedAt: now })), matched(3, match))
      expect(progress(next)).toMatchObject({ _tag: "Replicate", matchIndex: match, nextIndex: 7 })
      expect(sent(effects, B)).toEqual([
        append(3, position(match, 2), entriesFrom(match + 1, ...log.slice(match)), { commit: 6 })
      ])
    }
  })

  test("[111] one that matches less is still being sent it; what matches counts", () => {
    const [next, effects] = hears(to(installing(snapshot, { offset: 4, askedAt: now })), matched(3, 2))
    expect(progress(next)).toMatchObject({ _tag: "Snapshot", matchIndex: 2, nextIndex: 5, offset: 4 })
    expect(sent(effects, B)).toEqual([])
  })

  test("[110] a refusal of the heartbeat changes nothing: it is being sent what will make it match", () => {
    const state = to(installing(snapshot, { askedAt: now }))
    const [next, effects] = hears(state, conflict(3, 4, position(1, 1)))
    expect(progress(next)).toEqual(progress(state))
    expect(effects).toEqual([])
  })

  test("[110] one that cannot be reached is asked once in a while, and holds up nobody", () => {
    const [next, effects] = step(to(installing(snapshot, { askedAt: now })), submitted(1, "x"), by)
    const [done] = step(next, received(C, matched(3, 7)), by)
    expect(done.stateMachine.commitIndex).toBe(7)
    expect(effects.filter(({ _tag }) => _tag === "SendChunk")).toEqual([])
    let state: ServerState = next
    let asked = 0
    for (let millis = 10; millis <= 400; millis += 10) {
      const [later, said] = step(state, [received(C, matched(3, 7), after(millis)), deadline(after(millis))], by)
      asked += said.filter(({ _tag }) => _tag === "SendChunk").length
      state = later
    }
    expect(asked).toBe(8)
  })

  test("[105] [110] one that is being sent a snapshot that is gone is sent the latest", () => {
    const old = snapshotAt(3, 2)
    const [gone] = step(to(installing(old, { offset: 4, askedAt: now })), missing(old), by)
    const [, effects] = step(gone, deadline(after(50)), by)
    expect(effects).toContainEqual(sendChunk(B, 3, snapshot, 0, 4))
  })

  test("[105] [110] so it is when that was the latest, and has been taken anew", () => {
    for (const anew of [snapshotAt(6, 3), snapshotAt(6, 3, { checksum: 8 })]) {
      const latest = snapshotAt(6, 3, { checksum: anew.checksum + 1 })
      const state = to(installing(latest, { askedAt: now }), { snapshots: [latest, snapshotAt(3, 2)] })
      const [taking] = step(state, missing(latest), by)
      const [taken] = step(taking, stored(anew), by)
      const [, effects] = step(taken, deadline(after(50)), by)
      expect([...step(taking, stored(anew), by)[1], ...effects]).toContainEqual(sendChunk(B, 3, anew, 0, 4))
    }
  })

  test("[105] one that could not be taken anew is tried again whenever it is missed: nothing else might be due", () => {
    const latest = snapshotAt(6, 3)
    const state = to(installing(latest, { askedAt: now }), { snapshots: [latest, snapshotAt(3, 2)] })
    const [taking] = step(state, missing(latest), by)
    const [failing, none] = step(taking, failed(6, 3), by)
    expect(none).toEqual([])
    expect(step(failing, missing(latest), by)[1].map(({ _tag }) => _tag)).toEqual(["TakeSnapshot"])
  })

  test("[105] what could not be read is nothing to fall back on: the log is kept back to the one before it", () => {
    const latest = snapshotAt(5, 2)
    const state = leader({ ...given, snapshots: [latest, snapshotAt(3, 2)] })
    const [taking] = step(state, missing(latest), by)
    const [next] = step(taking, stored(snapshotAt(6, 3)), by)
    expect(next.snapshots).toMatchObject({
      latest: snapshotAt(6, 3),
      previous: snapshotAt(3, 2),
      unreadable: undefined
    })
    expect(next.stateMachine.log.base.index).toBe(3)
    // Nor is one before the latest.
    expect(step(state, missing(snapshotAt(3, 2)), by)[0].snapshots).toMatchObject({ latest, previous: undefined })
  })

  test("[103] a new leader asks first what its followers hold", () => {
    const [next] = step(
      candidate({ ...given, term: 4, log, votes: [] }),
      received(B, { _tag: "RequestVoteReply", term: leader({ term: 4 }).currentTerm, granted: true }),
      by
    )
    expect(progress(next)).toMatchObject({ _tag: "Probe", nextIndex: 7 })
  })
})
