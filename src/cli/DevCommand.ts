/**
 * `balsa dev`: a real cluster on this machine, one process for each replica, to try things
 * on: kill one, start it again, watch the others go on.
 */
import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Status from "../client/Status.ts"
import * as DevPlan from "./DevPlan.ts"
import * as DevProcess from "./DevProcess.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"
import { Host } from "./Host.ts"
import { UsageError } from "./UsageError.ts"

const graceMillis = 5000
/** Often while there is no leader to tell of, rarely while one reigns. */
const searchMillis = 100
const watchMillis = 500
const patienceMillis = 15_000
const restartMillis = 1000

const devFlags = {
  replicas: Flag.Int("replicas").pipe(
    Flag.withMetavar("3|5"),
    Flag.withDescription("How many replicas; 3 survive the loss of one, 5 of two"),
    Flag.withDefault(3)
  ),
  basePort: Flag.Int("base-port").pipe(
    Flag.withMetavar("PORT"),
    Flag.withDescription("Replica i listens on PORT+i for clients and on PORT+100+i for peers; 7400"),
    Flag.withDefault(DevPlan.defaultBasePort)
  ),
  dataDir: Flag.String("data-dir").pipe(
    Flag.withMetavar("PATH"),
    Flag.withDescription(`Where the data is kept; ${DevPlan.defaultDataDir}`),
    Flag.optional
  ),
  restart: Flag.Boolean("restart").pipe(
    Flag.withoutNegation,
    Flag.withDescription("Start a replica again after it died"),
    Flag.withDefault(false)
  )
}

const colors = [36, 33, 35, 32, 34]

const runDev = Effect.fnUntraced(function* (input: {
  readonly replicas: number
  readonly basePort: number
  readonly dataDir: Option.Option<string>
  readonly restart: boolean
}) {
  const host = yield* Host
  const usage = (message: string) => new UsageError({ command: "dev", message })
  if (input.replicas !== 3 && input.replicas !== 5) {
    return yield* usage(`--replicas: ${input.replicas} is not a size to try; use 3 or 5`)
  }
  if (input.basePort < 1 || input.basePort > 65_535 - 100 - input.replicas) {
    return yield* usage(`--base-port: ${input.basePort} leaves no room for the replicas' ports; use 1 to 65000`)
  }
  const script = process.argv[1] ?? ""
  const plan = DevPlan.make({
    count: input.replicas,
    basePort: input.basePort,
    // Nothing (an unset variable of a shell) would be the root of the file system.
    dataDir: Option.getOrElse(
      Option.filter(input.dataDir, (path) => path !== ""),
      () => DevPlan.defaultDataDir
    ),
    program: DevPlan.programName(script, process.cwd())
  })
  yield* checkPorts(plan)
  host.signal.exitCode = 0

  const say = (text: string) => host.out(`${text}\n`)
  const prefix = (id: string, at: number) => (host.color ? `\u001b[${colors[at]}m${id} |\u001b[0m` : `${id} |`)
  const executable = { node: process.execPath, nodeArgv: process.execArgv, script }
  const start = (replica: DevPlan.DevReplica, at: number) =>
    DevProcess.start(executable, replica, (text, stream) =>
      process[stream === "out" ? "stdout" : "stderr"].write(`${prefix(replica.id, at)} ${text}\n`)
    )

  const processes = yield* Effect.acquireRelease(
    Effect.sync(() => plan.replicas.map(start)),
    (running) => Effect.andThen(host.err("stopping"), DevProcess.stopAll(running, graceMillis))
  )

  /** Follows one replica from its start to its end, and on to its next start if it has one. */
  const follow = (at: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      const child = processes[at]!
      const how = yield* child.ended
      const left = processes.filter((other) => other.isRunning()).length
      const majority = left * 2 > processes.length
      yield* say(
        `\n${child.replica.id} ${how}; ${left} of ${processes.length} still run${majority ? "" : ", too few to elect a leader or to write"}.`
      )
      if (!input.restart) {
        if (left > 0)
          yield* say(`Start it again, in another terminal:\n\n  ${DevPlan.restartLine(plan, child.replica)}\n`)
        return
      }
      yield* say(`${child.replica.id} is started again.`)
      yield* Effect.sleep(restartMillis)
      processes[at] = start(child.replica, at)
      return yield* follow(at)
    })

  yield* Effect.raceFirst(
    Effect.forEach(processes, (_, at) => follow(at), { concurrency: "unbounded", discard: true }),
    announceLeaders(plan, processes)
  )
  return yield* new Failure({
    code: "BALSA_DEV_ENDED",
    message: "every replica has ended; what they said stands above",
    exitCode: ExitCode.failure
  })
}, Effect.scoped)

const checkPorts = Effect.fnUntraced(function* (plan: DevPlan.DevPlan) {
  for (const { id, client, peer } of plan.replicas) {
    for (const [purpose, endpoint] of [
      ["clients", client],
      ["peers", peer]
    ] as const) {
      const problem = yield* DevProcess.portProblem(endpoint)
      if (problem !== undefined) {
        return yield* new Failure({
          code: "BALSA_PORT_IN_USE",
          message: `${problem}, and ${id} needs it for ${purpose}. Stop that process (perhaps another balsa dev), or choose other ports: --base-port ${plan.basePort + 1000}`,
          exitCode: ExitCode.failure
        })
      }
    }
  }
})

const announceLeaders = Effect.fnUntraced(function* (
  plan: DevPlan.DevPlan,
  processes: ReadonlyArray<DevProcess.DevProcess>
) {
  const host = yield* Host
  const cluster = { endpoints: plan.replicas.map(({ client }) => client), timeoutMillis: 1000 }
  let known: { readonly id: string; readonly term: number } | undefined
  let waited = 0
  while (true) {
    const leader = Status.leaderOf(yield* Status.statusOf(cluster))
    if (leader !== undefined && (leader.id !== known?.id || leader.term !== known.term)) {
      yield* host.out(`\nleader: ${leader.id} (term ${leader.term})\n`)
      const child = processes.find(({ replica }) => replica.id === leader.id)
      if (known === undefined && child !== undefined) {
        yield* host.out(DevPlan.invitation(plan, { client: child.replica.client, pid: child.pid }))
      }
      known = leader
    }
    waited += searchMillis
    if (known === undefined && waited === patienceMillis) {
      yield* host.err("no leader yet; what the replicas say above may tell why")
    }
    yield* Effect.sleep(leader === undefined ? searchMillis : watchMillis)
  }
})

export const devCommand = Command.make("dev", devFlags, runDev).pipe(
  Command.withDescription(
    "Run a trial cluster on this machine: real replicas, each its own process, until Ctrl-C. Prints who leads, and lines to try. The data is kept for the next time."
  ),
  Command.withShortDescription("Run a trial cluster on this machine"),
  Command.withExamples([
    { command: "balsa dev" },
    { command: "balsa dev --replicas 5 --base-port 8400 --data-dir ./five", description: "A second one, beside it" }
  ])
)
