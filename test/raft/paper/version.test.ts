/** Version.ts: what commands mean grows with the program, at one entry of the log for all replicas. Not of the paper. */
import { describe, expect, test } from "vitest"
import * as Configurations from "../../../src/raft/Configuration.ts"
import type { Context } from "../../../src/raft/Machine.ts"
import type { Amendment } from "../../../src/raft/Amendment.ts"
import { Index } from "../../../src/raft/LogEntry.ts"
import * as Replica from "../../../src/raft/Replica.ts"
import { amending, timeoutNow, versioned } from "../amendments.ts"
import {
  after,
  anybody,
  append,
  B,
  C,
  candidate,
  D,
  deadline,
  entry,
  follower,
  type Leader,
  leader,
  logged,
  machine,
  matched,
  members,
  noOp,
  options,
  position,
  type Raft,
  type RaftEffect,
  raft,
  received,
  refused,
  replicate,
  reply,
  request,
  requestVoteReply,
  sent,
  type ServerState,
  start,
  step,
  submitted
} from "../builders.ts"
import { imageOf, snapshotAt } from "../images.ts"

const understanding = (version: number): Raft => Replica.make({ ...machine, version }, options)
const two = understanding(2)
const limit = (ceiling: number | undefined): Amendment => ({ _tag: "Version", ceiling })
const says = (version: number) => ({ ...anybody, version })
const versions = ({ stateMachine: { version, ceiling } }: ServerState) => ({ version, ceiling })
const logsVersions = (effects: ReadonlyArray<RaftEffect>): ReadonlyArray<number> =>
  effects.flatMap((effect) =>
    effect._tag === "Persist"
      ? (effect.log?.entries ?? []).flatMap(({ payload }) => (payload._tag === "Version" ? [payload.version] : []))
      : []
  )
const led = leader({ term: 2, log: [2], progress: { B: replicate(1, { version: 2 }), C: replicate(1) }, commit: 1 })

describe("a leader", () => {
  test("raises the version to what all members understand, as soon as they have said so", () => {
    const [next, effects] = step(led, received(C, matched(2, 1, 0, says(2))), two)
    expect(logsVersions(effects)).toEqual([2])
    // It is in force when it is committed and applied, and not before.
    expect(versions(next).version).toBe(1)
    expect(versions(step(next, received(B, matched(2, 2, 0, says(2))), two)[0]).version).toBe(2)
  })

  test("not beyond what it understands itself, nor what the least of them does", () => {
    expect(logsVersions(step(led, received(C, matched(2, 1, 0, says(2))))[1])).toEqual([])
    expect(logsVersions(step(led, received(C, matched(2, 1, 0, says(3))), understanding(3))[1])).toEqual([2])
    expect(logsVersions(step(led, received(C, matched(2, 1, 0, says(1))), two)[1])).toEqual([])
  })

  test("not while a member is silent, a learner neither: nobody knows what that one understands", () => {
    const silent = leader({
      term: 2,
      log: [2],
      commit: 1,
      progress: { B: replicate(1), C: replicate(1, { version: 0 }) }
    })
    expect(logsVersions(step(silent, received(B, matched(2, 1, 0, says(2))), two)[1])).toEqual([])
    const configuration = { ...Configurations.of(members(3)), learners: [{ id: D, promote: false }] }
    const version = (of: number) => replicate(1, { version: of })
    const learning = leader({
      term: 2,
      log: [2],
      commit: 1,
      configuration,
      progress: { B: version(2), C: version(2), D: version(1) }
    })
    expect(logsVersions(step(learning, received(B, matched(2, 1, 0, says(2))), two)[1])).toEqual([])
    expect(logsVersions(step(learning, received(D, matched(2, 1, 0, says(2))), two)[1])).toEqual([2])
  })

  test("says it once: until that is applied nothing else is said about it", () => {
    const [next] = step(led, received(C, matched(2, 1, 0, says(2))), two)
    expect((next as Leader).announced).toBe(2)
    const [, effects] = step(next, received(C, matched(2, 1, 0, says(2))), two)
    expect(logsVersions(effects)).toEqual([])
    expect(step(next, amending(1, limit(1)), two)[1]).toContainEqual(refused(1, "ChangePending"))
  })

  test("not before what it inherited is applied: that may be about it", () => {
    const log = [entry(1, 2), versioned(2, 2, 2, { ceiling: 2 })]
    const three = understanding(3)
    const [elected] = step(candidate({ term: 3, log, commit: 1 }), received(B, requestVoteReply(3, true)), three)
    expect((elected as Leader).announced).toBe(3)
    const all = [received(B, matched(3, 3, 0, says(3))), received(C, matched(3, 3, 0, says(3)))]
    const [next, effects] = step(elected, all, three)
    expect(logsVersions(effects)).toEqual([])
    expect(versions(next)).toEqual({ version: 2, ceiling: 2 })
    // The ceiling holds.
    expect(logsVersions(step(next, all, three)[1])).toEqual([])
  })

  test("not while handing over, nor with a full disk", () => {
    const news = received(C, matched(2, 1, 0, says(2)))
    const transfer = { to: B, deadline: after(500), askedAt: after(0) }
    expect(logsVersions(step({ ...led, transfer }, news, two)[1])).toEqual([])
    expect(logsVersions(step({ ...led, diskFull: true }, news, two)[1])).toEqual([])
  })
})

