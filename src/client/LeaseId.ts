/**
 * The name of a lease: a positive 63-bit number, too large for JavaScript's. The gateway writes it in decimal,
 * etcdctl and the keys of locks in hexadecimal.
 */
import { Brand, Result } from "effect"

export type LeaseId = bigint & Brand.Brand<"LeaseId">

/** Only names what is given; zero is no lease. */
export const LeaseId: (id: bigint) => LeaseId = Brand.nominal<LeaseId>()

/** As etcdctl writes it, and as it stands in the keys of locks and elections. */
export const toHex = (id: LeaseId): string => id.toString(16)

/** The error completes a sentence about the text. */
export const fromHex = (text: string): Result.Result<LeaseId, string> =>
  /^[0-9a-fA-F]{1,16}$/.test(text) && BigInt(`0x${text}`) > 0n && BigInt(`0x${text}`) <= largest
    ? Result.succeed(LeaseId(BigInt(`0x${text}`)))
    : Result.fail("is no lease: 1 to 16 hexadecimal digits, for example 694d5765fc71500b")

/** As it comes in JSON; `undefined` for none. */
export const ofJson = (value: unknown): LeaseId | undefined => {
  const text = typeof value === "number" ? String(value) : value
  return typeof text === "string" && /^-?\d+$/.test(text) && BigInt(text) !== 0n ? LeaseId(BigInt(text)) : undefined
}

const largest = 2n ** 63n - 1n

/** From two random numbers of 0 to 2^32 - 1. */
export const ofRandom = (high: number, low: number): LeaseId => {
  const id = (BigInt(high) & 0x7fffffffn) * 0x1_0000_0000n + BigInt(low)
  return LeaseId(id === 0n ? 1n : id)
}
