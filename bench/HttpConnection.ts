/**
 * One keep-alive connection of HTTP/1.1 with one request under way at a time. Bare, because
 * the load generator shares its processors with what it measures: node:http would cost it several
 * times as much per request. It understands answers with a content-length, and those in chunks that hold JSON.
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
    const body = bodyOf(received, bodyAt)
    if (body === undefined) return
    if (body instanceof Error) return lose(body.message)
    const status = Number(received.slice(9, 12))
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

/** `undefined` while not all of it is there. */
const bodyOf = (received: string, at: number): string | undefined | Error => {
  const head = received.slice(0, at)
  if (/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) {
    // No JSON holds such a line.
    return received.endsWith("\r\n0\r\n\r\n") ? joined(received, at) : undefined
  }
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1]
  if (length === undefined) return new Error("an answer without content-length")
  const missing = at + Number(length) - received.length
  if (missing < 0) return new Error("more than one answer")
  return missing > 0 ? undefined : received.slice(at)
}

/** All chunks (RFC 9112, 7.1). */
const joined = (received: string, bodyAt: number): string | Error => {
  const pieces: Array<string> = []
  for (let at = bodyAt; ; ) {
    const lineEnd = received.indexOf("\r\n", at)
    const length = Number.parseInt(received.slice(at, lineEnd), 16)
    if (!(length >= 0)) return new Error("a chunk without length")
    if (length === 0) return pieces.join("")
    pieces.push(received.slice(lineEnd + 2, lineEnd + 2 + length))
    at = lineEnd + 2 + length + 2
  }
}

/** A whole request, as it goes over the wire. */
export const post = (path: string, body: object): Buffer => {
  const text = JSON.stringify(body)
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  )
}
