/** Real processes over UDP, with stand-ins: what is asked of the socket and of the processes. Each run waits ten seconds. */
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import * as RealRun from "../../../scripts/course/RealRun.ts"
import { small } from "./Configurations.ts"

const program = fileURLToPath(new URL("StandInProgram.ts", import.meta.url))
const ignore = (): void => undefined

const run = (flaw: string, more: Readonly<Record<string, unknown>> = {}): Promise<RealRun.Outcome> =>
  RealRun.run({
    configuration: small({ lifetime: 5, start_wait: 5, end_wait: 0.2, replicas: 3, requests: 50, ...more }),
    seed: 1,
    program: [process.execPath, program, flaw],
    say: ignore
  })

const objections = ({ verdict: { checks } }: RealRun.Outcome): ReadonlyArray<string> =>
  checks.flatMap(({ name, passed, detail }) => (passed ? [] : [`${name}: ${detail}`]))

describe("a run in real time", () => {
  it("judges processes", { concurrent: true }, async () => {
    const kill = { type: "kill_non_leader", time: 2 }
    const [honest, dying, stubborn, garbled, absent] = await Promise.all([
      run("none", { events: [kill] }),
      run("dies"),
      run("stubborn", { events: [kill] }),
      run("no JSON"),
      RealRun.run({
        configuration: small({ lifetime: 5, start_wait: 1, end_wait: 0 }),
        seed: 1,
        program: ["./none-such"],
        say: ignore
      })
    ])
    expect(objections(honest)).toEqual([])
    expect(honest.verdict.tally).toMatchObject({ killed: [expect.stringMatching(/000[12]/)], incorrect: 0 })
    expect(objections(dying).join()).toContain("replicas live: 0000: it ended with 1")
    expect(dying.output.get("0000")).toContain("out of memory")
    expect(objections(stubborn).join()).toContain("does not end on SIGTERM")
    expect(objections(garbled).join()).toContain("answers are right")
    expect(garbled.verdict.tally.complaints[0]).toContain("no JSON")
    expect(objections(absent).join()).toContain("ENOENT")
  })
})
