/**
 * Who uses a data directory, asked without taking its lock (see DirectoryLock): nothing is changed, and
 * nobody who starts meanwhile is kept from it.
 */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { Effect } from "effect"
import { codeOf } from "../storage/DiskError.ts"

export interface LockHolder {
  readonly pid: number
}

/** Undefined when nobody answers, and where the file system has no sockets: there only a start can tell. */
export const find = (directory: string): Effect.Effect<LockHolder | undefined> =>
  Effect.promise(async () => {
    const folder = path.resolve(directory, "lock")
    for (const name of namesIn(folder)) {
      const pid = /^(\d+)-/.exec(name)?.[1]
      if (pid !== undefined && (await answers(folder, name))) return { pid: Number(pid) }
    }
    return undefined
  })

const namesIn = (folder: string): ReadonlyArray<string> => {
  try {
    return fs.readdirSync(folder)
  } catch {
    return []
  }
}

/** A socket's path is cut off after some 100 bytes; where the system lets one, a long one goes by a handle. */
const maxAddressBytes = 100

const answers = async (folder: string, name: string): Promise<boolean> => {
  const address = path.join(folder, name)
  if (Buffer.byteLength(address) <= maxAddressBytes) return connects(address)
  const handle = fs.openSync(folder, "r")
  try {
    return await connects(`/proc/self/fd/${handle}/${name}`)
  } finally {
    fs.closeSync(handle)
  }
}

/** Only a refusal proves that nobody is there. */
const connects = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const call = net.connect({ path: address })
    call.once("connect", () => {
      call.destroy()
      resolve(true)
    })
    call.on("error", (error) => resolve(!["ECONNREFUSED", "ENOENT", "ENOTSOCK"].includes(codeOf(error))))
  })
