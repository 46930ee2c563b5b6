/**
 * One number for all that differs only in ways that cannot matter: in what replicas are called,
 * in seeds, and in how long ago something was, as long as the same deadlines have passed.
 *
 * Everything else counts, field by field and without a list of fields: one that is added to
 * the state later counts by itself. Instants are known by their names, which end in `At` or
 * `Deadline`. 53 bits: two of a million situations are taken for one with a chance of 1 in 10,000.
 */
import type { ReplicaId } from "../raft/LogEntry.ts"
import { mix, text } from "./Random.ts"
import type { Flying, Member } from "./Reaction.ts"
import type { Situation } from "./Situation.ts"

export interface Fingerprints {
  /** Of all but what is in flight, and the naming of the replicas that it takes. */
  readonly ofCore: (situation: Situation) => Core
  /** Of one replica or message, by name. */
  readonly ofMember: (member: Member) => number
  readonly ofFlying: (flying: Flying, renaming?: number) => number
}

export interface Core {
  readonly key: number
  readonly renaming: number
}

export interface Ages {
  /** What is younger than this is as good as new; what an election or a leader's trust rests on. */
  readonly electionTimeoutMillis: number
}

/** Two lanes for each way to rename the replicas. */
type Lanes = Int32Array

export const make = (ids: ReadonlyArray<ReplicaId>, ages: Ages): Fingerprints => {
  const renamings = permutations(ids.length)
  const width = renamings.length * 2
  const names = new Map(ids.map((id, place): [string, Lanes] => [id, nameLanes(renamings, place)]))
  const stack = Array.from({ length: 64 }, () => new Int32Array(width))
  const known = new WeakMap<object, Lanes>()
  let now = 0

  const fill = (depth: number, value: number): void => {
    stack[depth]!.fill(mix(value, 0x51ed))
  }

  const walk = (value: unknown, depth: number): void => {
    if (typeof value === "number") return fill(depth, value ^ ((value / 0x1_0000_0000) | 0) ^ 0x11)
    if (typeof value === "string") {
      const lanes = names.get(value)
      if (lanes === undefined) fill(depth, word(value))
      else stack[depth]!.set(lanes)
      return
    }
    if (typeof value === "boolean") return fill(depth, value ? 0x7a11 : 0x7a12)
    if (typeof value === "object" && value !== null) return walkObject(value, depth)
    return fill(depth, 0x7a13)
  }

  const walkObject = (value: object, depth: number): void => {
    const lanes = stack[depth]!
    lanes.fill(0x2f)
    if (value instanceof Map) {
      for (const [key, part] of value) {
        walk(key, depth + 1)
        walk(part, depth + 2)
        for (let lane = 0; lane < width; lane++) {
          lanes[lane] = (lanes[lane]! + mix(mix(stack[depth + 1]![lane]!, 3), stack[depth + 2]![lane]!)) | 0
        }
      }
      return
    }
    if (value instanceof Set || (Array.isArray(value) && names.has(value[0] as string))) {
      for (const part of value as Iterable<unknown>) {
        walk(part, depth + 1)
        for (let lane = 0; lane < width; lane++) lanes[lane] = (lanes[lane]! + mix(stack[depth + 1]![lane]!, 5)) | 0
      }
      return
    }
    if (Array.isArray(value)) {
      for (const part of value as ReadonlyArray<unknown>) {
        walk(part, depth + 1)
        for (let lane = 0; lane < width; lane++) lanes[lane] = mix(lanes[lane]!, stack[depth + 1]![lane]!)
      }
      return
    }
    for (const name in value) {
      const field = fieldOf(name)
      const part = (value as Record<string, unknown>)[name]
      if (field.kind === "chance" || part === undefined) continue
      if (field.kind === "timeless" && typeof part === "object" && part !== null) remembered(part, depth + 1)
      else if (typeof part === "number" && field.kind !== "plain") fill(depth + 1, age(field.kind, part))
      else walk(part, depth + 1)
      for (let lane = 0; lane < width; lane++) {
        lanes[lane] = (lanes[lane]! + mix(field.hash, stack[depth + 1]![lane]!)) | 0
      }
    }
  }

  /** What holds no instants is walked once. */
  const remembered = (value: object, depth: number): void => {
    const lanes = known.get(value)
    if (lanes !== undefined) return stack[depth]!.set(lanes)
    walk(value, depth)
    known.set(value, stack[depth]!.slice())
  }

  const age = (kind: Kind, instant: number): number => {
    if (kind === "deadline") return now >= instant ? 1 : 2
    if (kind === "moment") return now > instant ? 3 : 4
    return now >= instant + ages.electionTimeoutMillis ? 5 : 6
  }

  const lanesOf = <T extends object>(value: T, at: number, part: (value: T) => unknown): Lanes => {
    const before = known.get(value)
    if (before !== undefined) return before
    now = at
    walk(part(value), 0)
    const lanes = stack[0]!.slice()
    known.set(value, lanes)
    return lanes
  }

  const add = (sum: Lanes, lanes: Lanes): void => {
    for (let lane = 0; lane < width; lane++) sum[lane] = (sum[lane]! + mix(lanes[lane]!, 7)) | 0
  }

  const sum = new Int32Array(width)
  return {
    ofCore: ({ members, chronicle, left }) => {
      sum.fill(0)
      for (const member of members) add(sum, lanesOf(member, member.now, withoutClock))
      add(sum, lanesOf(chronicle, 0, itself))
      add(sum, lanesOf(left, 0, itself))
      return least(sum)
    },
    ofMember: (member) => joined(lanesOf(member, member.now, withoutClock), 0),
    ofFlying: (flying, renaming = 0) => joined(lanesOf(flying, 0, itself), renaming * 2)
  }
}

