/**
 * What `put`, `get` and `del` are asked for, as commands of their own and as lines of a transaction: the flags that both have, and what
 * they mean to the client.
 */
import { Effect, Option, Result } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import type * as Json from "../client/GatewayJson.ts"
import type { LeaseId } from "../client/LeaseId.ts"
import type { RangeOptions, SortTarget } from "../client/RangeRequest.ts"
import * as Txn from "../client/Txn.ts"
import * as ByteText from "./ByteText.ts"
import { Host } from "./Host.ts"
import * as KeyArguments from "./KeyArguments.ts"
import type { KeyValueStyle } from "./KeyValueOutput.ts"
import * as LeaseText from "./LeaseText.ts"
import { UsageError } from "./UsageError.ts"

const { flag, keyArgument, revisionFlag, base64, base64Keys, rangeFlags } = KeyArguments

const prevKv = flag("prev-kv", "Also print what was there before")

export const putFlags = {
  key: keyArgument,
  value: Argument.String("VALUE").pipe(
    Argument.withDescription(`The value; "-" reads it from standard input`),
    Argument.optional
  ),
  lease: Flag.String("lease").pipe(
    Flag.withMetavar("ID"),
    Flag.withDescription(`The key goes when this lease ends; ${LeaseText.rule}`),
    Flag.optional
  ),
  ignoreValue: flag("ignore-value", "Leave the value as it is, without VALUE; for another --lease, or none"),
  ignoreLease: flag("ignore-lease", "Leave the key's lease as it is; otherwise a put without --lease takes it away"),
  prevKv,
  base64,
  base64Keys
}

export interface PutFlags {
  readonly key: string
  readonly value: Option.Option<string>
  readonly lease: Option.Option<string>
  readonly ignoreValue: boolean
  readonly ignoreLease: boolean
  readonly prevKv: boolean
  readonly base64: boolean
  readonly base64Keys: boolean
}

export interface Put {
  readonly key: Uint8Array
  /** `undefined` leaves what is there. */
  readonly value: Uint8Array | undefined
  readonly options: { readonly lease: LeaseId | undefined; readonly previous: boolean; readonly keepLease: boolean }
}

export const put = Effect.fnUntraced(function* (command: string, input: PutFlags): Effect.fn.Return<Put, UsageError> {
  const wrong = (message: string) => new UsageError({ command, message })
  const key = yield* KeyArguments.resolveKey(command, input.key, input.base64Keys)
  const text = Option.getOrUndefined(input.value)
  if (input.ignoreValue && input.ignoreLease) {
    return yield* wrong("--ignore-value and --ignore-lease together leave nothing to write; choose one")
  }
  if (input.ignoreLease && Option.isSome(input.lease)) {
    return yield* wrong("--ignore-lease keeps the lease that is there, so it excludes --lease")
  }
  if (input.ignoreValue && text !== undefined) {
    return yield* wrong("--ignore-value keeps the value that is there; leave VALUE out")
  }
  if (!input.ignoreValue && text === undefined) {
    return yield* wrong(`VALUE is missing; write it behind KEY, or "-" to read it from standard input`)
  }
  const lease = yield* Effect.fromResult(
    Option.match(input.lease, {
      onNone: () => Result.succeed(undefined),
      onSome: (id) => LeaseText.parse(command, "--lease", id)
    })
  )
  return {
    key,
    value: text === undefined ? undefined : yield* valueOf(command, text, input.base64),
    options: { lease, previous: input.prevKv, keepLease: input.ignoreLease }
  }
})

const valueOf = Effect.fnUntraced(function* (
  command: string,
  text: string,
  isBase64: boolean
): Effect.fn.Return<Uint8Array, UsageError> {
  const host = yield* Host
  return text === "-"
    ? yield* host.readInput
    : yield* Effect.fromResult(ByteText.argument(command, "VALUE", text, isBase64))
})

export const putOperation = ({ key, value, options }: Put): Txn.Operation<Json.PutAnswer> =>
  value === undefined ? Txn.touch(key, options) : Txn.put(key, value, options)

/** In capitals, too, as etcdctl has them. */
const oneOf = <A>(name: string, choices: Readonly<Record<string, A>>, expected: string) =>
  Flag.String(name).pipe(
    Flag.filterMap(
      (text) => Option.fromUndefinedOr(choices[text.toLowerCase()]),
      () => expected
    ),
    Flag.withMetavar(expected.replace(/,? or |, /g, "|"))
  )

