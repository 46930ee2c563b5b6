/** `balsa member`: what it asks, what it prints, and its exit codes. */
import { afterEach, describe, expect, test } from "vitest"
import { type Asked, FakeGateway, ok, type Reply } from "./FakeGateway.ts"
import { run } from "./InProcess.ts"

const gateways: Array<FakeGateway> = []

afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()))
})

const gateway = async (reply: (asked: Asked) => Reply) => {
  const fake = new FakeGateway(reply)
  gateways.push(fake)
  return { asked: fake.asked, at: await fake.listen() }
}

const progress = { inReach: true, admitted: true, matchIndex: 9, lag: 0, caughtUp: true, version: 1 }
const voter = (id: string, more: object = {}) => ({
  id,
  role: "voter",
  promote: false,
  address: `10.0.0.1:${id.charCodeAt(0)}`,
  progress,
  ...more
})
const answer = (members: ReadonlyArray<object>, more: object = {}) => ({
  cluster: "balsa",
  role: "Leader",
  leader: "A",
  term: 3,
  outside: false,
  configuration: { index: 7, committed: true, joint: false },
  members,
  ...more
})

describe("list", () => {
  test("is a table for people, with what the leader knows", async () => {
    const learner = voter("B", {
      role: "learner",
      promote: true,
      progress: { ...progress, lag: 120, caughtUp: false, catchUpRound: 2 }
    })
    const { at } = await gateway(() => ok(answer([voter("A"), learner])))
    const { code, out } = await run(["member", "list", "-e", at, "-o", "table"])
    expect(code).toBe(0)
    expect(out).toBe(
      [
        "ID  ROLE          ADDRESS      REACH  LAG  NOTE",
        "A   voter, leads  10.0.0.1:65  yes    0    ok",
        "B   learner       10.0.0.1:66  yes    120  catches up, round 2",
        ""
      ].join("\n")
    )
  })

  test("prefers the leader's answer, and does without", async () => {
    const follower = await gateway(() => ok(answer([voter("A", { progress: null })], { role: "Follower" })))
    const leader = await gateway(() => ok(answer([voter("A")])))
    const both = await run(["member", "list", "-e", `${follower.at},${leader.at}`, "-o", "json"])
    expect(JSON.parse(both.out).members[0].in_reach).toBe(true)
    const one = await run(["member", "list", "-e", follower.at, "-o", "json"])
    expect(JSON.parse(one.out).members[0].in_reach).toBeNull()
  })

  test("says which voter the leader does not reach", async () => {
    const { at } = await gateway(() =>
      ok(answer([voter("A"), voter("B", { progress: { ...progress, inReach: false } })]))
    )
    const { out } = await run(["member", "list", "-e", at, "-o", "plain"])
    expect(out).toContain("B\tvoter\t10.0.0.1:66\tno\t0\tnot in reach of the leader\n")
  })

  test("names what is under way", async () => {
    const members = [voter("A"), voter("B", { role: "leaving" })]
    const { at } = await gateway(() =>
      ok(answer(members, { configuration: { index: 7, committed: false, joint: true } }))
    )
    const { out } = await run(["member", "list", "-e", at, "-o", "plain"])
    expect(out).toContain("A\tvoter, leads\t10.0.0.1:65\tyes\t0\ta change is under way")
    expect(out).toContain("B\tleaving\t10.0.0.1:66\tyes\t0\tvotes until the change under way is done")
  })
})

describe("add", () => {
  test("waits until the new one votes", async () => {
    let looks = 0
    const { at, asked } = await gateway(({ path }) => {
      const isVoter = path === "/balsa/v1/members" && ++looks > 2
      return ok(answer([voter("A"), voter("D", isVoter ? {} : { role: "learner", promote: true })]))
    })
    const { code, out, err } = await run(["member", "add", "D", "--address", "10.0.0.4:7504", "-e", at, "-o", "json"])
    expect(code).toBe(0)
    expect(asked[0]).toEqual({
      path: "/balsa/v1/members/amend",
      body: { changes: [{ type: "add", name: "D", address: "10.0.0.4:7504", promote: true }], force: false }
    })
    expect(looks).toBe(3)
    expect(err).toContain("D is a learner at 10.0.0.4:7504, and becomes a voter once it has caught up")
    expect(JSON.parse(out).members[1]).toMatchObject({ id: "D", role: "voter" })
  })

  test("waits no longer than it was told to, and says the same thing once", async () => {
    const { at } = await gateway(() => ok(answer([voter("A"), voter("D", { role: "learner", promote: true })])))
    const argv = ["member", "add", "D", "--address", "h:1", "--timeout", "2300ms", "-e", at]
    const { code, out, err } = await run(argv)
    expect([code, out]).toEqual([5, ""])
    expect(err).toMatch(/BALSA_STILL_A_LEARNER: D was added, and does not vote yet after 2\.3 s\..*balsa member list/)
    expect(err.match(/D catches up: 0 entries behind/g)).toHaveLength(1)
  })

  test("does not wait for one that is to stay a learner, nor where that is not wanted", async () => {
    const { at, asked } = await gateway(() => ok(answer([voter("A"), voter("D", { role: "learner" })])))
    for (const flag of ["--learner", "--no-wait"]) {
      expect((await run(["member", "add", "D", "--address", "h:1", flag, "-e", at])).code).toBe(0)
    }
    expect(asked.map(({ body }) => (body["changes"] as ReadonlyArray<{ promote: boolean }>)[0]!.promote)).toEqual([
      false,
      true
    ])
  })

  test("says so when somebody removes it meanwhile", async () => {
    const { at } = await gateway(({ path }) =>
      ok(answer(path.endsWith("amend") ? [voter("A"), voter("D", { role: "learner" })] : [voter("A")]))
    )
    const { code, err } = await run(["member", "add", "D", "--address", "h:1", "-e", at])
    expect([code, err]).toEqual([1, expect.stringContaining("BALSA_NOT_A_MEMBER")])
  })
})

