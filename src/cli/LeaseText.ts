/**
 * Leases as people write them. Balsa and etcdctl print an id in hexadecimal, at most 16 digits; etcd's JSON has it in decimal, as a
 * rule 17 to 19 digits. Which one is meant follows from the length; a shorter decimal one takes `d:` in front.
 */
import { Result } from "effect"
import * as LeaseId from "../client/LeaseId.ts"
import * as Setting from "./Setting.ts"
import type { UsageError } from "./UsageError.ts"

export const rule = "hexadecimal, as printed; one of 17 to 19 digits, or behind d:, is decimal"

const largest = 2n ** 63n - 1n

export const parse = (command: string, what: string, text: string): Result.Result<LeaseId.LeaseId, UsageError> => {
  const decimal = /^(?:d:(\d{1,19})|(\d{17,19}))$/.exec(text)
  if (decimal !== null) {
    const id = BigInt(decimal[1] ?? decimal[2]!)
    if (id > 0n && id <= largest) return Result.succeed(LeaseId.LeaseId(id))
  }
  return Result.mapError(LeaseId.fromHex(text.replace(/^0x/i, "")), () =>
    Setting.usage(command, `${what}: "${text}" is no lease; an id is ${rule}. See them with: balsa lease list`)
  )
}

/** A number of seconds, as in etcdctl, or a duration. Leases know whole seconds. */
export const seconds = (command: string, source: string, text: string): Result.Result<number, UsageError> => {
  const match = /^(\d{1,9})(s|m|h)?$/.exec(text)
  const value = Number(match?.[1]) * { s: 1, m: 60, h: 3600 }[(match?.[2] ?? "s") as "s" | "m" | "h"]
  return value >= 1 && value <= maxSeconds
    ? Result.succeed(value)
    : Setting.fail(
        command,
        `${source}: "${text}" is no time to live; write whole seconds from 1 on, such as 60, 90s or 5m`
      )
}

/** As etcd has it. */
const maxSeconds = 9_000_000_000
