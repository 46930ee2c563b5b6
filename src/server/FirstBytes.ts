/**
 * One port for two protocols: what a client says first tells whether it speaks HTTP or Redis' protocol. Requests of the latter
 * begin with an asterisk, or are a line of words; those of the former begin with a method and what is meant by it.
 */
import type { Socket } from "node:net"

/** A method, and after it a path, an asterisk or a whole address. */
const opening = /^[A-Z-]{1,24} (?:\/|\*|http)/
const beginning = /^[A-Z-]{1,24}(?: (?:h|ht|htt)?)?$/
const longest = 32

/** `undefined` while it may still be either. What is neither is HTTP's to refuse. */
export const protocolOf = (start: string): "http" | "redis" | undefined => {
  if (start === "") return undefined
  if (start.startsWith("*")) return "redis"
  if (opening.test(start)) return "http"
  if (beginning.test(start)) return undefined
  return /^[A-Za-z]/.test(start) ? "redis" : "http"
}

/** Hands the socket over once it has said enough, as if nothing had been read from it. One that says nothing is cut off. */
export const sort = (
  socket: Socket,
  timeoutMillis: number,
  toHttp: (socket: Socket) => void,
  toRedis: (socket: Socket) => void
): void => {
  let held: Buffer = Buffer.alloc(0)
  const onData = (chunk: Buffer): void => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    const protocol = protocolOf(held.toString("latin1", 0, longest))
    if (protocol === undefined) return
    letGo()
    socket.pause()
    socket.unshift(held)
    if (protocol === "http") toHttp(socket)
    else toRedis(socket)
    socket.resume()
  }
  const onGone = (): void => {
    letGo()
    socket.destroy()
  }
  const onLate = (): void => {
    letGo()
    socket.end("HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n")
  }
  const letGo = (): void => {
    socket.off("data", onData)
    socket.off("error", onGone)
    socket.off("end", onGone)
    socket.off("timeout", onLate)
    socket.setTimeout(0)
  }
  socket.setTimeout(timeoutMillis)
  socket.on("data", onData)
  socket.on("error", onGone)
  socket.on("end", onGone)
  socket.on("timeout", onLate)
}
