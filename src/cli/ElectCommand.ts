/** `balsa elect`: who leads, and watching who does. */
import { Effect, Option, Stream } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Election from "../client/Election.ts"
import type { Cluster } from "../client/Gateway.ts"
import * as LeaseId from "../client/LeaseId.ts"
import * as ByteText from "./ByteText.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"
import { Host } from "./Host.ts"
import * as KeyArguments from "./KeyArguments.ts"
import * as LeaseText from "./LeaseText.ts"
import { timeoutFlag, ttlFlag } from "./LockCommand.ts"
import { UsageError } from "./UsageError.ts"

export const electCommand = Command.make(
  "elect",
  {
    name: Argument.String("NAME").pipe(Argument.withDescription("The election")),
    value: Argument.String("VALUE").pipe(
      Argument.withDescription("What the leader says, such as its address"),
      Argument.optional
    ),
    listen: Flag.Boolean("listen").pipe(
      Flag.withAlias("l"),
      Flag.withoutNegation,
      Flag.withDescription("Do not stand: print who leads, and again whenever that changes"),
      Flag.withDefault(false)
    ),
    proclaim: KeyArguments.flag(
      "proclaim",
      "While leading, each line of standard input is what the leader says from then on"
    ),
    ttl: ttlFlag,
    base64: KeyArguments.base64,
    ...ClientOptions.clientFlags,
    timeout: timeoutFlag("election")
  },
  Effect.fnUntraced(function* (input) {
    const options = yield* ClientOptions.resolve("elect", input)
    const cluster = yield* ClientOptions.patient(options)
    const text = Option.getOrUndefined(input.value)
    const usage = (message: string) => new UsageError({ command: "elect", message })
    if (input.name === "") return yield* usage("NAME is empty; give the election a name")
    const style = { json: ClientOptions.isJson(options), base64: input.base64 }
    if (input.listen) {
      if (text !== undefined || input.proclaim)
        return yield* usage("--listen only looks on; leave VALUE and --proclaim out")
      return yield* listen(cluster, input.name, style)
    }
    if (text === undefined) return yield* usage("VALUE is missing; write what the leader says, or --listen to look on")
    const value = yield* Effect.fromResult(ByteText.argument("elect", "VALUE", text, input.base64))
    const ttlSeconds = yield* Effect.fromResult(LeaseText.seconds("elect", "--ttl", input.ttl))
    return yield* lead(cluster, { name: input.name, value, ttlSeconds, proclaims: input.proclaim, style })
  })
).pipe(
  Command.withDescription(
    [
      "Stand for an election, waiting behind all who came before. Once elected, print the key and the value, and lead until interrupted, which resigns and exits with 0. If the leadership is lost, because the cluster could not be reached for the --ttl, the exit code is 1.",
      "With --listen, print key and value of whoever leads, and again whenever there is another leader or it says something else. The keys are those of etcdctl, so that both can stand in one election."
    ].join("\n\n")
  ),
  Command.withShortDescription("Stand for an election, or see who leads"),
  Command.withExamples([
    { command: "balsa elect scheduler host-a:9000", description: "Lead, as soon as it is one's turn" },
    { command: "balsa elect scheduler --listen -o json", description: "A line for each leader" },
    {
      command: "./status.sh | balsa elect scheduler starting --proclaim",
      description: "Say something else with each line"
    }
  ])
)

interface Style {
  readonly json: boolean
  readonly base64: boolean
}

const render = ({ key, value, token, lease }: Omit<Election.Leader, "modRevision">, { json, base64 }: Style): string =>
  json
    ? `${JSON.stringify({
        ...ByteText.field("key", key, false),
        ...ByteText.field("value", value, base64),
        token,
        lease: lease === undefined ? null : LeaseId.toHex(lease)
      })}\n`
    : `${ByteText.line(key, false)}\t${ByteText.line(value, base64)}\n`

const listen = Effect.fnUntraced(function* (cluster: Cluster, name: string, style: Style) {
  const host = yield* Host
  const observing = Election.make(cluster)
    .observe(name)
    .pipe(Stream.runForEach((leader) => host.out(render(leader, style))))
  yield* Effect.raceFirst(observing, host.readerGone)
})

interface Candidacy {
  readonly name: string
  readonly value: Uint8Array
  readonly ttlSeconds: number
  readonly proclaims: boolean
  readonly style: Style
}

const lead = (cluster: Cluster, { name, value, ttlSeconds, proclaims, style }: Candidacy) =>
  Effect.gen(function* () {
    const host = yield* Host
    const leadership = yield* Election.make(cluster).campaign(name, value, { ttlSeconds })
    const { key, token, lease } = leadership
    const tell = (value: Uint8Array) => host.out(render({ key, value, token, lease: lease.id }, style))
    yield* tell(value)
    if (host.errorTerminal) yield* host.err(`leads, with token ${token}; Ctrl-C resigns`)
    host.signal.exitCode = ExitCode.ok
    if (!proclaims) return yield* leadership.lost
    const readLine = yield* host.openLines
    const speak = Effect.gen(function* () {
      while (true) {
        const line = yield* readLine("says: ")
        // Whoever has nothing more to say still leads.
        if (line === undefined) return yield* Effect.never
        const said = ByteText.encode(line)
        yield* leadership.proclaim(said)
        yield* tell(said)
      }
    })
    return yield* leadership.during(speak)
  }).pipe(
    Effect.scoped,
    Effect.catchTag(["LeaseLost", "NotLeader"], ({ message }) =>
      Effect.fail(
        new Failure({
          code: "BALSA_LEADERSHIP_LOST",
          message: `"${name}" is no longer led from here (${message}). Somebody else may lead; run it again to stand once more`,
          exitCode: ExitCode.failure
        })
      )
    )
  )
