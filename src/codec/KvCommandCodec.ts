/**
 * The store's commands as bytes, as they stand in the log and travel to peers. The first byte is the version of commands
 * that knows them; 2 is the mark of those with sessions (see StoreCodec). What version 1 can say is said in version 1:
 *
 *     version (1: 1), kind (1: 1 Put, 2 DeleteRange), body
 *     version (1: 3), kind (1), then
 *        1 Put              body, with a lease, a time, or something that it keeps
 *        4 Txn              body
 *        5 Compact          revision (8)
 *        6 LeaseGrant       id (8), ttlSeconds (8)
 *        7 LeaseRevoke      id (8)
 *        8 LeaseKeepAlive   id (8)
 *        9 LeaseExpire      how many (4), from 1 to 1000, and their ids (8 each)
 *       10 LeaseTimeToLive  id (8), whether its keys are asked for (1)
 *       11 Txn in order     body
 *       12 Merge            body
 *
 * KvOperationCodec and KvTxnCodec have the bodies. Whatever is not listed makes the bytes no command, so that what a later
 * version means is never half understood; and each command has exactly one form.
 */
import { historySince, type KvCommand, type Put } from "../kv/KvCommand.ts"
import { maxExpired } from "../kv/Leases.ts"
import { Reader } from "./Bytes.ts"
import type { CommandCodec } from "./CommandCodec.ts"
import { readBoolean, writeBoolean } from "./Fields.ts"
import * as Kept from "./Kept.ts"
import {
  CommandWriter,
  fixedBytes,
  isPlain,
  kinds as operations,
  readDeleteRange,
  readMerge,
  readPut,
  readWhole,
  writeDeleteRange,
  writeMerge,
  writePut
} from "./KvOperationCodec.ts"
import { kindOf, readTxn, roomForTxn, writeTxn } from "./KvTxnCodec.ts"

const plain = 1
const idBytes = 8
const kinds = {
  Put: operations.Put,
  DeleteRange: operations.DeleteRange,
  Txn: operations.Txn,
  TxnInOrder: operations.TxnInOrder,
  Merge: operations.Merge,
  Compact: 5,
  LeaseGrant: 6,
  LeaseRevoke: 7,
  LeaseKeepAlive: 8,
  LeaseExpire: 9,
  LeaseTimeToLive: 10
} as const

/** `undefined` also for what no store takes: transactions in transactions too deep, numbers beyond 2^53. */
const encode = (command: KvCommand, version: number): Uint8Array | undefined => {
  const since = command._tag === "DeleteRange" || (command._tag === "Put" && isPlain(command)) ? plain : historySince
  if (version < since) return undefined
  const room = Kept.room(roomFor(command))
  const to = new CommandWriter(room)
  to.u8(since)
  to.u8(command._tag === "Txn" ? kindOf(command) : kinds[command._tag])
  write(to, command)
  return to.sound ? Kept.kept(to.finish(), room) : undefined
}

/** The commonest fit at once. */
const roomFor = (command: KvCommand): number => {
  switch (command._tag) {
    case "Put":
      return fixedBytes + command.key.length + command.value.byteLength
    case "DeleteRange":
      return fixedBytes + command.key.length + (command.rangeEnd?.length ?? 0)
    case "Txn":
      return fixedBytes + roomForTxn(command)
    case "LeaseExpire":
      return fixedBytes + idBytes * command.ids.length
    default:
      return fixedBytes + 8
  }
}

const write = (to: CommandWriter, command: KvCommand): void => {
  switch (command._tag) {
    case "Put":
      return writePut(to, command)
    case "DeleteRange":
      return writeDeleteRange(to, command)
    case "Txn":
      return writeTxn(to, command)
    case "Merge":
      return writeMerge(to, command)
    case "Compact":
      return to.whole(command.revision)
    case "LeaseGrant":
      to.id(command.id)
      return to.whole(command.ttlSeconds)
    case "LeaseRevoke":
    case "LeaseKeepAlive":
      return to.id(command.id)
    case "LeaseExpire":
      if (command.ids.length < 1 || command.ids.length > maxExpired) to.refuse()
      to.u32(command.ids.length)
      for (const id of command.ids) to.id(id)
      return
    case "LeaseTimeToLive":
      to.id(command.id)
      return writeBoolean(to, command.keys)
  }
}

/** The value of a decoded put is a view into the bytes, not a copy. */
const decode = (bytes: Uint8Array): KvCommand | undefined => {
  const from = new Reader(bytes)
  const version = from.u8()
  const command = version === plain ? readPlain(from) : version === historySince ? read(from) : undefined
  return from.done ? command : undefined
}

const readPlain = (from: Reader): KvCommand | undefined => {
  switch (from.u8()) {
    case kinds.Put: {
      const put = readPut(from)
      return isPlain(put) ? put : undefined
    }
    case kinds.DeleteRange:
      return readDeleteRange(from)
    default:
      return undefined
  }
}

const read = (from: Reader): KvCommand | undefined => {
  switch (from.u8()) {
    case kinds.Put:
      return unlessPlain(readPut(from))
    case kinds.Txn:
      return readTxn(from)
    case kinds.TxnInOrder:
      return { ...readTxn(from), inOrder: true }
    case kinds.Merge:
      return readMerge(from)
    case kinds.Compact:
      return { _tag: "Compact", revision: readWhole(from) }
    case kinds.LeaseGrant:
      return { _tag: "LeaseGrant", id: from.i64(), ttlSeconds: readWhole(from) }
    case kinds.LeaseRevoke:
      return { _tag: "LeaseRevoke", id: from.i64() }
    case kinds.LeaseKeepAlive:
      return { _tag: "LeaseKeepAlive", id: from.i64() }
    case kinds.LeaseExpire:
      return readExpire(from)
    case kinds.LeaseTimeToLive:
      return { _tag: "LeaseTimeToLive", id: from.i64(), keys: readBoolean(from) }
    default:
      return undefined
  }
}

const readExpire = (from: Reader): KvCommand | undefined => {
  const count = from.u32()
  if (count < 1 || count > maxExpired) return undefined
  return { _tag: "LeaseExpire", ids: Array.from({ length: count }, () => from.i64()) }
}

/** That has another form. */
const unlessPlain = (put: Put): Put | undefined => (isPlain(put) ? undefined : put)

/** What stands first. */
const versionOf = (bytes: Uint8Array): number => bytes[0] ?? plain

export const KvCommandCodec = { encode, decode, versionOf } satisfies CommandCodec<KvCommand>
