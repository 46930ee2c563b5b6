/** `balsa member`: who the members are, and changing them while the cluster runs. */
import { Effect, Option } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Members from "../client/Members.ts"
import * as Endpoint from "../client/Endpoint.ts"
import * as ClientOptions from "./ClientOptions.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"
import { Host } from "./Host.ts"
import * as MemberChanges from "./MemberChanges.ts"
import * as MemberOutput from "./MemberOutput.ts"
import { planCommand } from "./MemberPlan.ts"
import * as MemberWaiting from "./MemberWaiting.ts"
import { NotFound } from "./NotFound.ts"
import { UsageError } from "./UsageError.ts"

const idArgument = Argument.String("ID").pipe(Argument.withDescription("The replica's name"))

const force = Flag.Boolean("force").pipe(
  Flag.withoutNegation,
  Flag.withDescription(
    "Even if too few of the voters that there would be are in reach, or the new one cannot be reached"
  ),
  Flag.withDefault(false)
)

/** Where peers reach it, not clients. */
const address = Flag.String("address").pipe(
  Flag.withMetavar("HOST:PORT"),
  Flag.withDescription("Where peers reach it: its --listen-peer")
)

const optionsOf = ClientOptions.resolve

const show = Effect.fnUntraced(function* (members: Members.Members, output: ClientOptions.OutputFormat | undefined) {
  const host = yield* Host
  yield* host.out(MemberOutput.render(members, output ?? (host.terminal ? "table" : "plain")))
})

/** Asking again is harmless here, other than with writes. */
const amend = (...asked: Parameters<typeof Members.amend>) =>
  Members.amend(...asked).pipe(
    Effect.catchTag("OutcomeUnknown", ({ attempt }) =>
      Effect.fail(
        new Failure({
          code: "BALSA_OUTCOME_UNKNOWN",
          message: `sent, but without an answer (${Endpoint.show(attempt.endpoint)} ${attempt.reason}). The change may have been made, or may still be. See: balsa member list. It may be asked for again: what is so already stays so`,
          exitCode: ExitCode.outcomeUnknown
        })
      )
    )
  )

const listCommand = Command.make(
  "list",
  ClientOptions.clientFlags,
  Effect.fnUntraced(function* (input) {
    const options = yield* optionsOf("member list", input)
    yield* show(yield* Members.membersOf(options), options.output)
  })
).pipe(
  Command.withDescription(
    "Show who the members are, where peers reach them, and, as far as the leader is among the endpoints, who is in reach and how far each has come."
  ),
  Command.withShortDescription("Show the members")
)

const addCommand = Command.make(
  "add",
  {
    id: idArgument,
    address,
    learner: Flag.Boolean("learner").pipe(
      Flag.withoutNegation,
      Flag.withDescription("It stays a learner, which is sent everything and does not vote"),
      Flag.withDefault(false)
    ),
    noWait: Flag.Boolean("no-wait").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Do not wait until it votes"),
      Flag.withDefault(false)
    ),
    force,
    ...ClientOptions.clientFlags,
    timeout: ClientOptions.clientFlags.timeout.pipe(
      Flag.withDescription(
        `How long to wait for an answer, ${ClientOptions.defaultTimeout} if left out, and until it votes, as long as it comes forward if left out (BALSA_TIMEOUT)`
      )
    )
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* optionsOf("member add", input)
    const at = yield* Effect.fromResult(MemberChanges.addressOf("member add", input.address))
    const id = yield* Effect.fromResult(MemberChanges.nameOf("member add", input.id))
    const change = { type: "add", name: id, address: at, promote: !input.learner } as const
    const added = yield* amend(options, [change], input.force)
    if (input.learner || input.noWait) return yield* show(added, options.output)
    yield* host.err(`${id} is a learner at ${at}, and becomes a voter once it has caught up`)
    const maxMillis = ClientOptions.choosesTimeout(input, host.environment) ? options.timeoutMillis : undefined
    yield* show(yield* MemberWaiting.untilVoter(options, id, host, maxMillis), options.output)
  })
).pipe(
  Command.withDescription(
    "Add a replica that runs at the address: first as a learner, and as a voter once it has caught up, which this waits for. A replica that is started with --join adds itself."
  ),
  Command.withShortDescription("Add a replica"),
  Command.withExamples([
    { command: "balsa member add D --address 10.0.0.4:7500" },
    { command: "balsa member add D --address 10.0.0.4:7500 --learner", description: "To have it read, not vote" }
  ])
)

