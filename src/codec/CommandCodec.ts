/**
 * How a machine's commands become bytes and come back. A command is encoded once, where
 * it is submitted; the same bytes go to the log and to every peer.
 */
export interface CommandCodec<C> {
  readonly encode: (command: C) => Uint8Array
  /** Total: bytes that are no command of any known version give `undefined`. */
  readonly decode: (bytes: Uint8Array) => C | undefined
}
