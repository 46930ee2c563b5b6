/**
 * What one replica reaches of one other: a TCP proxy on a port of its own. It carries
 * everything, slowly if told to, or nothing. Nothing, in three ways: what is under way waits
 * (as if the network lost it, until TCP sends it again), connections are refused, or
 * connections are accepted and nobody ever reads them.
 */
import { once } from "node:events"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { Connection } from "./Connection.ts"

export type Passage =
  | { readonly _tag: "Open"; readonly delayMillis: number }
  /** Bytes and new connections wait; when it opens again they go on where they stopped. */
  | { readonly _tag: "Held" }
  /** Connections are broken, new ones at once. */
  | { readonly _tag: "Refused" }
  /** The side that dialled keeps its connection for ever; whom it dialled knows nothing of it. */
  | { readonly _tag: "HalfOpen" }

export const open: Passage = { _tag: "Open", delayMillis: 0 }

export class Proxy {
  passage: Passage = open
  private readonly server: Server
  private readonly target: number
  private readonly connections = new Set<Connection>()
  /** Accepted, and never to be read. */
  private readonly abandoned = new Set<Socket>()

  private constructor(server: Server, target: number) {
    this.server = server
    this.target = target
    server.on("connection", (socket) => this.accept(socket))
  }

  static async listen(target: number): Promise<Proxy> {
    const server = createServer({ pauseOnConnect: true, noDelay: true }).listen(0, "127.0.0.1")
    await once(server, "listening")
    return new Proxy(server, target)
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  set(passage: Passage): void {
    this.passage = passage
    // Those that it ends leave the set meanwhile, which a set permits.
    for (const connection of this.connections) {
      switch (passage._tag) {
        case "Open":
        case "Held":
          connection.proceed()
          break
        case "Refused":
          connection.reset()
          break
        case "HalfOpen":
          this.abandon(connection.surrender())
          break
      }
    }
  }

  /** Breaks every connection in the middle of what it carries next. */
  tear(): void {
    for (const connection of this.connections) connection.tear()
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.drop()
    for (const socket of this.abandoned) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private accept(socket: Socket): void {
    switch (this.passage._tag) {
      case "Refused":
        socket.on("error", () => {})
        socket.resetAndDestroy()
        return
      case "HalfOpen":
        this.abandon(socket)
        return
      case "Open":
      case "Held": {
        const connection: Connection = new Connection({
          near: socket,
          target: this.target,
          passage: () => this.passage,
          onEnd: () => this.connections.delete(connection)
        })
        this.connections.add(connection)
        connection.proceed()
      }
    }
  }

  private abandon(socket: Socket): void {
    socket.pause()
    this.abandoned.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => this.abandoned.delete(socket))
  }
}