describe("to go back to an older program", () => {
  const raised = leader({ term: 2, log: [noOp(1, 2), versioned(2, 2, 2)], commit: 2 })
  const at2: Leader = {
    ...raised,
    stateMachine: {
      ...raised.stateMachine,
      version: 2,
      outdated: undefined,
      lastApplied: Index(2),
      commitIndex: Index(2)
    }
  }

  test("an operator limits the version: it comes down to that, and stays there", () => {
    const [next] = step(at2, amending(1, limit(1)), two)
    const [down, effects] = step(next, received(B, matched(2, 3, 0, says(2))), two)
    expect(versions(down)).toEqual({ version: 1, ceiling: 1 })
    expect(effects).toContainEqual(reply(1, { _tag: "Amended" }))
    const [still, more] = step(down, received(C, matched(2, 3, 0, says(2))), two)
    expect(logsVersions(more)).toEqual([])
    // Once it is lifted the leader goes on by itself.
    const [lifting] = step(still, amending(2, limit(undefined)), two)
    const [lifted] = step(lifting, received(B, matched(2, 4, 0, says(2))), two)
    expect(versions(lifted).ceiling).toBe(undefined)
    const [, again] = step(lifted, received(C, matched(2, 4, 0, says(2))), two)
    expect(logsVersions(again)).toEqual([2])
  })

  test("a limit above changes nothing but the limit", () => {
    const [next] = step(at2, amending(1, limit(7)), two)
    expect(versions(step(next, received(B, matched(2, 3, 0, says(2))), two)[0])).toEqual({ version: 2, ceiling: 7 })
  })

  test("what is no version is refused", () => {
    for (const bad of [0, -1, 1.5, Number.NaN]) {
      expect(step(at2, amending(1, limit(bad)), two)[1]).toContainEqual(refused(1, "UnknownVersion"))
    }
  })
})

