/**
 * A state with a schema as the pieces of a snapshot, and back: its JSON (see SchemaBytes), cut into pieces
 * of one size. The value is encoded at once and decoded at once, which takes about 100 ms for ten
 * megabytes; a much larger state deserves a StateCodec of its own.
 */
import { Result } from "effect"
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
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
    },
    decoder: (found) => (found === version ? new Decoding(states) : undefined)
  }
}

class Decoding<S> implements StateDecoder<S> {
  private readonly pieces: Array<Uint8Array> = []
  private readonly states: SchemaBytes.SchemaBytes<S>

  constructor(states: SchemaBytes.SchemaBytes<S>) {
    this.states = states
  }

  push(piece: Uint8Array): boolean {
    const last = this.pieces.at(-1)
    // All but the last are full, so that equal states are equal pieces.
    if (piece.length === 0 || piece.length > pieceBytes || (last !== undefined && last.length < pieceBytes))
      return false
    this.pieces.push(piece)
    return true
  }

  finish(): S | undefined {
    return this.states.decode(Buffer.concat(this.pieces))
  }
}
