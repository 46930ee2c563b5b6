/** The lines that `dev` offers must work when pasted, so they must be parsed as they were meant. */
import { Option, Result } from "effect"
import { expect, test } from "vitest"
import * as DevPlan from "../../src/cli/DevPlan.ts"
import * as ServeOptions from "../../src/cli/ServeOptions.ts"

const plan = (options: Partial<Parameters<typeof DevPlan.make>[0]> = {}) =>
  DevPlan.make({ count: 3, basePort: 7400, dataDir: "./balsa-data", program: "node dist/main.js", ...options })

const parse = (argv: ReadonlyArray<string>) => {
  const flag = (name: string) =>
    argv.includes(name) ? Option.some(argv[argv.indexOf(name) + 1]!) : Option.none<string>()
  const flags = {
    id: flag("--id"),
    peers: flag("--peers"),
    cluster: Option.none(),
    listenClient: flag("--listen-client"),
    listenPeer: flag("--listen-peer"),
    dataDir: flag("--data-dir"),
    heartbeat: Option.none(),
    electionTimeout: Option.none(),
    snapshotLogSize: Option.none(),
    snapshotCount: Option.none(),
    logFormat: Option.none()
  }
  return Result.getOrThrow(ServeOptions.parse(flags, {}))
}

test("on the default ports, a replica needs its name and its peers", () => {
  expect(DevPlan.restartLine(plan(), plan().replicas[1]!)).toBe("node dist/main.js --id B --peers A,C")
})

test("the arguments mean the plan's addresses, on the default ports and on others", () => {
  for (const made of [plan(), plan({ count: 5, basePort: 9000, dataDir: "./it's here" })]) {
    for (const replica of made.replicas) {
      const options = parse(replica.argv)
      expect(options).toMatchObject({ id: replica.id, listenClient: replica.client, listenPeer: replica.peer })
      const others = made.replicas.filter(({ id }) => id !== replica.id)
      expect([...options.peers]).toEqual(others.map(({ id, peer }) => [id, { peer }]))
    }
  }
})

test("what a shell would take apart is quoted", () => {
  const made = plan({ dataDir: "it's here" })
  expect(DevPlan.restartLine(made, made.replicas[0]!)).toContain(`--data-dir 'it'\\''s here/A'`)
})

test("the program is named as from here", () => {
  expect(DevPlan.programName("/a/balsa/dist/main.js", "/a/balsa")).toBe("node dist/main.js")
  expect(DevPlan.programName("/usr/lib/balsa/main.js", "/a/b/c")).toBe("node /usr/lib/balsa/main.js")
})

test("what to paste names the leader's process, and endpoints only where the default ones are wrong", () => {
  const leader = { client: plan().replicas[2]!.client, pid: 4711 }
  expect(DevPlan.invitation(plan(), leader)).toMatch(
    /node dist\/main\.js get hello\n[^]*7403\/v3\/kv\/put[^]*kill -9 4711\n/
  )
  expect(DevPlan.invitation(plan({ basePort: 8400 }), leader)).toContain("get hello -e 127.0.0.1:8401,127.0.0.1:8402,")
})
