/**
 * Cuts bytes, as they come, into the JSON objects that stand in them one after the other. What an object is made of is for
 * others to say; only where it ends is found out here.
 */
export type Cut =
  | { readonly _tag: "Object"; readonly text: string }
  /** What stands where an object should begin. */
  | { readonly _tag: "NoObject"; readonly text: string }
  | { readonly _tag: "TooLong" }

export class JsonStream {
  readonly #maxObjectBytes: number
  /** What came and was not cut off yet stands at the end of what is used of the room. */
  #room: Buffer = Buffer.alloc(0)
  #bytes = this.#room
  #used = 0
  /** How much of it has been looked at; it ends inside the object, if one has begun. */
  #at = 0
  #depth = 0
  #inString = false

  constructor(maxObjectBytes: number) {
    this.#maxObjectBytes = maxObjectBytes
  }

  /** How many bytes wait to be cut off. */
  get size(): number {
    return this.#bytes.length
  }

  /** Room grows by doubling: an object that comes in very many pieces is not copied for each of them. */
  push(bytes: Uint8Array): void {
    const { length } = this.#bytes
    if (length === 0 || this.#used + bytes.length > this.#room.length) {
      const room = Buffer.allocUnsafe(length === 0 ? bytes.length : 2 * length + bytes.length)
      room.set(this.#bytes)
      this.#room = room
      this.#used = length
    }
    this.#room.set(bytes, this.#used)
    this.#used += bytes.length
    this.#bytes = this.#room.subarray(this.#used - length - bytes.length, this.#used)
  }

  /** `undefined` where the next object is not here as a whole. */
  next(): Cut | undefined {
    if (this.#depth === 0) this.#skipSpace()
    const bytes = this.#bytes
    if (bytes.length === 0) return undefined
    if (bytes[0] !== openingBrace) return { _tag: "NoObject", text: bytes.toString("utf8", 0, 40) }
    for (; this.#at < bytes.length; this.#at++) {
      const byte = bytes[this.#at]
      if (this.#inString) {
        if (byte === backslash) this.#at++
        else if (byte === quote) this.#inString = false
      } else if (byte === quote) this.#inString = true
      else if (byte === openingBrace) this.#depth++
      else if (byte === closingBrace && --this.#depth === 0) return this.#cut(this.#at + 1)
    }
    return bytes.length > this.#maxObjectBytes ? { _tag: "TooLong" } : undefined
  }

  #cut(length: number): Cut {
    const text = this.#bytes.toString("utf8", 0, length)
    this.#bytes = this.#bytes.subarray(length)
    this.#at = 0
    return length > this.#maxObjectBytes ? { _tag: "TooLong" } : { _tag: "Object", text }
  }

  #skipSpace(): void {
    let length = 0
    while (spaces.has(this.#bytes[length] ?? openingBrace)) length++
    if (length > 0) this.#bytes = this.#bytes.subarray(length)
  }
}

const openingBrace = 0x7b
const closingBrace = 0x7d
const quote = 0x22
const backslash = 0x5c
const spaces: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d])
