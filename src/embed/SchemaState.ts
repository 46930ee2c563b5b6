/**
 * A state with a schema as the pieces of a snapshot, and back: how many bytes follow (8), as a piece of its
 * own, then its JSON (see SchemaBytes), cut into pieces of one size. The value is encoded at once and decoded at once, which takes about 100 ms for ten
 * megabytes; a much larger state deserves a StateCodec of its own.
 */
import { Result } from "effect"
import { Reader, Writer } from "../codec/Bytes.ts"
import type { StateCodec, StateDecoder } from "../codec/StateCodec.ts"
import type { Codec } from "./Definition.ts"
import * as SchemaBytes from "./SchemaBytes.ts"

const version = 1
export const pieceBytes = 64 * 1024

export const make = <S>(name: string, schema: Codec<S>): StateCodec<S> => {
  const states = SchemaBytes.make(schema)
  return {
    version,
    encode: function* (state) {
      const encoded = states.encode(state)
      // The machine made it, so the machine is wrong; a snapshot without it would lose it.
      if (Result.isFailure(encoded))
        throw new Error(`"${name}" has a state that its schema refuses: ${encoded.failure}`)
      const bytes = encoded.success
      const head = new Writer(8)
      head.safe(bytes.length)
      yield head.finish()
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
    },
    decoder: (found) => (found === version ? new Decoding(states) : undefined)
  }
}

class Decoding<S> implements StateDecoder<S> {
  private readonly pieces: Array<Uint8Array> = []
  /** Bytes still to come; unknown before the first piece. */
  private missing: number | undefined
  private readonly states: SchemaBytes.SchemaBytes<S>

  constructor(states: SchemaBytes.SchemaBytes<S>) {
    this.states = states
  }

  push(piece: Uint8Array): boolean {
    if (this.missing === undefined) {
      const from = new Reader(piece)
      this.missing = from.safe()
      return from.done
    }
    if (piece.length === 0 || piece.length !== Math.min(pieceBytes, this.missing)) return false
    this.pieces.push(piece)
    this.missing -= piece.length
    return true
  }

  finish(): S | undefined {
    return this.missing === 0 ? this.states.decode(Buffer.concat(this.pieces)) : undefined
  }
}
