/** `balsa lease`: keys that go by themselves. */
import { Clock, Effect, Option, Result } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Lease from "../client/Lease.ts"
import * as ByteText from "./ByteText.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import * as Failure from "./Failure.ts"
import { Host } from "./Host.ts"
import * as KeyArguments from "./KeyArguments.ts"
import * as LeaseOutput from "./LeaseOutput.ts"
import * as LeaseText from "./LeaseText.ts"

const idArgument = Argument.String("ID").pipe(Argument.withDescription(`The lease: ${LeaseText.rule}`))

/** Of more than so many only the ids are listed; the rest takes a request for each. */
const maxLooked = 500

const formatOf = ({ output }: ClientOptions.ClientOptions) =>
  Effect.map(Host, ({ terminal }) => output ?? (terminal ? "table" : "plain"))

const grantCommand = Command.make(
  "grant",
  {
    ttl: Argument.String("TTL").pipe(Argument.withDescription("How long it lives unless it is renewed: 60, 90s or 5m")),
    id: Flag.String("id").pipe(
      Flag.withMetavar("ID"),
      Flag.withDescription("Its id; chosen by chance if left out"),
      Flag.optional
    ),
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const command = "lease grant"
    const cluster = yield* ClientOptions.resolve(command, input)
    const ttlSeconds = yield* Effect.fromResult(LeaseText.seconds(command, "TTL", input.ttl))
    const id = yield* Effect.fromResult(
      Option.match(input.id, {
        onNone: () => Result.succeed(undefined),
        onSome: (text) => LeaseText.parse(command, "--id", text)
      })
    )
    const granted = yield* Lease.make(cluster).grant({ ttlSeconds, id })
    yield* host.out(LeaseOutput.granted(granted, yield* formatOf(cluster)))
  })
).pipe(
  Command.withDescription(
    "Make a lease and print its id. Keys that are put with --lease go when it ends. It lives for TTL seconds after it was made, or last renewed; the server may make that longer."
  ),
  Command.withShortDescription("Make a lease"),
  Command.withExamples([
    { command: "balsa lease grant 60" },
    { command: `balsa put host/a up --lease "$(balsa lease grant 5m -o plain)"`, description: "For scripts" }
  ])
)

const revokeCommand = Command.make(
  "revoke",
  { id: idArgument, ...ClientOptions.clientFlags },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const cluster = yield* ClientOptions.resolve("lease revoke", input)
    const id = yield* Effect.fromResult(LeaseText.parse("lease revoke", "ID", input.id))
    yield* Lease.make(cluster).revoke(id)
    yield* host.out(LeaseOutput.revoked(id, yield* formatOf(cluster)))
  })
).pipe(
  Command.withDescription("End a lease now. Its keys are deleted. One that is not there exits with 3."),
  Command.withShortDescription("End a lease and delete its keys"),
  Command.withExamples([{ command: "balsa lease revoke 32695410dcc0ca06" }])
)

