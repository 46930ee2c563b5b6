/**
 * One keep-alive connection of HTTP/1.1 with one request under way at a time. Bare, because
 * the load generator shares its processors with what it measures: node:http would cost it several
 * times as much per request. It understands answers with a content-length only, and says so.
 */
import { connect } from "node:net"

export interface Listener {
  readonly onOpen: () => void
  readonly onAnswer: (status: number, body: string) => void
  /** The connection is of no use any more. Called once at most, and not after `close`. */
  readonly onLost: (reason: string) => void
}

export interface Connection {
  readonly send: (request: Buffer) => void
  readonly close: () => void
}

export const open = (port: number, listener: Listener): Connection => {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true })
  let received = ""
  let ended = false

  const lose = (reason: string): void => {
    if (ended) return
    ended = true
    socket.destroy()
    listener.onLost(reason)
  }

  socket.on("connect", listener.onOpen)
  socket.on("error", (error) => lose((error as NodeJS.ErrnoException).code ?? error.message))
  socket.on("close", () => lose("closed by the server"))
  socket.on("data", (piece: Buffer) => {
    if (ended) return
    received += piece.toString("latin1")
    const bodyAt = received.indexOf("\r\n\r\n") + 4
    if (bodyAt < 4) return
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(received.slice(0, bodyAt))?.[1]
    if (length === undefined) return lose("an answer without content-length")
    const missing = bodyAt + Number(length) - received.length
    if (missing > 0) return
    if (missing < 0) return lose("more than one answer")
    const status = Number(received.slice(9, 12))
    const body = received.slice(bodyAt)
    received = ""
    listener.onAnswer(status, body)
  })

  return {
    send: (request) => socket.write(request),
    close: () => {
      ended = true
      socket.destroy()
    }
  }
}

/** A whole request, as it goes over the wire. */
export const post = (path: string, body: object): Buffer => {
  const text = JSON.stringify(body)
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  )
}
