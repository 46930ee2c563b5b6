/** A snapshot's bytes come in small pieces; what moves them takes larger ones. */

/** The same bytes, joined to pieces of at least so many; the last may be shorter. Nothing is asked for ahead of its turn. */
export function* joined(pieces: Iterable<Uint8Array>, leastBytes: number): Generator<Uint8Array, void> {
  let gathered: Array<Uint8Array> = []
  let bytes = 0
  for (const piece of pieces) {
    gathered.push(piece)
    bytes += piece.length
    if (bytes < leastBytes) continue
    yield Buffer.concat(gathered, bytes)
    gathered = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(gathered, bytes)
}
