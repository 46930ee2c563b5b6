/**
 * A definition as a machine under test in the simulator. Commands and queries go in as their JSON, so what is applied has
 * been through its schema, as in production; and every state that is applied must come back from a
 * snapshot as it was.
 *
 * States are frozen: a machine that changes in place what it was given is caught where it does.
 */
import { crc32 } from "node:zlib"
import { Result } from "effect"
import type { StateCodec } from "../codec/StateCodec.ts"
import type { Random } from "../sim/Random.ts"
import { type AnySubject, erase, type Subject } from "../sim/Subject.ts"
import type { Codec, Definition } from "./Definition.ts"
import * as SchemaBytes from "./SchemaBytes.ts"
import * as SchemaState from "./SchemaState.ts"

/** Where chance comes from: the same seed draws the same. */
export type Chance = Pick<Random, "below" | "chance" | "draw" | "pick">

export interface SampleOf<S, C, R, Q> {
  /** Something that a client may ask for. Few keys and small numbers meet more often. */
  readonly command: (random: Chance, number: number) => C
  readonly query: (random: Chance) => Q
  /** The state with something in it changed, as memory that lies would change it. Without it, that fault is left out. */
  readonly alter?: (random: Chance, state: S) => S
  /** What the machine promises of every command that is applied: what is broken, in words, or `undefined`. */
  readonly rule?: (before: S, after: S, command: C, result: R) => string | undefined
}

/** What the simulator must be told about a machine, by the type of its definition. */
export type Sample<D> =
  D extends Definition<infer S, infer C, infer R, infer Q, infer _A> ? SampleOf<S, C, R, Q> : never

/** An object of its own for each request, by which the simulator knows it again. */
interface Wrapped {
  readonly json: unknown
}

export const subjectOf = <S, C, R, Q, A>(
  definition: Definition<S, C, R, Q, A>,
  sample: SampleOf<S, C, R, Q>
): AnySubject => {
  const { name, apply, read, initial } = definition
  const [commands, results, queries, answers, states] = [
    wrapping("command", definition.command),
    wrapping("result", definition.result),
    wrapping("query", definition.query),
    wrapping("answer", definition.answer),
    wrapping("state", definition.state)
  ]
  const snapshots = SchemaState.make(name, definition.state)
  const rule = (before: S, after: S, wrapped: Wrapped, result: R): string | undefined => {
    const text = states.text(after)
    const loaded = throughSnapshot(snapshots, after)
    if (loaded === undefined) return `the state ${text} cannot be read back from a snapshot`
    if (states.text(loaded) !== text) return `the state ${text} comes back from a snapshot as ${states.text(loaded)}`
    return sample.rule?.(before, after, commands.unwrap(wrapped), result)
  }
  const subject: Subject<S, Wrapped, R, Wrapped, A> = {
    name: `machine:${name.replace(/\s+/g, "-")}`,
    machine: {
      initial: frozen(initial),
      apply: (state, wrapped, ...context) => frozen(apply(state, commands.unwrap(wrapped), ...context)),
      query: (state, wrapped) => read(state, queries.unwrap(wrapped)),
      sizeOf: (wrapped) => JSON.stringify(wrapped.json).length,
      digest: (wrapped, result) => crc32(results.text(result), crc32(JSON.stringify(wrapped.json)))
    },
    command: (random, number) => commands.wrap(sample.command(random, number)),
    query: (random) => queries.wrap(sample.query(random)),
    alter: (random, state) => frozen(sample.alter?.(random, state) ?? state),
    digest: (state) => states.digest(state),
    rule,
    sameResult: (one, other) => results.text(one) === results.text(other),
    sameAnswer: (one, other) => answers.text(one) === answers.text(other)
  }
  return erase(subject)
}

const throughSnapshot = <S>(codec: StateCodec<S>, state: S): S | undefined => {
  const decoder = codec.decoder(codec.version)
  for (const piece of codec.encode(state)) if (decoder?.push(piece) === false) return undefined
  return decoder?.finish()
}

interface Wrapping<T> {
  readonly wrap: (value: T) => Wrapped
  readonly unwrap: (wrapped: Wrapped) => T
  readonly text: (value: T) => string
  readonly digest: (value: T) => number
}

/** What a schema refuses is a mistake in the machine, or in its sample: it ends the run, and is told as what broke. */
const wrapping = <T>(what: string, schema: Codec<T>): Wrapping<T> => {
  const json = SchemaBytes.ofJson(schema, { exact: true })
  const values = new WeakMap<Wrapped, { readonly value: T }>()
  const digests = new WeakMap<object, number>()
  const wrap = (value: T): Wrapped => {
    const encoded = json.encode(value)
    if (Result.isFailure(encoded)) throw new Error(`a ${what} that its schema refuses: ${encoded.failure}`)
    return { json: encoded.success }
  }
  const unwrap = (wrapped: Wrapped): T => {
    const known = values.get(wrapped)
    if (known !== undefined) return known.value
    const decoded = json.decode(wrapped.json)
    if (Result.isFailure(decoded)) {
      throw new Error(`a ${what} cannot be read back from what its schema encoded: ${JSON.stringify(wrapped.json)}`)
    }
    values.set(wrapped, { value: decoded.success })
    return decoded.success
  }
  const text = (value: T): string => JSON.stringify(wrap(value).json)
  const digest = (value: T): number => {
    if (typeof value !== "object" || value === null) return crc32(text(value))
    const known = digests.get(value)
    if (known !== undefined) return known
    const fresh = crc32(text(value))
    digests.set(value, fresh)
    return fresh
  }
  return { wrap, unwrap, text, digest }
}

/** All the way down; what is frozen already was so all the way down. */
const frozen = <T>(value: T): T => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  Object.freeze(value)
  for (const part of Object.values(value)) frozen(part)
  if (value instanceof Map || value instanceof Set) for (const part of value.values()) frozen(part)
  return value
}
