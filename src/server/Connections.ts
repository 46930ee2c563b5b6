/**
 * How many clients may be connected. Each takes an open file, and so do the log, snapshots and peers: what a process may open is
 * shared so that clients, however many, cannot take what the replica needs to go on.
 */
import { readFileSync } from "node:fs"
import type { Socket } from "node:net"
import * as FirstBytes from "./FirstBytes.ts"
import * as GatewayError from "./GatewayError.ts"

/** Ten thousand clients, and whoever has to look after the replica meanwhile. */
export const defaultMost = 10_240
/** For log, snapshots, peers, and what Node itself has open. */
export const reservedFiles = 128
/** Connections that are being told that they are too many; whoever comes beyond is closed without a word. */
export const turningAway = 64
/** However little may be opened: a replica that nobody can ask is of no use. */
const least = 8
/** So long is waited for what tells how to say it, and for the client to go. */
const turnAwayMillis = 2_000

export const most = (wanted: number, openFiles: number | undefined): number =>
  openFiles === undefined ? wanted : Math.min(wanted, Math.max(least, openFiles - reservedFiles - turningAway))

/** How many files this process may have open; `undefined` where nobody knows, or there is no limit. */
export const openFilesAllowed = (): number | undefined => {
  try {
    return limitIn(readFileSync("/proc/self/limits", "latin1"))
  } catch {
    // No Linux. A report takes longer, and must not ask for the names of all peers.
    const report = process.report as typeof process.report & { excludeNetwork?: boolean }
    report.excludeNetwork = true
    const { userLimits } = report.getReport() as unknown as {
      readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } }
    }
    const soft = Number(userLimits?.open_files?.soft)
    return Number.isFinite(soft) ? soft : undefined
  }
}

/** In the words of Linux. */
export const limitIn = (limits: string): number | undefined => {
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1]
  return soft === undefined ? undefined : Number(soft)
}

export interface Full {
  /** When the first one is turned away, and not again until there was room for a while. */
  readonly onFull: (most: number) => void
  readonly onRoom: (turnedAway: number) => void
}

/** There is room for a while when so much of what may be is not used. */
const roomShare = 0.1

export class Connections {
  readonly most: number
  private readonly full: Full
  private open = 0
  /** Since the last time that there was room. */
  private turnedAway = 0

  constructor(most: number, full: Full) {
    this.most = most
    this.full = full
  }

  /** False for one too many, which is told so and needs nothing more. */
  admit(socket: Socket): boolean {
    if (this.open >= this.most) {
      if (this.turnedAway++ === 0) this.full.onFull(this.most)
      turnAway(socket, this.most)
      return false
    }
    this.open++
    socket.once("close", () => this.leave())
    return true
  }

  private leave(): void {
    this.open--
    if (this.turnedAway === 0 || this.open > this.most * (1 - roomShare)) return
    this.full.onRoom(this.turnedAway)
    this.turnedAway = 0
  }
}

/** Redis' words; and for HTTP an answer that sends clients to another replica. */
const turnAway = (socket: Socket, most: number): void => {
  const answer = (text: string): void => {
    socket.on("error", () => socket.destroy())
    socket.on("data", () => undefined)
    socket.setTimeout(turnAwayMillis, () => socket.destroy())
    socket.end(text, () => socket.destroySoon())
  }
  FirstBytes.sort(
    socket,
    turnAwayMillis,
    () => answer(httpAnswer(most)),
    () => answer("-ERR max number of clients reached\r\n")
  )
}

const httpAnswer = (most: number): string => {
  const { status, ...error } = GatewayError.make(
    503,
    14,
    "balsa: too many connections",
    `this replica has the ${most} connections that it takes; another replica may have room, or close some`
  )
  const body = GatewayError.toJson({ ...error, status })
  return `HTTP/1.1 ${status} Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
}