test.each([
  [["promote", "B"], { type: "promote", name: "B" }],
  [["demote", "B"], { type: "demote", name: "B" }],
  [["remove", "B"], { type: "remove", name: "B" }],
  [["update", "B", "--address", "h:1"], { type: "move", name: "B", address: "h:1" }]
])("member %j asks for one change", async (argv, change) => {
  const { at, asked } = await gateway(() => ok(answer([voter("A"), voter("B")])))
  expect((await run(["member", ...argv, "--force", "-e", at])).code).toBe(0)
  expect(asked.filter(({ path }) => path.endsWith("amend")).map(({ body }) => body)).toEqual([
    { changes: [change], force: true }
  ])
})

test("a refusal says why, once, and changes nothing elsewhere", async () => {
  const refusal = { code: 9, message: "etcdserver: re-configuration failed", reason: "too few are in reach" }
  const first = await gateway(() => ({ status: 412, body: refusal }))
  const second = await gateway(() => ok(answer([voter("A")])))
  const { code, err } = await run(["member", "remove", "B", "-e", `${first.at},${second.at}`])
  expect([code, err]).toEqual([1, expect.stringMatching(/^BALSA_REFUSED: .*too few are in reach/)])
  expect(second.asked.filter(({ path }) => path.endsWith("amend"))).toEqual([])
})

test("remove says that there was no such member, and asks for it all the same", async () => {
  const { at, asked } = await gateway(() => ok(answer([voter("A"), voter("B")])))
  const { code, out, err } = await run(["member", "remove", "C", "-e", at])
  expect([code, out]).toEqual([3, ""])
  expect(err).toBe('balsa: no member "C", so there was nothing to remove; the members are A, B\n')
  expect(asked.map(({ path }) => path)).toContain("/balsa/v1/members/amend")
})

test("a change without an answer may be asked for again", async () => {
  const { at } = await gateway(() => "drop")
  const { code, err } = await run(["member", "remove", "B", "-e", at])
  expect([code, err]).toEqual([5, expect.stringMatching(/^BALSA_OUTCOME_UNKNOWN: .*may be asked for again/)])
})

describe("plan", () => {
  const strength = (voters: ReadonlyArray<string>, inReach = voters) => {
    const quorum = Math.floor(voters.length / 2) + 1
    return { voters, learners: [], quorum, tolerates: voters.length - quorum, inReach }
  }
  const before = strength(["A", "B", "C"])

  test("shows what may fail before and after", async () => {
    const { at, asked } = await gateway(() => ok({ before, after: strength(["A", "B"]) }))
    const { code, out } = await run(["member", "plan", "remove", "C", "-e", at, "-o", "table"])
    expect(code).toBe(0)
    expect(out).toBe(
      [
        "          NOW      THEN",
        "voters    A, B, C  A, B",
        "learners  -        -",
        "quorum    2 of 3   2 of 2",
        "may fail  1        0",
        "in reach  A, B, C  A, B",
        "An even number of voters stands no more failures than one voter less would.",
        ""
      ].join("\n")
    )
    expect(asked[0]).toEqual({ path: "/balsa/v1/members/plan", body: { changes: [{ type: "remove", name: "C" }] } })
  })

  test("exits with 1 where it would be refused, unless it may be forced and is", async () => {
    const refusal = { reason: "WouldLoseQuorum", message: "too few are in reach", forcible: true }
    const { at } = await gateway(() => ok({ before, after: strength(["A", "B"], ["A"]), refusal }))
    const plan = (...more: ReadonlyArray<string>) => run(["member", "plan", "remove", "C", "-e", at, ...more])
    expect(await plan()).toMatchObject({ code: 1, err: expect.stringContaining("BALSA_WOULD_BE_REFUSED") })
    expect((await plan("--force")).code).toBe(0)
    expect(JSON.parse((await plan("-o", "json")).out)).toMatchObject({ refused: true, forcible: true })
  })

  test("asks on until the leader answers, who alone can tell", async () => {
    const elsewhere = { code: 14, message: "etcdserver: no leader", reason: "only the leader can tell: ask B" }
    const follower = await gateway(() => ({ status: 503, body: elsewhere }))
    const leader = await gateway(() => ok({ before, after: before }))
    const words = ["remove", "C", "add", "D=10.0.0.4:7504"]
    expect((await run(["member", "plan", ...words, "-e", `${follower.at},${leader.at}`])).code).toBe(0)
    expect(leader.asked[0]!.body["changes"]).toEqual([
      { type: "remove", name: "C" },
      { type: "add", name: "D", address: "10.0.0.4:7504", promote: true }
    ])
  })

  test.each([
    [[], /which change/],
    [["drop", "C"], /"drop" is no change/],
    [["remove"], /remove whom/],
    [["remove", "a/b"], /not a replica id/],
    [["add", "D=nowhere"], /"nowhere"/]
  ])("%j is a wrong usage", async (words, message) => {
    const { code, err } = await run(["member", "plan", ...words, "-e", "127.0.0.1:1"])
    expect([code, err]).toEqual([2, expect.stringMatching(message)])
  })
})

test("transfer says who leads then", async () => {
  const { at, asked } = await gateway(() => ok({ balsa: { leader: "B" } }))
  expect((await run(["member", "transfer", "B", "-e", at])).out).toBe("B leads\n")
  expect((await run(["member", "transfer", "-e", at, "-o", "json"])).out).toBe('{"leader":"B"}\n')
  expect(asked.map(({ body }) => body)).toEqual([{ name: "B" }, {}])
})
