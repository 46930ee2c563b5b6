/** What Tab offers in `balsa shell`: commands, their flags and what these take, and keys and leases that the store has. */
import { Effect, Result } from "effect"
import type { CommandDescriptor, FlagDescriptor } from "effect/cli/Completions"
import type { Cluster } from "../client/Gateway.ts"
import * as KeyRange from "../client/KeyRange.ts"
import * as Kv from "../client/Kv.ts"
import * as Lease from "../client/Lease.ts"
import * as LeaseId from "../client/LeaseId.ts"
import * as ByteText from "./ByteText.ts"
import { outputFormats } from "./ClientOptions.ts"
import * as Words from "./Words.ts"

/** More than this nobody reads. */
const maxOffered = 100
/** Nobody waits for longer after a key press. */
const timeoutMillis = 1000

export interface Completion {
  /** What may stand in the place of `replaced`, the end of the line. */
  readonly offered: ReadonlyArray<string>
  readonly replaced: string
}

const nothing: Completion = { offered: [], replaced: "" }

/** For a line up to the cursor. What cannot be asked for is not offered. */
export const complete = Effect.fnUntraced(function* (
  root: CommandDescriptor,
  cluster: Cluster,
  line: string
): Effect.fn.Return<Completion> {
  const parsed = Words.parse(line, "sh")
  if (Result.isFailure(parsed)) return nothing
  const words = [...parsed.success]
  if (words.length === 0 || /\s$/.test(line)) words.push({ text: "", column: line.length + 1 })
  const current = words.at(-1)!
  const before = words.slice(0, -1).map(({ text }) => text)
  if (before[0] === "balsa") before.shift()
  const quick = { ...cluster, timeoutMillis: Math.min(timeoutMillis, cluster.timeoutMillis) }
  const candidates = yield* candidatesFor(root, quick, before, current.text)
  const fitting = candidates.filter((text) => text.startsWith(current.text)).slice(0, maxOffered)
  const [only] = fitting
  return {
    offered: fitting.length === 1 ? [`${Words.quote(only!)} `] : fitting.map(Words.quote),
    replaced: line.slice(current.column - 1)
  }
})

type Candidates = Effect.Effect<ReadonlyArray<string>>

const candidatesFor = (
  root: CommandDescriptor,
  cluster: Cluster,
  before: ReadonlyArray<string>,
  current: string
): Candidates => {
  const { command, rest } = walk(root, before)
  if (command.subcommands.length > 0) {
    const names = [...command.subcommands.map(({ name }) => name), ...(command === root ? ["exit"] : [])]
    // What stands there is none of them.
    return Effect.succeed(rest.length > 0 ? [] : names)
  }
  if (rest.includes("--")) return Effect.succeed([])
  const flag = flagBefore(command, rest)
  if (flag !== undefined) return valuesOf(flag, cluster)
  if (current.startsWith("-")) return Effect.succeed(command.flags.map(({ name }) => `--${name}`))
  switch (command.arguments[positionals(command, rest)]?.name) {
    case "KEY":
      return keys(cluster, current)
    case "ID":
      return leases(cluster)
    case "TOPIC":
      return Effect.succeed(root.subcommands.map(({ name }) => name))
    default:
      return Effect.succeed([])
  }
}

interface Walked {
  readonly command: CommandDescriptor
  /** The words behind its name. */
  readonly rest: ReadonlyArray<string>
}

const walk = (command: CommandDescriptor, words: ReadonlyArray<string>): Walked => {
  const next = command.subcommands.find(({ name }) => name === words[0])
  return next === undefined ? { command, rest: words } : walk(next, words.slice(1))
}

const takesValue = ({ type }: FlagDescriptor): boolean => type._tag !== "Boolean"

/** The flag that waits for a value at the end of `words`. */
const flagBefore = (command: CommandDescriptor, words: ReadonlyArray<string>): FlagDescriptor | undefined => {
  const last = words.at(-1)
  return command.flags.find(
    (flag) => takesValue(flag) && (last === `--${flag.name}` || flag.aliases.some((alias) => last === `-${alias}`))
  )
}

const positionals = (command: CommandDescriptor, words: ReadonlyArray<string>): number =>
  words.filter((word, at) => !word.startsWith("-") && flagBefore(command, words.slice(0, at)) === undefined).length

const valuesOf = ({ name, type }: FlagDescriptor, cluster: Cluster): Candidates => {
  if (type._tag === "Choice") return Effect.succeed(type.values)
  if (name === "output") return Effect.succeed(outputFormats)
  return name === "lease" ? leases(cluster) : Effect.succeed([])
}

/** From one replica: what is on the screen a moment later is out of date anyway. */
const keys = (cluster: Cluster, prefix: string): Candidates =>
  Kv.make(cluster)
    .range(KeyRange.prefixRange(prefix), { keysOnly: true, limit: maxOffered, serializable: true })
    .pipe(
      Effect.map(({ kvs }) => kvs.flatMap(({ key }) => ByteText.decode(key) ?? [])),
      Effect.orElseSucceed(() => [])
    )

const leases = (cluster: Cluster): Candidates =>
  Lease.make(cluster).list.pipe(
    Effect.map((ids) => ids.map(LeaseId.toHex)),
    Effect.orElseSucceed(() => [])
  )