const sorts: Readonly<Record<string, SortTarget>> = {
  key: "key",
  version: "version",
  create: "create",
  mod: "mod",
  modify: "mod",
  value: "value"
}

export const getFlags = {
  key: keyArgument,
  ...rangeFlags,
  rev: revisionFlag("rev", "As of this revision; the latest if left out"),
  limit: Flag.Int("limit").pipe(
    Flag.withMetavar("COUNT"),
    Flag.withDescription("At most so many keys; 0 is all of them"),
    Flag.filter(
      (limit) => limit >= 0,
      () => "a number from 0 on"
    ),
    Flag.withDefault(0)
  ),
  sortBy: oneOf("sort-by", sorts, "key, version, create, mod or value").pipe(
    Flag.withDescription("Sort by this instead of the key; create and mod are revisions"),
    Flag.optional
  ),
  order: oneOf("order", { ascend: false, descend: true }, "ascend or descend").pipe(
    Flag.withDescription("ascend if left out"),
    Flag.optional
  ),
  keysOnly: flag("keys-only", "Print keys without values"),
  countOnly: flag("count-only", "Print how many keys there are"),
  printValueOnly: flag("print-value-only", "Print values without keys"),
  consistency: Flag.Literals("consistency", ["linearizable", "stale"]).pipe(
    Flag.withDescription("linearizable sees every acknowledged write; stale asks one replica only"),
    Flag.withDefault("linearizable")
  ),
  minModRev: revisionFlag("min-mod-rev", "Leave out keys that were last written before"),
  maxModRev: revisionFlag("max-mod-rev", "Leave out keys that were last written after"),
  minCreateRev: revisionFlag("min-create-rev", "Leave out keys that were created before"),
  maxCreateRev: revisionFlag("max-create-rev", "Leave out keys that were created after"),
  base64
}

export interface GetFlags extends KeyArguments.RangeFlags {
  readonly key: string
  readonly rev: Option.Option<number>
  readonly limit: number
  readonly sortBy: Option.Option<SortTarget>
  readonly order: Option.Option<boolean>
  readonly keysOnly: boolean
  readonly countOnly: boolean
  readonly printValueOnly: boolean
  readonly consistency: "linearizable" | "stale"
  readonly minModRev: Option.Option<number>
  readonly maxModRev: Option.Option<number>
  readonly minCreateRev: Option.Option<number>
  readonly maxCreateRev: Option.Option<number>
  readonly base64: boolean
}

export interface Get extends KeyArguments.Named {
  readonly options: RangeOptions
  readonly style: KeyValueStyle
  readonly countOnly: boolean
}

export const get = Effect.fnUntraced(function* (command: string, input: GetFlags): Effect.fn.Return<Get, UsageError> {
  const named = yield* KeyArguments.resolveKeys(command, input.key, input)
  const { keysOnly, countOnly, printValueOnly } = input
  if ([keysOnly, countOnly, printValueOnly].filter(Boolean).length > 1) {
    const message = "--keys-only, --count-only and --print-value-only exclude each other; choose one"
    return yield* new UsageError({ command, message })
  }
  const isSorted = Option.isSome(input.sortBy) || Option.getOrElse(input.order, () => false)
  return {
    ...named,
    countOnly,
    style: {
      base64: input.base64,
      base64Keys: input.base64Keys,
      show: keysOnly ? "keys" : printValueOnly ? "values" : undefined
    },
    options: {
      revision: Option.getOrUndefined(input.rev),
      limit: input.limit,
      sort: isSorted
        ? { by: Option.getOrElse(input.sortBy, () => "key" as const), descending: Option.getOrUndefined(input.order) }
        : undefined,
      keysOnly,
      countOnly,
      minModRevision: Option.getOrUndefined(input.minModRev),
      maxModRevision: Option.getOrUndefined(input.maxModRev),
      minCreateRevision: Option.getOrUndefined(input.minCreateRev),
      maxCreateRevision: Option.getOrUndefined(input.maxCreateRev),
      serializable: input.consistency === "stale"
    }
  }
})

export const delFlags = { key: keyArgument, ...rangeFlags, prevKv, base64 }

export interface DelFlags extends KeyArguments.RangeFlags {
  readonly key: string
  readonly prevKv: boolean
  readonly base64: boolean
}

export const del = (command: string, input: DelFlags): Effect.Effect<KeyArguments.Named, UsageError> =>
  KeyArguments.resolveKeys(command, input.key, input)
