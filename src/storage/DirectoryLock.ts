/**
 * One process to a directory. Node has no flock, and a file that holds a pid is fooled when the
 * pid is used anew. What the kernel takes back when a process dies, however it dies, is a
 * listening socket: who holds the directory listens on a Unix socket in its `lock` folder, and a
 * socket file at which nobody answers is what a dead process left.
 *
 * Sockets with a name in the file system, not Linux's abstract ones: those belong to a network
 * namespace, and two containers that mount one volume would not see each other. Machines that
 * share a directory over a network do not see each other's sockets either, and are not protected.
 *
 * Taking the lock, so that two contenders cannot both win and no live socket is ever removed:
 *
 *   1. listen on a name that nobody else will use;
 *   2. then list the folder and call every other name: if one answers, give up;
 *   3. then look whether the own name is still there: if not, begin anew;
 *   4. the directory is held: remove the names that did not answer.
 *
 * Say P and R both hold it, and R began to listen later. R called everyone after P listened, so R
 * did not see P's name: a holder D had removed it, having called P before P listened. Then D
 * listened before P did. When P called D, D answered (and P gave up), or D had ended, its removals
 * were done, and P missed its own name in step 3. Two that start at one instant may both give up.
 */
import { createHash, randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, type Scope } from "effect"
import { attempt, codeOf } from "./DiskError.ts"
import { StorageError } from "./Storage.ts"

/** Held until the scope closes, or the process ends. */
export const hold = (directory: string): Effect.Effect<void, StorageError, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      attempt(`lock ${directory}`, "Unreadable", () => acquire(directory)),
      (claim) => Effect.promise(() => withdraw(claim))
    )
  )

interface Claim {
  readonly folder: string
  readonly name: string
  readonly server: net.Server
  /** Keeps the short address of the folder good. */
  readonly handle: number
}

const attempts = 10

const acquire = async (directory: string): Promise<Claim> => {
  for (let i = 0; i < attempts; i++) {
    const claim = await listen(directory)
    const silent: Array<string> = []
    for (const name of fs.readdirSync(claim.folder)) {
      if (name === claim.name) continue
      if (await answers(path.join(addressOf(claim), name))) {
        await withdraw(claim)
        throw inUse(directory, name)
      }
      silent.push(name)
    }
    if (fs.existsSync(path.join(claim.folder, claim.name))) {
      for (const name of silent) fs.rmSync(path.join(claim.folder, name), { force: true })
      return claim
    }
    await withdraw(claim)
  }
  throw inUse(directory, "")
}

const inUse = (directory: string, name: string): StorageError => {
  const pid = /^(\d+)-/.exec(name)?.[1]
  const holder = pid === undefined ? "Another process" : `Process ${pid}`
  return new StorageError({
    reason: "InUse",
    message: `${holder} is using ${directory}. Stop it first, or choose another data directory: two processes never share one.`
  })
}

/** In the directory; or, where the file system has no sockets, in a folder named for the directory. */
const listen = async (directory: string): Promise<Claim> => {
  try {
    return await listenIn(path.join(directory, "lock"))
  } catch (error) {
    if (!noSockets.includes(codeOf(error))) throw error
    const { dev, ino } = fs.statSync(directory)
    const hash = createHash("sha256").update(`${os.hostname()} ${dev} ${ino}`).digest("hex").slice(0, 16)
    return listenIn(path.join(os.tmpdir(), `balsa-lock-${hash}`))
  }
}

const noSockets: ReadonlyArray<string> = ["EOPNOTSUPP", "ENOTSUP", "EPERM", "EINVAL", "ENOSYS", "ENAMETOOLONG"]

const listenIn = async (folder: string): Promise<Claim> => {
  makeFolder(folder)
  const handle = fs.openSync(folder, "r")
  const name = `${process.pid}-${randomBytes(6).toString("hex")}`
  const server = net.createServer((caller) => caller.on("error", ignore).destroy())
  const claim: Claim = { folder, name, server, handle }
  try {
    const address = path.join(addressOf(claim), name)
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen({ path: address, exclusive: true }, resolve)
    })
    server.on("error", ignore).unref()
    return claim
  } catch (error) {
    fs.closeSync(handle)
    throw error
  }
}

const makeFolder = (folder: string): void => {
  try {
    fs.mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error
  }
}

const ignore = (): void => {}

/** A socket's path is cut off silently after some 100 bytes, so long folders go by their handle. */
const maxAddressBytes = 100
const reservedForName = 32

const addressOf = ({ folder, handle }: Pick<Claim, "folder" | "handle">): string => {
  if (Buffer.byteLength(folder) + reservedForName <= maxAddressBytes) return folder
  const short = `/proc/self/fd/${handle}`
  if (fs.existsSync(short)) return short
  throw Object.assign(new Error(`the path ${folder} is too long for a socket`), { code: "ENAMETOOLONG" })
}

/** Only a refusal proves that nobody is there; a busy or foreign process is taken to be alive. */
const answers = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const call = net.connect({ path: address })
    call.once("connect", () => {
      call.destroy()
      resolve(true)
    })
    call.on("error", (error) => resolve(!nobody.includes(codeOf(error))))
  })

const nobody: ReadonlyArray<string> = ["ECONNREFUSED", "ENOENT", "ENOTSOCK"]

/** Closing the server removes its name; only then may the short address go. */
const withdraw = async ({ server, handle }: Claim): Promise<void> => {
  await new Promise<void>((resolve) => server.close(() => resolve()))
  fs.closeSync(handle)
}
