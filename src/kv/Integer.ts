/** Numbers of 64 bits with their sign, written in decimal as Redis has them: no space, no plus sign, no zero in front. */

const lowest = -(1n << 63n)
const highest = (1n << 63n) - 1n
const integer = /^(?:0|-?[1-9][0-9]{0,18})$/
/** One more than the longest has. */
const maxDigits = 21

export const isOne = (value: bigint): boolean => lowest <= value && value <= highest

export const parse = (bytes: Uint8Array): bigint | undefined => {
  const text = String.fromCharCode(...bytes.subarray(0, maxDigits))
  const value = integer.test(text) ? BigInt(text) : undefined
  return value !== undefined && isOne(value) ? value : undefined
}
