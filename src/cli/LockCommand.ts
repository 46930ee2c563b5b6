/** `balsa lock`: one at a time, and in order; with a program, for as long as that runs. */
import { Effect } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { HeldLock } from "../client/Lock.ts"
import * as Lock from "../client/Lock.ts"
import * as LeaseId from "../client/LeaseId.ts"
import * as ByteText from "./ByteText.ts"
import * as ChildProgram from "./ChildProgram.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"
import { Host } from "./Host.ts"
import * as KeyArguments from "./KeyArguments.ts"
import * as LeaseText from "./LeaseText.ts"
import { NotFound } from "./NotFound.ts"
import { ProgramEnd } from "./ProgramEnd.ts"
import { UsageError } from "./UsageError.ts"

/** Waiting for one's turn has no end of its own. */
export const timeoutFlag = (what: string) =>
  ClientOptions.clientFlags.timeout.pipe(
    Flag.withDescription(
      `How long to wait for the cluster to answer, not for the ${what}; ${ClientOptions.defaultTimeout} (BALSA_TIMEOUT)`
    )
  )

export const ttlFlag = Flag.String("ttl").pipe(
  Flag.withMetavar("SECONDS"),
  Flag.withDescription(
    "How long it stays taken when this process is gone without a word, such as 30s or 5m; 10 s if left out"
  ),
  Flag.withDefault("10")
)

export const lockCommand = Command.make(
  "lock",
  {
    name: Argument.String("NAME").pipe(Argument.withDescription("The lock")),
    program: Argument.String("CMD").pipe(
      Argument.withDescription("The program to run under the lock, and its arguments, behind --"),
      Argument.variadic()
    ),
    ttl: ttlFlag,
    try: KeyArguments.flag("try", "Do not wait: exit with 3 if somebody has it"),
    ...ClientOptions.clientFlags,
    timeout: timeoutFlag("lock")
  },
  Effect.fnUntraced(function* (input) {
    const given = yield* ClientOptions.resolve("lock", input)
    const cluster = yield* ClientOptions.patient(given)
    const ttlSeconds = yield* Effect.fromResult(LeaseText.seconds("lock", "--ttl", input.ttl))
    if (input.name === "")
      return yield* new UsageError({ command: "lock", message: "NAME is empty; give the lock a name" })
    const [command, ...rest] = input.program
    const locks = Lock.make(cluster)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const lock = input.try
          ? yield* locks.tryAcquire(input.name, { ttlSeconds })
          : yield* locks.acquire(input.name, { ttlSeconds })
        if (lock === undefined) return yield* new NotFound({ message: `somebody else has the lock "${input.name}"` })
        if (command === undefined) return yield* hold(lock, given)
        const exitCode = yield* lock.during(
          ChildProgram.run({
            argv: [command, ...rest],
            environment: {
              BALSA_LOCK_KEY: ByteText.line(lock.key, false),
              BALSA_FENCING_TOKEN: String(lock.token)
            }
          })
        )
        if (exitCode !== 0) return yield* new ProgramEnd({ exitCode, message: undefined })
      })
    ).pipe(Effect.catchTag("LeaseLost", ({ message }) => Effect.fail(lost(input.name, message, command !== undefined))))
  })
).pipe(
  Command.withDescription(
    [
      "Take a lock, waiting behind all who came before. With CMD, run it and give the lock back; the exit code is CMD's. BALSA_FENCING_TOKEN in its environment is a number that grows with every holder: what CMD writes elsewhere can be refused when it comes with a lower one. BALSA_LOCK_KEY is the key that stands for the lock.",
      "Without CMD, print that key and hold the lock until interrupted, which gives it back and exits with 0.",
      "If the lock is lost, because the cluster could not be reached for the --ttl, CMD is ended with SIGTERM, after 8 seconds with SIGKILL, and the exit code is 1. The keys are those of etcdctl, so that both can wait for each other."
    ].join("\n\n")
  ),
  Command.withShortDescription("Hold a lock, or run a program under one"),
  Command.withExamples([
    { command: "balsa lock deploy -- ./deploy.sh", description: "Never two at a time" },
    { command: "balsa lock deploy --try -- ./deploy.sh", description: "Exits with 3 if another one runs" },
    { command: "balsa lock deploy", description: "Held until Ctrl-C" }
  ])
)

/** Until somebody interrupts it, which is how it is meant to end. */
const hold = Effect.fnUntraced(function* (lock: HeldLock, options: ClientOptions.ClientOptions) {
  const host = yield* Host
  const { key, token, lease } = lock
  yield* host.out(
    ClientOptions.isJson(options)
      ? `${JSON.stringify({ ...ByteText.field("key", key, false), token, lease: LeaseId.toHex(lease.id) })}\n`
      : `${ByteText.line(key, false)}\n`
  )
  if (host.errorTerminal) yield* host.err(`held, with token ${token}; Ctrl-C gives it back`)
  host.signal.exitCode = ExitCode.ok
  return yield* lock.lost
})

const lost = (name: string, reason: string, told: boolean): Failure =>
  new Failure({
    code: "BALSA_LOCK_LOST",
    message: `the lock "${name}" is no longer held (${reason})${told ? "; the program was told to end" : ""}. Somebody else may have it: check what was done, and run it again`,
    exitCode: ExitCode.failure
  })
