/**
 * Bytes that stay for as long as the log does. What writers are given are views into buffers that they share with all that is
 * written and gone at once, messages above all: one entry kept that way keeps tens of kilobytes. Here entries share with entries, which
 * come and go together.
 */
import { SharedBuffer } from "../kv/SharedBuffer.ts"

const sharedBytes = 16 * 1024
/** Larger ones have a buffer of their own: what is left over of a shared one is less than that. */
const longest = sharedBytes / 4

const shared = new SharedBuffer(sharedBytes)

/** Room for so many bytes, to be written once. */
export const room = (bytes: number): Buffer => {
  if (bytes > longest) return Buffer.allocUnsafeSlow(bytes)
  const start = shared.room(bytes)
  return Buffer.from(shared.buffer, start, bytes)
}

/**
 * A copy, unless the bytes lie where they may stay: in `from`, which was given as room for them and may have been too small, or in a
 * buffer of about their own length.
 */
export const kept = (bytes: Uint8Array, from?: Buffer): Uint8Array => {
  const { buffer, byteLength } = bytes
  if (buffer === from?.buffer || (byteLength > longest && buffer.byteLength <= byteLength + longest)) return bytes
  const copy = room(byteLength)
  copy.set(bytes)
  return copy
}
