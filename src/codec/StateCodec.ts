/**
 * How a machine's state becomes bytes for a snapshot, and comes back. Both ways go piece by piece, so
 * that neither a large state nor a slow disk stops everything else in the process.
 */
import type { Writer } from "./Bytes.ts"

export interface StateCodec<S> {
  /** Goes up whenever what is written changes its meaning; a decoder is asked for by it. */
  readonly version: number
  /**
   * What to write where the cluster has agreed on an earlier version of commands (see the core's Versions), so that members that
   * know no later one can read it; `version` where it is not given.
   */
  readonly versionFor?: (agreed: number) => number
  /**
   * Equal states give equal pieces. Each is made when it is asked for, in a few milliseconds at most.
   * `version` is its own, or what `versionFor` gave. About 64 KiB each is good; one large value may need more.
   * A piece must not change afterwards; but where a `scratch` is given it may be made in that, and then it is good
   * until the next one is asked for. Buffers for each piece of a large state are hundreds of megabytes outside of the
   * heap, and V8 marks the whole heap, with all that the store holds, for every 64 of them.
   */
  readonly encode: (state: S, version?: number, scratch?: Writer) => Iterable<Uint8Array>
  /** `undefined` for a version that it does not know. */
  readonly decoder: (version: number) => StateDecoder<S> | undefined
}

/** Takes the pieces in the order in which they were made. Total: never throws, whatever it is given. */
export interface StateDecoder<S> {
  /** False when this is no piece of a state; then there is no point in going on. It may keep the bytes. */
  readonly push: (piece: Uint8Array) => boolean
  /** `undefined` when something is missing. */
  readonly finish: () => S | undefined
}