describe("a replica that does not understand what the others have agreed on", () => {
  const log = [entry(1, 2), versioned(2, 2, 2), entry(3, 2)]
  const follows = follower({ term: 2, log, leader: B })
  const [outdated] = step(
    { ...follows, stateMachine: follower({ term: 2, log }).stateMachine },
    received(B, append(2, position(3, 2), [], { commit: 3 }))
  )

  test("applies nothing from there on, though it stores and acknowledges", () => {
    expect(outdated.stateMachine).toMatchObject({
      outdated: 2,
      lastApplied: 1,
      commitIndex: 3,
      version: 1,
      value: ["1.2"]
    })
    const [next, effects] = step(outdated, received(B, append(2, position(3, 2), [entry(4, 2)], { commit: 4 })))
    expect(next.stateMachine).toMatchObject({ lastApplied: 1, commitIndex: 4 })
    expect(sent(effects, B)).toMatchObject([{ result: { _tag: "Matched", matchIndex: 4 } }])
    // There is no hurry: nothing becomes due by that.
    expect(raft.nextDeadline(next)).toBeGreaterThan(0)
  })

  test("serves nobody, and does not stand", () => {
    expect(step(outdated, submitted(1, "x"))[1]).toEqual([refused(1, "Outdated")])
    expect(step(outdated, deadline(after(9_000)))[0]._tag).toBe("Follower")
    expect(step(outdated, received(B, timeoutNow(2)))[0]._tag).toBe("Follower")
  })

  test("a leader that finds itself so hands over", () => {
    const state = leader({ term: 2, log: [entry(1, 2)], commit: 1 })
    const grown = {
      ...state,
      stateMachine: {
        ...state.stateMachine,
        log: leader({ term: 2, log: [entry(1, 2), versioned(2, 2, 2)], commit: 1, progress: {} }).stateMachine.log
      }
    }
    const [next, effects] = step(grown, received(B, matched(2, 2, 0, says(2))))
    expect(next).toMatchObject({ _tag: "Follower", leader: undefined, stateMachine: { outdated: 2 } })
    expect(sent(effects, B)).toContainEqual(timeoutNow(2))
  })

  test("is not the one that is asked to take over", () => {
    const log = [entry(1, 2), versioned(2, 2, 2)]
    const progress = { B: replicate(2, { version: 1 }), C: replicate(1, { version: 2 }) }
    const state = leader({ term: 2, log, commit: 1, progress })
    const [next, effects] = step(state, received(B, matched(2, 2)))
    expect(next).toMatchObject({ _tag: "Follower", stateMachine: { outdated: 2 } })
    expect(sent(effects, B)).not.toContainEqual(timeoutNow(2))
    expect(sent(effects, C)).toContainEqual(timeoutNow(2))
  })

  test("does not come to vote: it could not lead", () => {
    const configuration = { ...Configurations.of(members(3)), learners: [{ id: D, promote: true }] }
    const understands = replicate(2, { version: 2 })
    const state = leader({
      term: 2,
      log: [noOp(1, 2), versioned(2, 2, 2)],
      commit: 2,
      configuration,
      progress: { B: understands, C: understands, D: replicate(2, { version: 1 }) }
    })
    const agreed = {
      ...state,
      stateMachine: { ...state.stateMachine, version: 2, outdated: undefined, lastApplied: Index(2) }
    }
    const [older] = step(agreed, received(D, matched(2, 2, 0, says(1))), two)
    expect((older as Leader).catchUps.size).toBe(0)
    const [began] = step(older, received(D, matched(2, 2, 0, says(2))), two)
    expect((began as Leader).catchUps.size).toBe(1)
  })

  test("and one that starts from a snapshot of a later version is so from the beginning", () => {
    const image = { ...imageOf(2, 2), version: 2 }
    const given = { term: 2, image, base: position(2, 2), snapshots: [snapshotAt(2, 2)] }
    expect(start(given).stateMachine.outdated).toBe(2)
    expect(start(given, two).stateMachine.outdated).toBe(undefined)
    expect(start(given, two).stateMachine.version).toBe(2)
  })
})

test("commands are applied by the version of where they stand in the log", () => {
  const seen: Array<Context> = []
  const spying = Replica.make(
    {
      ...machine,
      version: 2,
      apply: (state, command, context) => (seen.push(context), machine.apply(state, command, context))
    },
    options
  )
  const log = [
    logged(1, 2, request(1), "a"),
    versioned(2, 2, 2),
    logged(3, 2, request(2), "b"),
    versioned(4, 2, 1, { ceiling: 1 }),
    logged(5, 2, request(3), "c")
  ]
  const [next] = step(
    follower({ term: 2, leader: B }),
    received(B, append(2, position(0, 0), log, { commit: 5 })),
    spying
  )
  expect(seen.map(({ version }) => version)).toEqual([1, 2, 1])
  expect(versions(next)).toEqual({ version: 1, ceiling: 1 })
})
