/** Redis' protocol: a connection for each client, its requests in one write, its answers in order. */
import { connect } from "node:net"
import type { Dialect, Done, Request } from "./Dialect.ts"

const right = Buffer.from("+OK\r\n")

export const RespDialect: Dialect = {
  request: (operation, { key, value }) =>
    operation === "put"
      ? { bytes: command("SET", key, value), expected: right }
      : { bytes: command("GET", key), expected: bulk(value) },

  open: (port, ends) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true })
    const underWay: Array<{ readonly expected: Buffer; readonly done: Done }> = []
    let answered = 0
    let unsent: Array<Buffer> = []
    let received: Buffer = Buffer.alloc(0)
    let ended = false
    let isPrepared = false

    const lose = (reason: string): void => {
      if (ended) return
      ended = true
      socket.destroy()
      ends.onLost(reason)
      for (const { done } of underWay.splice(0).slice(answered)) done(reason)
    }
    const flush = (): void => {
      const pieces = unsent
      unsent = []
      if (!ended) socket.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))
    }
    const add = ({ bytes, expected }: Request, done: Done): void => {
      underWay.push({ expected, done })
      if (unsent.push(bytes) === 1) queueMicrotask(flush)
    }

    socket.on("connect", ends.onOpen)
    socket.on("error", (error) => lose((error as NodeJS.ErrnoException).code ?? error.message))
    socket.on("close", () => lose("closed by the server"))
    socket.on("data", (piece: Buffer) => {
      if (ended) return
      received = received.length === 0 ? piece : Buffer.concat([received, piece])
      let at = 0
      while (at < received.length) {
        const asked = underWay[answered]
        if (asked === undefined) return lose("an answer that nobody asked for")
        const { expected, done } = asked
        const rightEnd = at + expected.length
        const isRight =
          rightEnd <= received.length && received.compare(expected, 0, expected.length, at, rightEnd) === 0
        const end = isRight ? rightEnd : endOf(received, at)
        if (end === undefined) break
        const problem = isRight ? undefined : `wrong answer: ${received.toString("latin1", at, Math.min(end, at + 80))}`
        at = end
        if (++answered === underWay.length) {
          underWay.length = 0
          answered = 0
        }
        done(problem?.trim())
      }
      received = received.subarray(at)
    })

    return {
      send: (request, done) => {
        const { prelude } = request
        if (prelude !== undefined && !isPrepared) {
          isPrepared = true
          add(prelude, (problem) => problem !== undefined && lose(problem))
        }
        add(request, done)
      },
      close: () => {
        ended = true
        socket.destroy()
      }
    }
  },

  // There is no command for a get that is not linearizable, but in Balsa, and none for keys from one to another.
  speaks: ({ kind }) => kind !== "serializable" && kind !== "range",
  connections: (clients, wanted = clients) => Math.min(clients, wanted)
}

/** Balsa takes READONLY for gets that need not be linearizable; Redis alone, and the bare loop, refuse it. */
export const BalsaDialect: Dialect = {
  ...RespDialect,
  request: (operation, pair) => ({
    ...RespDialect.request(operation, pair),
    ...(operation === "serializable" ? { prelude: { bytes: command("READONLY"), expected: right } } : {})
  }),
  speaks: (workload) => workload.kind === "serializable" || RespDialect.speaks(workload)
}

export const bulk = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")])

export const command = (...words: ReadonlyArray<string | Buffer>): Buffer =>
  Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.map((word) => bulk(typeof word === "string" ? Buffer.from(word) : word))
  ])

/** Where the answer at `at` ends: a line, and the bytes that it announces; undefined if not all of it is there. */
const endOf = (received: Buffer, at: number): number | undefined => {
  const line = received.indexOf("\r\n", at)
  if (line < 0) return undefined
  if (received[at] !== 0x24) return line + 2
  const length = Number(received.toString("latin1", at + 1, line))
  const end = length < 0 ? line + 2 : line + 2 + length + 2
  return end <= received.length ? end : undefined
}
