/** Values too large for one piece of a state travel in parts, in pieces of their own: kind (1), then the part. */
import { Writer } from "./Bytes.ts"

/** A value above this travels in parts of this size. */
export const partBytes = 128 * 1024

export const isLarge = (value: Uint8Array): boolean => value.byteLength > partBytes

export const partsOf = function* (kind: number, value: Uint8Array, scratch?: Writer): Generator<Uint8Array, void> {
  for (let at = 0; at < value.byteLength; at += partBytes) {
    const part = scratch?.begin() ?? new Writer(1 + partBytes)
    part.u8(kind)
    part.raw(value.subarray(at, at + partBytes))
    yield part.finish()
  }
}

/** Takes the parts of one value until it is whole. */
export class LargeValue {
  private readonly length: number
  private readonly parts: Array<Uint8Array> = []
  private arrived = 0

  constructor(length: number) {
    this.length = length
  }

  /** False where it is not the next one. */
  take(part: Uint8Array): boolean {
    if (part.length !== Math.min(partBytes, this.length - this.arrived)) return false
    this.parts.push(part)
    this.arrived += part.length
    return true
  }

  /** Its bytes, once all have arrived. Not Buffer.concat: that may put them in a shared buffer. */
  whole(): Uint8Array | undefined {
    if (this.arrived < this.length) return undefined
    const value = new Uint8Array(this.length)
    let at = 0
    for (const part of this.parts) {
      value.set(part, at)
      at += part.length
    }
    return value
  }
}
