/**
 * An image as bytes, and back. All numbers are little-endian:
 *
 *     magic (8: "BALSASNP"), format version (4: 1), then chunks until the end:
 *       length (4) of what follows the checksum, crc32 (4) of length and all that follows,
 *       kind (1), contents
 *
 *     1 header, first and once: fields, each tag (1), length (4), bytes, with rising tags
 *         1 last            index (8), term (8)
 *         2 voters          count (4), then names (4 + n), rising
 *         3 applied         count (4), then the last request of each replica, their names rising:
 *                           replica (4 + n), incarnation (8), sequence (8)
 *         4 hash            (4)
 *         5 epoch           (8)
 *         6 state version   (4), of the state's codec
 *         7 configuration   as ConfigurationCodec has it, unless it is of voters only
 *         8 time            (8), of the cluster, unless it is 0
 *         9 version         (4), of commands, and their ceiling (1: whether there is one, 4), unless it is 1 without one
 *     2 state, any number: a piece as the state's codec made it
 *     3 end, last and once: how many state chunks (8), how many bytes before this chunk (8),
 *         crc32 (4) of all of those bytes
 *
 * What later versions add to the header gets a new tag: below 128 if a reader must understand
 * it (one that does not refuses), from 128 on if it may be passed over. Equal images with equal
 * states give equal bytes, so that replicas' snapshots of one position can be compared.
 */
import { crc32 } from "node:zlib"
import type { Image } from "../raft/Snapshot.ts"
import { Writer } from "./Bytes.ts"
import * as Chunks from "./SnapshotChunks.ts"
import { corrupt, unknown } from "./SnapshotChunks.ts"
import * as Header from "./SnapshotHeader.ts"
import type { StateCodec, StateDecoder } from "./StateCodec.ts"

/**
 * The pieces of a snapshot, each made when it is asked for. Their concatenation is the snapshot's bytes. Where a
 * `scratch` is given, each is good until the next one is asked for (see StateCodec), and it is for one asking only.
 */
export const encode = <S>(image: Image<S>, codec: StateCodec<S>, scratch?: Writer): Iterable<Uint8Array> => ({
  [Symbol.iterator]: () => pieces(image, codec, scratch)
})

const pieces = function* <S>(
  image: Image<S>,
  codec: StateCodec<S>,
  scratch: Writer | undefined
): Generator<Uint8Array, void> {
  let bytes = 0
  let checksum = 0
  const counted = (piece: Uint8Array): Uint8Array => {
    bytes += piece.length
    checksum = crc32(piece, checksum)
    return piece
  }
  yield counted(Chunks.opening())
  const version = codec.versionFor?.(image.version) ?? codec.version
  for (const piece of Chunks.of(Chunks.kinds.header, Header.encode(image, version))) yield counted(piece)
  let states = 0
  for (const state of codec.encode(image.value, version, scratch)) {
    states++
    const chunk =
      scratch === undefined ? Chunks.of(Chunks.kinds.state, state) : Chunks.around(Chunks.kinds.state, state)
    for (const piece of chunk) yield counted(piece)
  }
  yield* Chunks.of(Chunks.kinds.end, endOf({ states, bytes, checksum }))
}

const endOf = ({ states, bytes, checksum }: { states: number; bytes: number; checksum: number }): Buffer => {
  const to = new Writer(20)
  to.safe(states)
  to.safe(bytes)
  to.u32(checksum)
  return to.finish()
}

/** What is wrong with bytes that should be a snapshot. */
export interface Problem {
  readonly _tag: "Problem"
  readonly kind: "Corrupt" | "UnknownFormat"
  /** Where in the bytes. */
  readonly offset: number
  /** What was found there, as in "the checksum of a chunk does not match". */
  readonly message: string
}

/** Takes the bytes in order, cut anywhere. Total: never throws. */
export interface Decoder<S> {
  /** The bytes are kept for a while and must not change. After a problem it stays the same problem. */
  readonly push: (bytes: Uint8Array) => Problem | undefined
  readonly finish: () => Image<S> | Problem
}

export const decoder = <S>(codec: StateCodec<S>): Decoder<S> => {
  const reading = new Reading(codec)
  return { push: (bytes) => reading.push(bytes), finish: () => reading.finish() }
}

class Reading<S> {
  private readonly codec: StateCodec<S>
  private readonly chunks = new Chunks.ChunkReader()
  private problem: Problem | undefined
  private header: Header.Header | undefined
  private state: StateDecoder<S> | undefined
  private states = 0
  private ended = false

  constructor(codec: StateCodec<S>) {
    this.codec = codec
  }

  push(bytes: Uint8Array): Problem | undefined {
    if (this.problem !== undefined) return this.problem
    this.chunks.push(bytes)
    while (this.problem === undefined && !this.ended) {
      const chunk = this.chunks.next()
      if (chunk === undefined) break
      this.problem = chunk._tag === "Problem" ? chunk : this.take(chunk)
    }
    if (this.problem === undefined && this.ended && this.chunks.buffered > 0) {
      this.problem = corrupt(this.chunks.offset, "there are bytes after its end")
    }
    return this.problem
  }

  finish(): Image<S> | Problem {
    if (this.problem !== undefined) return this.problem
    const { header, state, ended, chunks } = this
    if (!ended || header === undefined || state === undefined) {
      this.problem = corrupt(chunks.offset + chunks.buffered, "it ends before its end")
      return this.problem
    }
    const value = state.finish()
    if (value === undefined) {
      this.problem = corrupt(chunks.offset, "its state is not complete")
      return this.problem
    }
    const { last, configuration, applied, hash, epoch, time, version, ceiling } = header
    return { last, configuration, applied, hash, epoch, time, version, ceiling, value }
  }

  private take({ kind, contents, offset, bytesBefore, checksumBefore }: Chunks.Chunk): Problem | undefined {
    if (this.header === undefined) {
      return kind === Chunks.kinds.header
        ? this.begin(contents, offset)
        : corrupt(offset, "it does not begin with a header")
    }
    switch (kind) {
      case Chunks.kinds.state:
        this.states++
        return this.state?.push(contents) === true ? undefined : corrupt(offset, "this is no piece of a state")
      case Chunks.kinds.end: {
        const expected = endOf({ states: this.states, bytes: bytesBefore, checksum: checksumBefore })
        if (!expected.equals(contents)) return corrupt(offset, "its end does not fit what is before it")
        this.ended = true
        return undefined
      }
      case Chunks.kinds.header:
        return corrupt(offset, "there is a second header")
      default:
        return unknown(offset, `a chunk is of the unknown kind ${kind}`)
    }
  }

  private begin(contents: Buffer, offset: number): Problem | undefined {
    const header = Header.decode(contents)
    switch (header._tag) {
      case "Malformed":
        return corrupt(offset, "its header is malformed")
      case "UnknownField":
        return unknown(offset, `its header has the unknown field ${header.field}`)
      case "Header": {
        const state = this.codec.decoder(header.stateVersion)
        if (state === undefined) {
          return unknown(
            offset,
            `its state has version ${header.stateVersion}, and this program knows ${this.codec.version}`
          )
        }
        this.header = header
        this.state = state
        return undefined
      }
    }
  }
}
