/** How commands name a key or a range of keys. */
import { Effect, Option } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as KeyRange from "../client/KeyRange.ts"
import * as ByteText from "./ByteText.ts"
import { NotFound } from "./NotFound.ts"
import { UsageError } from "./UsageError.ts"

export const keyArgument = Argument.String("KEY").pipe(Argument.withDescription("The key"))

/** One that is there or is not. */
export const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))

/** The commands that show values take it for these, too. */
export const base64 = flag("base64", "Values are base64, as arguments and as output")
export const base64Keys = flag("base64-keys", "Keys are base64, as arguments and as output")

export const rangeFlags = {
  prefix: flag("prefix", `All keys that begin with KEY; "" is every key`),
  fromKey: flag("from-key", "All keys from KEY on, in the order of their bytes"),
  range: Flag.String("range").pipe(
    Flag.withMetavar("END"),
    Flag.withDescription("All keys from KEY up to END, without END"),
    Flag.optional
  ),
  base64Keys
}

export interface RangeFlags {
  readonly prefix: boolean
  readonly fromKey: boolean
  readonly range: Option.Option<string>
  readonly base64Keys: boolean
}

/** What a command line means by a key. */
export interface Named {
  readonly keys: KeyRange.KeyRange
  /** One key, by its name. */
  readonly single: boolean
  /** That there is none of them. */
  readonly absent: NotFound
}

export const resolveKey = Effect.fnUntraced(function* (
  command: string,
  text: string,
  isBase64: boolean
): Effect.fn.Return<Uint8Array, UsageError> {
  const key = yield* Effect.fromResult(ByteText.argument(command, "KEY", text, isBase64))
  if (key.length > 0) return key
  return yield* new UsageError({ command, message: "KEY is empty; a key has at least one byte" })
})

export const resolveKeys = Effect.fnUntraced(function* (
  command: string,
  text: string,
  { prefix, fromKey, range, base64Keys }: RangeFlags
): Effect.fn.Return<Named, UsageError> {
  const end = Option.getOrUndefined(range)
  const chosen = [
    ...(prefix ? ["--prefix"] : []),
    ...(fromKey ? ["--from-key"] : []),
    ...(end === undefined ? [] : ["--range"])
  ]
  if (chosen.length > 1) {
    return yield* new UsageError({ command, message: `${chosen.join(" and ")} exclude each other; choose one` })
  }
  if (chosen.length === 0) {
    const keys = KeyRange.one(yield* resolveKey(command, text, base64Keys))
    return { keys, single: true, absent: new NotFound({ message: `no key "${text}"` }) }
  }
  const key = yield* Effect.fromResult(ByteText.argument(command, "KEY", text, base64Keys))
  if (prefix) {
    const message = text === "" ? "the store is empty" : `no key begins with "${text}"`
    return { keys: KeyRange.prefixRange(key), single: false, absent: new NotFound({ message }) }
  }
  if (end === undefined) {
    const absent = new NotFound({ message: `no key from "${text}" on` })
    return { keys: KeyRange.fromKey(key), single: false, absent }
  }
  const last = yield* Effect.fromResult(ByteText.argument(command, "--range", end, base64Keys))
  if (last.length === 0 || Buffer.compare(key, last) >= 0) {
    const message = `--range: "${end}" does not come after KEY; for all that follows it, write --from-key`
    return yield* new UsageError({ command, message })
  }
  const absent = new NotFound({ message: `no key from "${text}" up to "${end}"` })
  return { keys: KeyRange.between(key, last), single: false, absent }
})

/** A revision, or a number of them. */
export const revisionFlag = (name: string, description: string) =>
  Flag.Int(name).pipe(
    Flag.withMetavar("REVISION"),
    Flag.withDescription(description),
    Flag.filter(
      (revision) => revision >= 0,
      () => "a number from 0 on"
    ),
    Flag.optional
  )