const withoutClock = ({ state, disk, waiting, sequence }: Member): unknown => ({ state, disk, waiting, sequence })
const itself = (value: unknown): unknown => value

/** Of all that the replicas could be called, the naming with the smallest number stands for all. */
const least = (lanes: Lanes): Core => {
  let core: Core = { key: Number.POSITIVE_INFINITY, renaming: 0 }
  for (let renaming = 0; renaming * 2 < lanes.length; renaming++) {
    const key = joined(lanes, renaming * 2)
    if (key < core.key) core = { key, renaming }
  }
  return core
}

const joined = (lanes: Lanes, lane: number): number => (lanes[lane]! >>> 11) * 0x1_0000_0000 + (lanes[lane + 1]! >>> 0)

const permutations = (size: number): ReadonlyArray<ReadonlyArray<number>> =>
  size === 0
    ? [[]]
    : permutations(size - 1).flatMap((rest) =>
        Array.from({ length: size }, (_, place) => [...rest.slice(0, place), size - 1, ...rest.slice(place)])
      )

/** The two lanes of a renaming start apart, and so stay apart: names stand in every situation. */
const nameLanes = (renamings: ReadonlyArray<ReadonlyArray<number>>, place: number): Lanes =>
  Int32Array.from(
    renamings.flatMap((renaming) => [mix(0xa11ce, renaming[place]! + 1), mix(0xb0b, renaming[place]! + 1)])
  )

type Kind = "plain" | "timeless" | "chance" | "deadline" | "moment" | "age"

interface Field {
  readonly hash: number
  readonly kind: Kind
}

const fields = new Map<string, Field>()

const fieldOf = (name: string): Field => {
  let field = fields.get(name)
  if (field === undefined) fields.set(name, (field = { hash: text(name), kind: kindOf(name) }))
  return field
}

const kindOf = (name: string): Kind => {
  if (name === "seed") return "chance"
  if (name === "log" || name === "configuration" || name === "message" || name === "value") return "timeless"
  if (name.endsWith("Deadline")) return "deadline"
  // A heartbeat and a repeated question wait for the next moment, everything else for an election timeout.
  if (name === "sentAt" || name === "askedAt") return "moment"
  return name.endsWith("At") ? "age" : "plain"
}

const words = new Map<string, number>()

const word = (value: string): number => {
  let hash = words.get(value)
  if (hash === undefined) words.set(value, (hash = text(value)))
  return hash
}
