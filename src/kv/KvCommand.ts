/** What changes the store, and what doing so gives. One command is one revision, or none if it changes nothing. */
import type { Key, KeyRange, KeyValue } from "./KeyValue.ts"

export type KvCommand =
  | { readonly _tag: "Put"; readonly key: Key; readonly value: Uint8Array; readonly prevKv: boolean }
  | ({ readonly _tag: "DeleteRange"; readonly prevKv: boolean } & KeyRange)

export type KvResult =
  /** `revision` is the store's after the command, as etcd's header has it. */
  | { readonly _tag: "Put"; readonly revision: number; readonly prevKv: KeyValue | undefined }
  | {
      readonly _tag: "DeleteRange"
      readonly revision: number
      readonly deleted: number
      /** In key order; empty unless asked for. */
      readonly prevKvs: ReadonlyArray<KeyValue>
    }
  /** The bytes in the log are no command that this version knows; nothing was changed. */
  | { readonly _tag: "UnknownCommand"; readonly revision: number }
