/** `balsa get`: a value, or a range of keys as of one revision, however large it is. */
import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import type { KeyValue } from "../client/GatewayJson.ts"
import type { Staleness } from "../client/Gateway.ts"
import * as Kv from "../client/Kv.ts"
import * as ClientOptions from "./ClientOptions.ts"
import * as Failure from "./Failure.ts"
import { Host } from "./Host.ts"
import * as KeyRequests from "./KeyRequests.ts"
import { NotFound } from "./NotFound.ts"
import * as Progress from "./Progress.ts"
import * as RangeOutput from "./RangeOutput.ts"
import * as RangePages from "./RangePages.ts"

export const getCommand = Command.make(
  "get",
  { ...KeyRequests.getFlags, ...ClientOptions.clientFlags },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const cluster = yield* ClientOptions.resolve("get", input)
    const { keys, single, absent, options, style, countOnly } = yield* KeyRequests.get("get", input)
    const format = cluster.output ?? (host.terminal && !single ? "table" : "plain")
    const look = { ...style, format, single, terminal: host.terminal }
    const isStreamed = RangeOutput.isStreamed(format)
    const progress = yield* Progress.make(host)
    // Not between the lines of the output itself, and no lines into a log.
    const isTold = host.errorTerminal && !(host.terminal && isStreamed)
    const kept: Array<KeyValue> = []
    const reading = RangePages.read(Kv.make(cluster), keys, options, (page, { first, shown }) =>
      Effect.gen(function* () {
        if (countOnly) return
        if (isStreamed) yield* host.out(RangeOutput.render(page, look))
        else kept.push(...page.kvs)
        if (isTold && page.more) yield* progress.tell(() => `${shown} of ${first.count} keys`)
      })
    ).pipe(
      Effect.ensuring(progress.clear),
      Effect.mapError((error) => Failure.ofRead(error, options.serializable === true))
    )
    // Who takes the first lines only is not waited for: `balsa get "" --prefix | head`.
    const taken = yield* Effect.raceFirst(reading, Effect.as(host.readerGone, undefined))
    if (taken === undefined) return
    const { first, shown, more } = taken
    if (countOnly) yield* host.out(RangeOutput.renderCount(first, format))
    else if (!isStreamed) yield* host.out(RangeOutput.render({ ...first, kvs: kept, more }, look))
    if (options.serializable === true && first.staleness !== undefined) {
      yield* host.err(describeStaleness(first.staleness))
    }
    if (countOnly) return
    if (shown === 0) {
      const when = options.revision === undefined ? "" : ` at revision ${options.revision}`
      return yield* new NotFound({ message: `${absent.message}${when}` })
    }
    if (more && format !== "json") yield* host.err(`${shown} of ${first.count} keys shown`)
  })
).pipe(
  Command.withDescription(
    "Print the value of a key, or all keys and values of a range. A range is read in pages, all as of one revision; --timeout is for each of them. A missing key prints nothing and exits with 3. Exactly one key prints its value byte for byte; with -o json there are revisions, version and lease."
  ),
  Command.withShortDescription("Print a value, or a range of them"),
  Command.withExamples([
    { command: "balsa get hello" },
    { command: "balsa get config/ --prefix -o jsonl", description: "One JSON object for each key" },
    { command: "balsa get config/ --prefix --rev 42", description: "As it was at revision 42" },
    {
      command: `balsa get "" --prefix --sort-by mod --order descend --limit 5 --keys-only`,
      description: "What was written last"
    },
    { command: "balsa get hello --consistency stale", description: "Works without a majority; may be out of date" }
  ])
)

const describeStaleness = ({ appliedIndex, leaderHeardMillis }: Staleness): string =>
  leaderHeardMillis === undefined
    ? `stale: as of entry ${appliedIndex}, by a replica that knows no leader; it may be of any age`
    : `stale: as of entry ${appliedIndex}, by a replica that last heard of the leader ${leaderHeardMillis} ms ago`
