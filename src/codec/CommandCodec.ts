/**
 * How a machine's commands become bytes and come back. A command is encoded once, where
 * it is submitted; the same bytes go to the log and to every peer.
 */
export interface CommandCodec<C> {
  /**
   * As whoever knows `version` of the commands, and no later one, understands it; `undefined` where there is no
   * such way to say it. The bytes must not change afterwards: they are kept, and sent without a copy.
   */
  readonly encode: (command: C, version: number) => Uint8Array | undefined
  /** Total: bytes that are no command of any known version give `undefined`. */
  readonly decode: (bytes: Uint8Array) => C | undefined
  /**
   * The version of the commands from which on these bytes mean something, as far as they tell; 1 where it is not given.
   * Total, and for bytes of versions that are still to come it gives something later than all that are known.
   */
  readonly versionOf?: (bytes: Uint8Array) => number
}