const simple = (kind: "promote" | "demote" | "remove", description: string, short: string) =>
  Command.make(
    kind,
    { id: idArgument, force, ...ClientOptions.clientFlags },
    Effect.fnUntraced(function* (input) {
      const options = yield* optionsOf(`member ${kind}`, input)
      const name = yield* Effect.fromResult(MemberChanges.nameOf(`member ${kind}`, input.id))
      const before = kind === "remove" ? yield* Effect.option(Members.membersOf(options)) : Option.none()
      const after = yield* amend(options, [{ type: kind, name }], input.force)
      // Asked for all the same: those who told of the members may have been out of date.
      if (kind === "remove" && isUnknown(name, before))
        return yield* new NotFound({ message: unknownName(name, after) })
      yield* show(after, options.output)
    })
  ).pipe(Command.withDescription(description), Command.withShortDescription(short))

const isUnknown = (name: string, before: Option.Option<Members.Members>): boolean =>
  Option.exists(before, ({ members }) => members.every(({ id }) => id !== name))

const unknownName = (name: string, { members }: Members.Members): string =>
  `no member "${name}", so there was nothing to remove; the members are ${members.map(({ id }) => id).join(", ")}`

const updateCommand = Command.make(
  "update",
  { id: idArgument, address, force, ...ClientOptions.clientFlags },
  Effect.fnUntraced(function* (input) {
    const options = yield* optionsOf("member update", input)
    const name = yield* Effect.fromResult(MemberChanges.nameOf("member update", input.id))
    const to = yield* Effect.fromResult(MemberChanges.addressOf("member update", input.address))
    yield* show(yield* amend(options, [{ type: "move", name, address: to }], input.force), options.output)
  })
).pipe(
  Command.withDescription(
    "Say that peers reach a member at another address. It must run there already, unless --force is given."
  ),
  Command.withShortDescription("Say that a member has moved")
)

const transferCommand = Command.make(
  "transfer",
  {
    id: Argument.String("ID").pipe(
      Argument.withDescription("Who should lead; whoever is best placed, if left out"),
      Argument.optional
    ),
    ...ClientOptions.clientFlags
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* optionsOf("member transfer", input)
    const to = input.id._tag === "None" ? undefined : input.id.value
    if (to === "") return yield* new UsageError({ command: "member transfer", message: "ID is empty" })
    const leader = yield* Members.transfer(options, to)
    const json = options.output === "json" || options.output === "jsonl"
    yield* host.out(json ? `${JSON.stringify({ leader })}\n` : `${leader} leads\n`)
  })
).pipe(
  Command.withDescription(
    "Have the leader hand over to another voter. Writes wait for a moment, and none is lost. If it does not succeed within an election timeout, the leader goes on."
  ),
  Command.withShortDescription("Hand over the leadership")
)

export const memberCommand = Command.make("member").pipe(
  Command.withDescription("See and change who the members of a running cluster are, and who leads it"),
  Command.withShortDescription("See and change the members"),
  Command.withExamples([
    { command: "balsa member list" },
    { command: "balsa member plan remove C", description: "What would be left of the fault tolerance; does nothing" },
    { command: "balsa member remove C" }
  ]),
  Command.withSubcommands([
    listCommand,
    addCommand,
    simple(
      "promote",
      "Make a voter of a learner that has caught up. One that was added without --learner is promoted by itself.",
      "Make a voter of a learner"
    ),
    simple(
      "demote",
      "Make a learner of a voter: it is sent everything and does not vote.",
      "Make a learner of a voter"
    ),
    simple(
      "remove",
      "Remove a member. It notices, serves nobody any more, and can be stopped. A leader that is removed hands over.",
      "Remove a member"
    ),
    updateCommand,
    planCommand,
    transferCommand
  ])
)