const keepAliveCommand = Command.make(
  "keep-alive",
  {
    id: idArgument,
    once: KeyArguments.flag("once", "Renew it once, and exit"),
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const command = "lease keep-alive"
    const given = yield* ClientOptions.resolve(command, input)
    const cluster = yield* ClientOptions.patient(given)
    const format = yield* formatOf(given)
    const id = yield* Effect.fromResult(LeaseText.parse(command, "ID", input.id))
    const { keepAlive } = Lease.make(cluster)
    const renew = Effect.tap(keepAlive(id), (ttl) => host.out(LeaseOutput.renewed(id, ttl, format)))
    let ttlSeconds = yield* renew
    if (input.once) return
    const renewing = Effect.gen(function* () {
      let renewedAt = yield* Clock.currentTimeMillis
      while (true) {
        yield* Effect.sleep((ttlSeconds * 1000) / 3)
        const asked = yield* Clock.currentTimeMillis
        const renewed = yield* Effect.result(renew)
        if (Result.isSuccess(renewed)) {
          ttlSeconds = renewed.success
          renewedAt = asked
          continue
        }
        const failure = Failure.ofClientError(renewed.failure)
        const leftMillis = renewedAt + ttlSeconds * 1000 - (yield* Clock.currentTimeMillis)
        if (failure.exitCode === ExitCode.notFound || leftMillis <= 0) return yield* failure
        yield* host.err(
          `${failure.code}: ${failure.message}. Trying again; the lease has ${(leftMillis / 1000).toFixed(0)} s left`
        )
      }
    })
    yield* Effect.raceFirst(renewing, host.readerGone)
  })
).pipe(
  Command.withDescription(
    "Renew a lease, three times in each of its lifetimes, until interrupted. When it has ended: exit code 3. After it stops, the lease lives for its TTL."
  ),
  Command.withShortDescription("Renew a lease for as long as this runs"),
  Command.withExamples([
    { command: "balsa lease keep-alive 32695410dcc0ca06" },
    { command: "balsa lease keep-alive 32695410dcc0ca06 --once" }
  ])
)

const timeToLiveCommand = Command.make(
  "timetolive",
  {
    id: idArgument,
    keys: KeyArguments.flag("keys", "Also print the keys that go with it"),
    base64Keys: KeyArguments.base64Keys,
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const cluster = yield* ClientOptions.resolve("lease timetolive", input)
    const id = yield* Effect.fromResult(LeaseText.parse("lease timetolive", "ID", input.id))
    const found = yield* Lease.make(cluster).timeToLive(id, { keys: input.keys })
    const keys = input.keys ? found.keys.map((key) => ByteText.line(key, input.base64Keys)) : undefined
    yield* host.out(LeaseOutput.timeToLive(id, found, keys, yield* formatOf(cluster)))
  })
).pipe(
  Command.withDescription(
    "Print how long a lease was granted for, how long it has left, and with --keys which keys go with it. One that is not there exits with 3."
  ),
  Command.withShortDescription("How long a lease has left, and its keys"),
  Command.withExamples([{ command: "balsa lease timetolive 32695410dcc0ca06 --keys" }])
)

const listCommand = Command.make(
  "list",
  ClientOptions.clientFlags,
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const cluster = yield* ClientOptions.resolve("lease list", input)
    const { list, timeToLive } = Lease.make(cluster)
    const ids = yield* list
    const format = yield* formatOf(cluster)
    if (format !== "table" || ids.length > maxLooked) return yield* host.out(LeaseOutput.list(ids, format))
    const found = yield* Effect.forEach(
      ids,
      (id) =>
        timeToLive(id, { keys: true }).pipe(
          Effect.map((left) => [{ id, left }]),
          // Meanwhile it has ended.
          Effect.catchTag("LeaseNotFound", () => Effect.succeed([]))
        ),
      { concurrency: 8 }
    )
    yield* host.out(LeaseOutput.listTable(found.flat()))
  })
).pipe(
  Command.withDescription(
    "Print the ids of all leases; at a terminal also what each has left, and how many keys go with it."
  ),
  Command.withShortDescription("Print all leases"),
  Command.withExamples([{ command: "balsa lease list" }])
)

export const leaseCommand = Command.make("lease").pipe(
  Command.withDescription(
    "Leases: keys that go by themselves when whoever put them is gone. An id is printed in hexadecimal, as etcdctl does; where one is asked for, 17 to 19 digits are decimal, as in etcd's JSON, and d: in front makes any number decimal."
  ),
  Command.withShortDescription("Make leases, renew and end them"),
  Command.withExamples([
    { command: "balsa lease grant 60" },
    { command: "balsa lease keep-alive 32695410dcc0ca06" },
    { command: "balsa lease timetolive 32695410dcc0ca06 --keys" }
  ]),
  Command.withSubcommands([grantCommand, revokeCommand, keepAliveCommand, timeToLiveCommand, listCommand])
)
