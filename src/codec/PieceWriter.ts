/**
 * A writer whose result is several pieces of memory: what is large and never changes is not copied, but stands between the pieces
 * that are written. A leader's entries go to each follower that way, and large values are never copied on their way to a socket.
 */
import { Writer } from "./Bytes.ts"

/** From so many bytes on, a copy, and the memory for it, costs more than one more piece to write. */
export const worthSharing = 8 * 1024

interface Shared {
  /** In what is written, what it stands before. */
  readonly at: number
  readonly bytes: Uint8Array
}

export class PieceWriter extends Writer {
  private readonly shared: Array<Shared> = []
  private lengthOfShared = 0

  override get length(): number {
    return super.length + this.lengthOfShared
  }

  override share(value: Uint8Array): void {
    if (value.length < worthSharing) return this.raw(value)
    this.shared.push({ at: super.length, bytes: value })
    this.lengthOfShared += value.length
  }

  /** Nothing may have been shared since `start`. */
  override since(start: number): Buffer {
    return super.since(start - this.lengthOfShared)
  }

  override finish(): Buffer {
    if (this.shared.length > 0) throw new Error("what was shared is in pieces only")
    return super.finish()
  }

  /** What has been written, in its order; the first piece is one of its own, if anything was written first. The writer must not be used after it. */
  pieces(): ReadonlyArray<Uint8Array> {
    const own = super.finish()
    if (this.shared.length === 0) return [own]
    const pieces: Array<Uint8Array> = []
    let written = 0
    for (const { at, bytes } of this.shared) {
      if (at > written) pieces.push(own.subarray(written, at))
      pieces.push(bytes)
      written = at
    }
    if (own.length > written) pieces.push(own.subarray(written))
    return pieces
  }
}
