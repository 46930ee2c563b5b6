/** A flipped byte may well be another value; what must not happen is that it throws, or gives what the schema refuses. */
export const everyDamage = function* (bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length)
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [0x01, 0x20, 0x80, 0xff]) {
      const damaged = Uint8Array.from(bytes)
      damaged[at]! ^= flip
      yield damaged
    }
  }
}
