/** A snapshot's bytes come in small pieces; what moves them takes larger ones. */

/**
 * The same bytes, cut anew into slices of so many; the last may be shorter. Nothing is asked for ahead of its turn. All are made
 * in one buffer, so each is good until the next one is asked for: see StateCodec for what a buffer for each would cost.
 */
export function* slices(pieces: Iterable<Uint8Array>, sliceBytes: number): Generator<Uint8Array, void> {
  const slice = Buffer.allocUnsafe(sliceBytes)
  let filled = 0
  for (const piece of pieces) {
    for (let taken = 0; taken < piece.length; ) {
      const length = Math.min(piece.length - taken, sliceBytes - filled)
      slice.set(piece.subarray(taken, taken + length), filled)
      taken += length
      filled += length
      if (filled < sliceBytes) continue
      yield slice
      filled = 0
    }
  }
  if (filled > 0) yield slice.subarray(0, filled)
}
