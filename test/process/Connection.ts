/**
 * One connection through a proxy: the socket of the replica that dialled, one of our own to
 * the replica that it meant, and a pipe for each direction. What is on its way when the
 * passage closes stays in the pipe, in order, its end included: a peer whose network is gone
 * does not learn that the other side has died either.
 */
import { connect, type Socket } from "node:net"
import type { Passage } from "./Proxy.ts"

export interface ConnectionOptions {
  readonly near: Socket
  readonly target: number
  readonly passage: () => Passage
  readonly onEnd: () => void
}

export class Connection {
  private readonly options: ConnectionOptions
  private readonly near: Socket
  /** Dialled when the passage is open for the first time. */
  private far: Socket | undefined
  private pipes: ReadonlyArray<Pipe> = []
  private over = false

  constructor(options: ConnectionOptions) {
    this.options = options
    this.near = options.near
    this.near.on("error", () => {})
  }

  /** The passage is another one: whatever it lets through now goes on its way. */
  proceed(): void {
    if (this.over) return
    if (this.far === undefined && this.options.passage()._tag === "Open") this.dial()
    for (const pipe of this.pipes) pipe.pump()
  }

  tear(): void {
    for (const pipe of this.pipes) pipe.torn = true
  }

  reset(): void {
    this.end()
    for (const socket of [this.near, this.far]) socket?.resetAndDestroy()
  }

  /** Without a reset: Node spins at its own end, and does not come to it, while one is still under way. */
  drop(): void {
    this.end()
    for (const socket of [this.near, this.far]) socket?.destroy()
  }

  /** Breaks the far side only, and gives away the near one. */
  surrender(): Socket {
    this.end()
    this.far?.resetAndDestroy()
    this.near.removeAllListeners("data").removeAllListeners("end").removeAllListeners("close")
    return this.near
  }

  private dial(): void {
    const far = connect({ host: "127.0.0.1", port: this.options.target, noDelay: true })
    this.far = far
    const pipe = (from: Socket, to: Socket): Pipe =>
      new Pipe({ from, to, passage: this.options.passage, onEnd: (how) => this.close(to, how) })
    this.pipes = [pipe(this.near, far), pipe(far, this.near)]
    far.on("error", () => {})
  }

  /** One side is gone, and the news has arrived at the other. */
  private close(other: Socket, how: "Closed" | "Torn"): void {
    if (this.over) return
    if (how === "Torn") return this.reset()
    this.end()
    other.destroySoon()
    for (const socket of [this.near, this.far]) if (socket !== other) socket?.destroy()
  }

  private end(): void {
    this.over = true
    for (const pipe of this.pipes) pipe.stop()
    this.options.onEnd()
  }
}

interface PipeOptions {
  readonly from: Socket
  readonly to: Socket
  readonly passage: () => Passage
  readonly onEnd: (how: "Closed" | "Torn") => void
}

/** Beyond this, the sender has to wait, as it would for a slow network. */
const maxWaitingBytes = 1024 * 1024

class Pipe {
  /** The next bytes pass by half, and then the connection breaks. */
  torn = false
  private readonly options: PipeOptions
  /** What is under way, and when it arrives; the end of the connection is no bytes. */
  private readonly waiting: Array<{ readonly bytes: Buffer | undefined; readonly at: number }> = []
  private waitingBytes = 0
  private timer: NodeJS.Timeout | undefined
  private stopped = false

  constructor(options: PipeOptions) {
    this.options = options
    const { from, to } = options
    from.on("data", (bytes: Buffer) => this.take(bytes))
    from.on("close", () => this.take(undefined))
    to.on("drain", () => this.pump())
    from.resume()
  }

  pump(): void {
    clearTimeout(this.timer)
    const { from, to, passage, onEnd } = this.options
    if (passage()._tag !== "Open") return
    for (let next = this.waiting[0]; next !== undefined && !this.stopped; next = this.waiting[0]) {
      const early = next.at - performance.now()
      if (early > 0) {
        this.timer = setTimeout(() => this.pump(), Math.ceil(early))
        break
      }
      if (to.writableNeedDrain) break
      this.waiting.shift()
      if (next.bytes === undefined) return onEnd("Closed")
      this.waitingBytes -= next.bytes.length
      if (this.torn) return void to.write(next.bytes.subarray(0, next.bytes.length >> 1), () => onEnd("Torn"))
      to.write(next.bytes)
    }
    if (!this.stopped && this.waitingBytes < maxWaitingBytes) from.resume()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  private take(bytes: Buffer | undefined): void {
    if (this.stopped) return
    const { from, passage } = this.options
    const now = passage()
    this.waiting.push({ bytes, at: performance.now() + (now._tag === "Open" ? now.delayMillis : 0) })
    this.waitingBytes += bytes?.length ?? 0
    if (this.waitingBytes >= maxWaitingBytes) from.pause()
    this.pump()
  }
}
