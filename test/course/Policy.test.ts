/** What clients are told, and above all what they are not. */
import { describe, expect, test } from "vitest"
import type { Observation, Standing } from "../../src/course/Observation.ts"
import * as Policy from "../../src/course/Policy.ts"
import * as PolicyStates from "../../src/course/PolicyState.ts"
import type { PolicyAction, PolicyEvent, PolicyState } from "../../src/course/PolicyState.ts"
import type { ClientRequest } from "../../src/course/Wire.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"

const self = ReplicaId("0000")
const other = ReplicaId("0001")
const nobodyLeads: Standing = {
  term: 1,
  leads: false,
  leader: undefined,
  leaderHeardAt: 0,
  quorumLost: false,
  commitIndex: 0,
  answerRate: 1,
  holders: []
}
const leading: Standing = { ...nobodyLeads, leads: true, leader: self }
const following: Standing = { ...nobodyLeads, leader: other, leaderHeardAt: 50 }

const put = (mid: string, key = "k"): ClientRequest => ({ _tag: "Put", client: "0010", mid, key, value: mid })
const get = (mid: string, client = "0010"): ClientRequest => ({ _tag: "Get", client, mid, key: "k" })
const arrived = (request: ClientRequest, at = 100): PolicyEvent => ({ _tag: "RequestArrived", at, request })
const stepped = (standing: Standing, more: Partial<Observation> = {}): PolicyEvent => ({
  _tag: "Stepped",
  observation: {
    at: 100,
    standing,
    logged: [],
    taken: [],
    applied: [],
    committedTerm: standing.term,
    answered: [],
    toldCommit: standing.commitIndex,
    refused: [],
    ...more
  }
})
const applied = (index: number, term: number, mid: string): Observation["applied"][number] => ({
  index,
  term,
  put: { client: "0010", mid, key: "k", value: mid }
})

/** All that is done, event by event. */
const run = (standing: Standing, ...events: ReadonlyArray<PolicyEvent>) => {
  let state: PolicyState = PolicyStates.initial(standing)
  const done: Array<ReadonlyArray<PolicyAction>> = []
  for (const event of events) {
    const [next, actions] = Policy.decide(PolicyStates.defaults, state, event)
    state = next
    done.push(actions)
  }
  return { state, done, last: done.at(-1)! }
}
const ok = (mid: string, value?: string) =>
  value === undefined ? { _tag: "Ok", client: "0010", mid } : { _tag: "Ok", client: "0010", mid, value }
const redirect = (mid: string) => ({ _tag: "Redirect", client: "0010", mid })
const submit = (sequence: number, request: ClientRequest) => ({ _tag: "Submit", sequence, request })

describe("a request", () => {
  test("is held while nobody is known to lead, and then submitted or sent to who does", () => {
    const held = run(nobodyLeads, arrived(put("p")), arrived(get("g")))
    expect(held.done).toEqual([[], []])
    expect(run(nobodyLeads, arrived(put("p")), stepped(leading)).last).toEqual([submit(1, put("p"))])
    expect(run(nobodyLeads, arrived(put("p")), stepped(following)).last).toEqual([redirect("p")])
  })

  test("that comes twice is one request", () => {
    expect(run(leading, arrived(put("p")), arrived(put("p"))).done).toEqual([[submit(1, put("p"))], []])
  })

  test("of a client that was sent to this leader before is held until that leader speaks again", () => {
    const { done } = run(
      following,
      arrived(get("g"), 60),
      arrived(get("h"), 70),
      stepped({ ...following, leaderHeardAt: 90 })
    )
    expect(done).toEqual([[redirect("g")], [], [redirect("h")]])
  })

  test("is sent elsewhere by a replica without a majority, but not at once", () => {
    const lost = { ...nobodyLeads, quorumLost: true }
    const { state, done } = run(lost, arrived(get("g"), 100))
    expect(done).toEqual([[]])
    const due = Policy.nextDeadline(PolicyStates.defaults, state)
    expect(due).toBe(250)
    const at = (when: number) => Policy.decide(PolicyStates.defaults, state, { _tag: "DeadlineReached", at: when })[1]
    expect(at(249)).toEqual([])
    expect(at(due)).toEqual([redirect("g")])
  })

  test("beyond the limit drives out the oldest that is held", () => {
    const options = { ...PolicyStates.defaults, maxHeld: 1 }
    const [first] = Policy.decide(options, PolicyStates.initial(nobodyLeads), arrived(get("g")))
    expect(Policy.decide(options, first, arrived(get("h")))[1]).toEqual([redirect("g")])
  })
})

