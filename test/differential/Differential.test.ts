/**
 * Balsa, three replicas of it that share the requests, answers random sequences as etcd does. More of them:
 * `npm run differential -- --sequences 10000`.
 */
import { afterAll, beforeAll, expect, test } from "vitest"
import { campaign } from "./Campaign.ts"
import { report } from "./Report.ts"
import { run } from "./Run.ts"
import { scenarios } from "./Scenarios.ts"
import { type Started, startBalsa, startEtcd } from "./Servers.ts"

const sequences = 200
/** A machine may be busy; it must not be idle. */
const least = 5
const seconds = 25

let started: ReadonlyArray<Started> = []

beforeAll(async () => {
  started = await Promise.all([startEtcd(), startBalsa(3)])
})

afterAll(async () => {
  await Promise.all(started.map((one) => one.stop()))
})

test("what etcd answers to some hundred sequences, Balsa answers too", async () => {
  const outcome = await campaign({
    pairs: [{ etcd: started[0]!.side, balsa: started[1]!.side }],
    seed: 20_000,
    sequences,
    maxReports: 3,
    maxAttempts: 100,
    maxMillis: seconds * 1000,
    say: () => {}
  })
  expect(outcome.found.map((lines) => lines.join("\n"))).toEqual([])
  expect(outcome.compared).toBeGreaterThanOrEqual(least)
})

test.each(scenarios)("%s", async (_, sequence) => {
  const difference = await run({ etcd: started[0]!.side, balsa: started[1]!.side }, sequence)
  expect(difference === undefined ? "" : report(difference, sequence.seed).join("\n")).toBe("")
})
