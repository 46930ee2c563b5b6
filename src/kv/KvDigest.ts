/**
 * 32 bits of a command and its result, by which replicas notice that they have come to differ: one
 * that lost a key has another count of deleted ones, one that applied something twice has another revision.
 * MurmurHash3's steps, for speed; it is no defence against anybody who wants two to be equal.
 */
import type { KeyValue } from "./KeyValue.ts"
import type { KvCommand, KvResult } from "./KvCommand.ts"

export const digest = (command: KvCommand, result: KvResult): number =>
  finished(withResult(withCommand(0x8b1a_59c3, command), result))

/** 53 bits of a command alone, as a whole number: what tells a repetition from another command under the same name. */
export const identify = (command: KvCommand): number => {
  const high = finished(withCommand(0x2f6b_37d1, command))
  const low = finished(withCommand(0x9d3a_c4e5, command))
  return high * 0x20_0000 + (low >>> 11)
}

/** Lengths come before contents, and what may be missing after whether it is there: so no two commands run together. */
const withCommand = (hash: number, command: KvCommand): number => {
  switch (command._tag) {
    case "Put":
      return bytes(text(mix(hash, 2 | (command.prevKv ? 1 : 0)), command.key), command.value)
    case "DeleteRange": {
      const { key, rangeEnd } = command
      const keyed = text(mix(hash, 4 | (command.prevKv ? 1 : 0) | (rangeEnd === undefined ? 0 : 8)), key)
      return rangeEnd === undefined ? keyed : text(keyed, rangeEnd)
    }
    default:
      return hash
  }
}

const withResult = (hash: number, result: KvResult): number => {
  switch (result._tag) {
    case "Put":
      return withPrevious(whole(mix(hash, 1), result.revision), result.prevKv)
    case "DeleteRange": {
      let h = whole(whole(mix(hash, 2), result.revision), result.deleted)
      for (const kv of result.prevKvs) h = withPrevious(h, kv)
      return h
    }
    case "UnknownCommand":
      return whole(mix(hash, 3), result.revision)
    default:
      return hash
  }
}

/** Not its value: there may be very many of them, and no more has been done for each than to point at it. */
const withPrevious = (hash: number, kv: KeyValue | undefined): number =>
  kv === undefined ? mix(hash, 0) : whole(whole(mix(hash, 1), kv.modRevision), kv.version)

/** A whole number below 2^53. */
const whole = (hash: number, value: number): number => mix(mix(hash, value), Math.floor(value / 0x1_0000_0000))

/** One unit of a key is one byte. */
const text = (hash: number, key: string): number => {
  const { length } = key
  let h = mix(hash, length)
  let i = 0
  for (; i + 4 <= length; i += 4) {
    h = mix(
      h,
      key.charCodeAt(i) | (key.charCodeAt(i + 1) << 8) | (key.charCodeAt(i + 2) << 16) | (key.charCodeAt(i + 3) << 24)
    )
  }
  for (; i < length; i++) h = mix(h, key.charCodeAt(i))
  return h
}

const bytes = (hash: number, value: Uint8Array): number => {
  const { length } = value
  let h = mix(hash, length)
  let i = 0
  for (; i + 4 <= length; i += 4) {
    h = mix(h, value[i]! | (value[i + 1]! << 8) | (value[i + 2]! << 16) | (value[i + 3]! << 24))
  }
  for (; i < length; i++) h = mix(h, value[i]!)
  return h
}

/** Takes in the low 32 bits of a whole number. */
const mix = (hash: number, value: number): number => {
  let k = Math.imul(value | 0, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const h = hash ^ k
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

const finished = (hash: number): number => {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