describe("a put that is in the log", () => {
  const logged = [arrived(put("p")), stepped(leading, { taken: [1], logged: [{ sequence: 1, index: 5, term: 1 }] })]

  test("is answered when it is applied, in the order of the log", () => {
    const { last } = run(leading, ...logged, stepped(leading, { applied: [applied(4, 1, "o"), applied(5, 1, "p")] }))
    expect(last).toEqual([ok("o"), ok("p")])
  })

  test("is neither failed nor redirected when its leader is deposed: it may still be committed", () => {
    const deposed = { ...nobodyLeads, term: 2, quorumLost: true }
    const { done } = run(
      leading,
      ...logged,
      stepped(deposed, { committedTerm: 1 }),
      stepped({ ...following, term: 2 }, { committedTerm: 1 })
    )
    expect(done.slice(2)).toEqual([[], []])
  })

  test("is left to the new leader to answer when that has committed it", () => {
    const follower = { ...following, term: 2, commitIndex: 6 }
    const news = { applied: [applied(5, 1, "p"), applied(6, 2, "q")], committedTerm: 2 }
    expect(run(leading, ...logged, stepped(follower, news)).last).toEqual([])
  })

  test("is redirected once something else is committed in its place", () => {
    const follower = { ...following, term: 2, commitIndex: 5 }
    const news = { applied: [applied(5, 2, "q")], committedTerm: 2 }
    expect(run(leading, ...logged, stepped(follower, news)).last).toEqual([redirect("p")])
  })

  test("and once a later term is committed before it", () => {
    const follower = { ...following, term: 2, commitIndex: 4 }
    const news = { applied: [applied(4, 2, "q")], committedTerm: 2 }
    expect(run(leading, ...logged, stepped(follower, news)).last).toEqual([redirect("p")])
  })
})

describe("a put that never came into the log", () => {
  test("is held again, and sent to the leader", () => {
    const { last } = run(leading, arrived(put("p")), stepped({ ...following, term: 2 }, { taken: [1] }))
    expect(last).toEqual([redirect("p")])
  })

  test("is failed where the core had no room for it", () => {
    const full = { taken: [1], refused: [{ sequence: 1, isFull: true }] }
    expect(run(leading, arrived(put("p")), stepped(leading, full)).last).toEqual([
      { _tag: "Fail", client: "0010", mid: "p" }
    ])
  })
})

describe("a new leader", () => {
  const elected = { ...leading, term: 2 }

  test("answers what it inherited and nobody knew to be committed", () => {
    const news = { applied: [applied(3, 1, "old"), applied(4, 1, "ghost"), applied(5, 2, "new")], committedTerm: 2 }
    const { last } = run({ ...following, commitIndex: 3 }, stepped(elected), stepped(elected, news))
    expect(last).toEqual([ok("ghost"), ok("new")])
  })

  test("does not answer what a voter knew to be committed", () => {
    const news = { applied: [applied(4, 1, "answered"), applied(5, 1, "ghost")], committedTerm: 2 }
    const { last } = run(
      { ...following, commitIndex: 3 },
      { _tag: "PeerHeard", at: 90, commitIndex: 4 },
      stepped(elected),
      stepped(elected, news)
    )
    expect(last).toEqual([ok("ghost")])
  })
})

describe("a get", () => {
  test("is answered after the puts that its value comes from", () => {
    const news = { applied: [applied(1, 1, "p")], answered: [{ sequence: 1, value: "p" }] }
    expect(run(leading, arrived(get("g")), stepped(leading, news)).last).toEqual([ok("p"), ok("g", "p")])
  })

  test("is not answered by a deposed leader, but sent to the next; a late answer of the core is nobody's", () => {
    const { done } = run(
      leading,
      arrived(get("g")),
      stepped({ ...following, term: 2 }),
      stepped({ ...following, term: 2 }, { answered: [{ sequence: 1, value: "" }] })
    )
    expect(done.slice(1)).toEqual([[redirect("g")], []])
  })
})

describe("where answers often fail to come", () => {
  const lossy = { ...leading, answerRate: 0.7 }
  const puts = Array.from({ length: 12 }, (_, at) => arrived(put(`p${at}`), 1000 + 125 * at))

  test("some puts wait for the next one, less than half of all", () => {
    const { done } = run(lossy, ...puts)
    const waiting = done.filter((actions) => actions.length === 0).length
    expect(waiting).toBeGreaterThan(2)
    expect(waiting).toBeLessThan(6)
    expect(done.flat().length + (done.at(-1)!.length === 0 ? 1 : 0)).toBe(12)
    expect(run(leading, ...puts).done.every((actions) => actions.length === 1)).toBe(true)
  })

  test("and not for ever", () => {
    const { state, done } = run(lossy, ...puts)
    const first = done.findIndex((actions) => actions.length === 0)
    const until = run(lossy, ...puts.slice(0, first + 1)).state
    const due = Policy.nextDeadline(PolicyStates.defaults, until)
    expect(due).toBe(1000 + 125 * first + PolicyStates.defaults.companyMillis)
    const [, actions] = Policy.decide(PolicyStates.defaults, until, { _tag: "DeadlineReached", at: due })
    expect(actions).toEqual([submit(first + 1, put(`p${first}`))])
    expect(state.sequence).toBeGreaterThan(first)
  })
})

describe("a leader that came after another", () => {
  const second = { ...leading, term: 2, commitIndex: 4, holders: [other] }
  const news = { applied: [applied(4, 2, "p")], toldCommit: 0 }

  test("tells one follower what it has answered, unless an append does", () => {
    const { state } = run(second, stepped(second, news))
    const due = Policy.nextDeadline(PolicyStates.defaults, state)
    expect(due).toBe(100 + PolicyStates.defaults.noticeMillis)
    expect(Policy.decide(PolicyStates.defaults, state, { _tag: "DeadlineReached", at: due })[1]).toEqual([
      { _tag: "Notice", to: other }
    ])
    const told = run(second, stepped(second, news), stepped(second, { toldCommit: 4 })).state
    expect(Policy.nextDeadline(PolicyStates.defaults, told)).toBe(Number.POSITIVE_INFINITY)
  })
})
