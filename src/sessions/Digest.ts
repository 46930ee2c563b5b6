/** 32 bits of what sessions made of a command, by which replicas that remember other things come to notice it. */
import type { Named, Registration, SessionResult } from "./Session.ts"

type OwnResult = SessionResult<never>

export const join = (one: number, other: number): number => mix(mix(0x5e55_1045, one), other) >>> 0

export const ofName = (session: Named<unknown>["session"] | Registration["session"]): number => {
  switch (session._tag) {
    case "Key":
      return text(1, session.key)
    case "Client":
      return whole(text(2, session.client), session.sequence)
    case "Register":
      return text(3, session.client)
  }
}

export const ofResult = (result: OwnResult, command: number): number => {
  switch (result._tag) {
    case "Repeated":
      return whole(mix(1, result.result === undefined ? 0 : 1), command)
    case "Registered":
      return whole(2, result.sequence)
    case "NotApplied":
      return whole(text(3, result.reason), command)
  }
}

/** A whole number below 2^53. */
const whole = (hash: number, value: number): number => mix(mix(hash, value), Math.floor(value / 0x1_0000_0000))

const text = (hash: number, value: string): number => {
  let h = mix(hash, value.length)
  for (let at = 0; at < value.length; at++) h = mix(h, value.charCodeAt(at))
  return h
}

/** Takes in the low 32 bits of a whole number (MurmurHash3's step, and its end in short). */
const mix = (hash: number, value: number): number => {
  let k = Math.imul(value | 0, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const h = Math.imul((hash ^ k ^ 0x9e37_79b9) | 0, 0x85ebca6b)
  return (h ^ (h >>> 13)) | 0
}
