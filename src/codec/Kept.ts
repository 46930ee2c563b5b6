/**
 * Bytes that stay for as long as the log does. What writers give are views into buffers that they share with all that is
 * written and gone at once, messages above all: one entry kept that way keeps tens of kilobytes. Here entries share with entries, which
 * come and go together.
 */
const sharedBytes = 16 * 1024
/** Larger ones have a buffer of their own: what is left over of a shared one is less than that. */
const longest = sharedBytes / 4

/** Nobody sees where bytes lie. */
let shared = Buffer.allocUnsafeSlow(sharedBytes)
let taken = 0

/** A copy, unless they have a buffer of about their own length. */
export const kept = (bytes: Uint8Array): Uint8Array => {
  const { byteLength } = bytes
  if (byteLength > longest) {
    if (bytes.buffer.byteLength <= byteLength + longest) return bytes
    const own = Buffer.allocUnsafeSlow(byteLength)
    own.set(bytes)
    return own
  }
  if (taken + byteLength > sharedBytes) {
    shared = Buffer.allocUnsafeSlow(sharedBytes)
    taken = 0
  }
  const copy = shared.subarray(taken, taken + byteLength)
  copy.set(bytes)
  taken += byteLength
  return copy
}
