/** Bad requests to every route: Balsa answers as etcd does, or otherwise as the list of differences has it. */
import { afterAll, beforeAll, expect, test } from "vitest"
import { shorten } from "../Report.ts"
import { type Started, startBalsa, startEtcd } from "../Servers.ts"
import { type Answer, Side } from "../Side.ts"
import { find, type Listed, listed } from "../Differences.ts"
import { type Input, table, tableOfHarms } from "./Table.ts"
import { attemptAll, type Trial } from "./Trial.ts"

let started: ReadonlyArray<Started> = []

beforeAll(async () => {
  started = await Promise.all([startEtcd(), startBalsa(1)])
})

afterAll(async () => {
  await Promise.all(started.map((one) => one.stop()))
})

/** More would not be read. */
const mostShown = 20

test("every difference is on the list, and whatever is on the list is one", { timeout: 300_000 }, async () => {
  const unlisted: Array<Trial> = []
  const met = new Set<Listed>()
  await attemptAll({ etcd: started[0]!.side, balsa: started[1]!.side }, table, async (trial) => {
    if (trial.deviation === undefined) return
    const one = find(trial)
    if (one === undefined) unlisted.push(trial)
    else met.add(one)
  })
  expect(unlisted.slice(0, mostShown).map(show).join("\n"), `${unlisted.length} of ${table.length}`).toBe("")
  expect(listed.filter((one) => one.is !== undefined && !met.has(one)).map(({ request }) => request)).toEqual([])
})

test("an answer that is altered on the way is not on the list", async () => {
  const alter = (answer: Answer): Answer => ({ ...answer, text: answer.text.replaceAll("key is not", "no key is") })
  const altered = new Side("altered", started[1]!.side.endpoints, alter)
  const unlisted: Array<string> = []
  const inputs = table.filter(({ path }) => path === "/v3/kv/put").slice(0, 60)
  await attemptAll({ etcd: started[0]!.side, balsa: altered }, inputs, async (trial) => {
    if (trial.deviation !== undefined && find(trial) === undefined) unlisted.push(trial.balsa.text)
  })
  altered.close()
  expect(unlisted.length).toBeGreaterThan(5)
  expect(unlisted.filter((text) => !text.includes("no key is"))).toEqual([])
})

test("what makes etcd panic or hang gets an error", async () => {
  const balsa = started[1]!.side
  expect(tableOfHarms.length).toBeGreaterThan(0)
  for (const input of tableOfHarms) {
    const { status, text } = await balsa.ask(input)
    expect([nameOf(input), status, text]).toEqual([nameOf(input), 400, expect.stringContaining('"code":3')])
  }
  expect((await balsa.ask({ path: "/v3/kv/range", body: '{"key":"YQ=="}' })).status).toBe(200)
})

const nameOf = ({ method, path, what }: Input): string => `${method} ${path}, ${what}`

const show = ({ input, deviation, etcd, balsa }: Trial): string =>
  [
    `${nameOf(input)}: differs at ${deviation?.path}`,
    `  etcd:  ${etcd.status} ${etcd.contentType} ${shorten(etcd.text)}`,
    `  Balsa: ${balsa.status} ${balsa.contentType} ${shorten(balsa.text)}`
  ].join("\n")
