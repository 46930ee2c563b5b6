/**
 * The test of the test: two etcds answer the same; where the answers of one are altered on the way, each alteration is
 * found, and made small.
 */
import { afterAll, beforeAll, expect, test } from "vitest"
import { campaign } from "./Campaign.ts"
import { sequence } from "./Generator.ts"
import { type Pair, run } from "./Run.ts"
import { type Started, startEtcd } from "./Servers.ts"
import { type Answer, type Request, Side } from "./Side.ts"

let started: ReadonlyArray<Started> = []

beforeAll(async () => {
  started = await Promise.all([startEtcd(), startEtcd("the other etcd")])
})

afterAll(async () => {
  await Promise.all(started.map((one) => one.stop()))
})

const pairOf = (alter?: (answer: Answer, request: Request) => Answer): Pair => ({
  etcd: started[0]!.side,
  balsa: new Side("altered", started[1]!.side.endpoints, alter)
})

const inText =
  (path: string, pattern: RegExp, instead: string) =>
  (answer: Answer, request: Request): Answer =>
    request.path.replace("/v3/kv/lease/", "/v3/lease/") === path
      ? { ...answer, text: answer.text.replace(pattern, instead) }
      : answer

const reversed = (answer: Answer, request: Request): Answer => {
  if (request.path !== "/v3/kv/range" || answer.status !== 200) return answer
  const body = JSON.parse(answer.text) as { readonly kvs?: ReadonlyArray<unknown> }
  return body.kvs === undefined ? answer : { ...answer, text: JSON.stringify({ ...body, kvs: body.kvs.toReversed() }) }
}

const alterations: { readonly [what: string]: (answer: Answer, request: Request) => Answer } = {
  "a count that is left out": inText("/v3/kv/range", /,"count":"\d+"/, ""),
  "a zero that is written": inText("/v3/kv/deleterange", /\}$/, ',"deleted":"0"}'),
  "keys in another order": reversed,
  "fields in another order": inText("/v3/kv/range", /("create_revision":"\d+"),("mod_revision":"\d+")/, "$2,$1"),
  "a key more": inText("/v3/kv/range", /"kvs":\[/, '"kvs":[{"key":"YQ=="},'),
  "another value": inText("/v3/kv/range", /"value":"MQ=="/, '"value":"Mg=="'),
  "a version that is not raised": inText("/v3/kv/range", /"version":"2"/, '"version":"1"'),
  "a previous pair that is left out": inText("/v3/kv/put", /,"prev_kv":.*(?=\})/, ""),
  "a revision too high": (answer, request) =>
    request.path === "/v3/kv/put" && request.body?.includes("prev") === true
      ? {
          ...answer,
          text: answer.text.replace(/"revision":"(\d+)"/, (_, digits) => `"revision":"${Number(digits) + 1}"`)
        }
      : answer,
  "a transaction that never succeeds": inText("/v3/kv/txn", /,"succeeded":true/, ""),
  "another error": inText("/v3/kv/txn", /duplicate key given/g, "a key given twice"),
  "another code": inText("/v3/kv/put", /"code":5/, '"code":3'),
  "another status": (answer) => (answer.status === 404 ? { ...answer, status: 400 } : answer),
  "another content type": (answer) =>
    answer.status === 400 ? { ...answer, contentType: "application/json; charset=utf-8" } : answer,
  "somebody else's answer": inText("/v3/kv/range", /"member_id":"\d+"/, '"member_id":"1"'),
  "a lease with other seconds": inText("/v3/lease/grant", /"TTL":"\d+"/, '"TTL":"99"'),
  "no time left": inText("/v3/lease/timetolive", /"TTL":"(\d+)","grantedTTL"/, '"TTL":"1","grantedTTL"'),
  "a lease without its keys": inText("/v3/lease/timetolive", /,"keys":\[.*?\]/, ""),
  "one lease of two": inText("/v3/lease/leases", /\{"ID":"\d+"\},/, ""),
  "an event that is lost": inText("/v3/watch", /"events":\[\{.*\},\{"(?=kv|type)/, '"events":[{"'),
  "an event without what was before": inText("/v3/watch", /,"prev_kv":\{[^}]*\}/g, ""),
  "a put that looks like a deletion": inText("/v3/watch", /"events":\[\{"kv"/, '"events":[{"type":"DELETE","kv"'),
  "a message behind its events": inText("/v3/watch", /"revision":"\d+"(?=.*"events")/, '"revision":"2"'),
  "no word of compaction": inText("/v3/watch", /,"compact_revision":"\d+"/, ""),
  "a watch with another number": inText("/v3/watch", /"watch_id":"7"/g, '"watch_id":"8"')
}

test("two etcds do not differ", async () => {
  const outcome = await campaign({ pairs: [pairOf()], seed: 1, sequences: 30, say: () => {} })
  expect(outcome.found.flat()).toEqual([])
  expect(outcome.compared).toBe(30)
})

/** What the sequences must have so that the alteration can show; all that is needed if nothing stands here. */
const needed: { readonly [what: string]: RegExp } = {
  "a lease with other seconds": /lease\/grant/,
  "no time left": /lease\/timetolive/,
  "a lease without its keys": /lease\/timetolive.*"keys":true/,
  "one lease of two": /lease\/grant.*lease\/grant.*lease\/leases/,
  "no word of compaction": /kv\/compaction.*"kind":"watch"/,
  "a watch with another number": /"watch_?[iI]d":\{"\$":"json","text":"\\?"?7/
}

/** What is seldom: so many sequences come upon it. */
const most = 250

for (const [what, alter] of Object.entries(alterations)) {
  test(`${what} is found`, async () => {
    const seeds = Array.from({ length: 20 * most }, (_, at) => at + 1)
    const suited = seeds.filter((seed) => needed[what]?.test(JSON.stringify(sequence(seed))) ?? true)
    for (const seed of suited.slice(0, most)) {
      if ((await run(pairOf(alter), sequence(seed))) !== undefined) return
    }
    expect.fail(`${most} sequences did not come upon it`)
  })
}

test("a difference is shown as few requests, which can be sent by hand", async () => {
  const alter = inText("/v3/kv/deleterange", /"deleted":"\d+"/, '"deleted":"9"')
  const outcome = await campaign({ pairs: [pairOf(alter)], seed: 1, sequences: 20, maxReports: 1, say: () => {} })
  const text = outcome.found[0]?.join("\n") ?? expect.fail("nothing was found")
  const sent = text.split("\n").filter((line) => line.includes("curl -s"))
  expect(text).toContain("/v3/kv/deleterange differs at .lines[0].deleted")
  expect(text).toMatch(/etcd: {2}200 \{"header".*"deleted":"\d"/)
  expect(text).toMatch(/Balsa: 200 \{"header".*"deleted":"9"/)
  expect(text).toMatch(/again: npm run differential -- --sequences 1 --seed \d+/)
  expect(sent.length).toBeLessThanOrEqual(2)
})
