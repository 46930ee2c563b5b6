/**
 * etcd's gRPC, which its own clients speak and which is the fastest way into it: calls of many clients
 * side by side on few connections. As much of HTTP/2 (RFC 9113) as two unary calls need, over a bare
 * socket: node:http2 and what builds on it cost several times as much per call as etcd itself does.
 *
 * Answers' headers are not decoded: a call has succeeded if a message came before its end.
 */
import { connect } from "node:net"
import type { Dialect, Done, Request } from "./Dialect.ts"
import { bytesField, callHeaders, data, frame, framesIn, type Frame, Flag, Type } from "./Http2Frame.ts"

/** With 1 to 4 etcd is at its best on a machine of few processors; with more, a call takes it more CPU. */
const usualConnections = 2
/** What a side may send before the other says that there is room for more (RFC 9113, 6.9.2). */
const firstWindow = 65_535
const largestWindow = 2 ** 31 - 1
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

interface Call {
  readonly expected: Buffer
  readonly done: Done
  message: Buffer | undefined
}

export const GrpcDialect: Dialect = {
  request: (operation, { key, value, until = "", lastValue = value }) => {
    const name = bytesField(1, Buffer.from(key))
    switch (operation) {
      case "put":
        // The answer begins with its header, field 1.
        return { bytes: call("Put", [name, bytesField(2, value)]), expected: Buffer.of(0x0a) }
      case "get":
        return { bytes: call("Range", [name]), expected: bytesField(5, value) }
      case "serializable":
        return { bytes: call("Range", [name, Buffer.of(0x38, 1)]), expected: bytesField(5, value) }
      case "range":
        return {
          bytes: call("Range", [name, bytesField(2, Buffer.from(until))]),
          expected: bytesField(5, lastValue)
        }
    }
  },

  open: (port, ends) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true })
    const calls = new Map<number, Call>()
    let nextStream = 1
    let room = firstWindow
    let consumed = 0
    let unsent: Array<Buffer> = []
    const blocked: Array<{ readonly request: Request; readonly done: Done }> = []
    let received: Buffer = Buffer.alloc(0)
    let ended = false

    const lose = (reason: string): void => {
      if (ended) return
      ended = true
      socket.destroy()
      ends.onLost(reason)
      for (const { done } of [...calls.values(), ...blocked]) done(reason)
    }
    const flush = (): void => {
      const pieces = unsent
      unsent = []
      if (!ended) socket.write(Buffer.concat(pieces))
    }
    const say = (...pieces: ReadonlyArray<Buffer>): void => {
      if (unsent.length === 0) queueMicrotask(flush)
      unsent.push(...pieces)
    }
    const start = ({ bytes, expected }: Request, done: Done): void => {
      const stream = nextStream
      nextStream += 2
      const body = bytes.subarray(1)
      room -= body.length
      calls.set(stream, { expected, done, message: undefined })
      say(callHeaders(stream, bytes[0] === 1 ? "Put" : "Range", stream === 1, port), ...data(stream, body))
    }
    const startBlocked = (): void => {
      while (blocked.length > 0 && room >= blocked[0]!.request.bytes.length) {
        const { request, done } = blocked.shift()!
        start(request, done)
      }
    }
    const finish = (stream: number, problem?: string): void => {
      const asked = calls.get(stream)
      if (asked === undefined) return
      calls.delete(stream)
      const isRight = asked.message?.includes(asked.expected, 5) === true
      asked.done(problem ?? (isRight ? undefined : "the call failed, or its answer is wrong"))
    }
    const take = ({ type, flags, stream, payload }: Frame): void => {
      switch (type) {
        case Type.Data: {
          const asked = calls.get(stream)
          // Copied only if there is more than one piece; the others are compared while they are there.
          if (asked !== undefined) {
            asked.message = asked.message === undefined ? payload : Buffer.concat([asked.message, payload])
          }
          consumed += payload.length
          if (consumed > largestWindow / 4) {
            say(frame(Type.WindowUpdate, 0, 0, number(consumed)))
            consumed = 0
          }
          if (flags & Flag.EndStream) finish(stream)
          return
        }
        case Type.Headers:
          if (flags & Flag.EndStream) finish(stream)
          return
        case Type.ResetStream:
          return finish(stream, `reset with code ${payload.readUInt32BE(0)}`)
        case Type.Settings:
          if (!(flags & Flag.Ack)) say(frame(Type.Settings, Flag.Ack, 0))
          return
        case Type.Ping:
          if (!(flags & Flag.Ack)) say(frame(Type.Ping, Flag.Ack, 0, payload))
          return
        case Type.GoAway:
          return lose("sent away by the server")
        case Type.WindowUpdate:
          if (stream === 0) room += payload.readUInt32BE(0)
          return startBlocked()
      }
    }

    socket.on("connect", () => {
      // Setting 4: the window of every stream.
      const settings = Buffer.concat([Buffer.of(0, 4), number(largestWindow)])
      say(preface, frame(Type.Settings, 0, 0, settings))
      say(frame(Type.WindowUpdate, 0, 0, number(largestWindow - firstWindow)))
      ends.onOpen()
    })
    socket.on("error", (error) => lose((error as NodeJS.ErrnoException).code ?? error.message))
    socket.on("close", () => lose("closed by the server"))
    socket.on("data", (piece: Buffer) => {
      if (ended) return
      const { frames, rest } = framesIn(received.length === 0 ? piece : Buffer.concat([received, piece]))
      received = rest
      for (const one of frames) if (!ended) take(one)
    })

    return {
      send: (request, done) => {
        if (blocked.length === 0 && room >= request.bytes.length) start(request, done)
        else blocked.push({ request, done })
      },
      close: () => {
        ended = true
        socket.destroy()
      }
    }
  },

  speaks: () => true,
  connections: (clients, wanted = usualConnections) => Math.min(clients, wanted)
}

/** A byte that says which method, and the message with gRPC's five bytes before it. */
const call = (method: "Put" | "Range", fields: ReadonlyArray<Buffer>): Buffer => {
  const message = Buffer.concat(fields)
  return Buffer.concat([Buffer.of(method === "Put" ? 1 : 0, 0), number(message.length), message])
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
