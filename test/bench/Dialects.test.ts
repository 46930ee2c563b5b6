/** Each dialect against a server that is not ours, or that answers as the test wants: an answer that is wrong must not count. */
import { once } from "node:events"
import { createServer as createHttpServer } from "node:http"
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2"
import { type AddressInfo, createServer } from "node:net"
import { afterEach, expect, it } from "vitest"
import type { Dialect, Line } from "../../bench/Dialect.ts"
import { GrpcDialect } from "../../bench/GrpcDialect.ts"
import { bytesField } from "../../bench/Http2Frame.ts"
import { HttpDialect } from "../../bench/HttpDialect.ts"
import { BalsaDialect, RespDialect } from "../../bench/RespDialect.ts"

const cleaning: Array<() => void> = []
afterEach(() => {
  for (const clean of cleaning.splice(0)) clean()
})

const listening = async (server: ReturnType<typeof createServer>): Promise<number> => {
  server.listen(0, "127.0.0.1")
  cleaning.push(() => server.close())
  await once(server, "listening")
  return (server.address() as AddressInfo).port
}

const opened = (dialect: Dialect, port: number): Promise<Line> =>
  new Promise((resolve, reject) => {
    const line = dialect.open(port, { onOpen: () => queueMicrotask(() => resolve(line)), onLost: reject })
    cleaning.push(() => line.close())
  })

const ask = (line: Line, request: ReturnType<Dialect["request"]>): Promise<string | undefined> =>
  new Promise((resolve) => line.send(request, resolve))

const pair = { key: "k", value: Buffer.from("value\r\n!") }
const right = "$8\r\nvalue\r\n!\r\n"

it("takes answers of Redis' protocol in order, in whatever pieces, and tells the wrong ones", async () => {
  const asked: Array<string> = []
  const answers = ["+OK\r\n", right, "-ERR no\r\n", "$-1\r\n", "$8\r\nvalue\r\n?\r\n", "+OK\r\n", right].join("")
  const port = await listening(
    createServer((socket) => {
      socket.on("data", (piece) => {
        asked.push(piece.toString())
        for (const byte of answers) socket.write(byte)
      })
    })
  )
  const line = await opened(RespDialect, port)
  const put = RespDialect.request("put", pair)
  const get = RespDialect.request("get", pair)
  const problems = await Promise.all([put, get, put, get, get, put, get].map((request) => ask(line, request)))
  expect(problems.map((problem) => problem ?? "right")).toEqual([
    "right",
    "right",
    "wrong answer: -ERR no",
    "wrong answer: $-1",
    "wrong answer: $8\r\nvalue\r\n?",
    "right",
    "right"
  ])
  expect(
    asked.join("").startsWith("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8\r\nvalue\r\n!\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
  ).toBe(true)
})

it("asks for stale answers once on a connection, and takes none where that is refused", async () => {
  const asked: Array<string> = []
  const answersOf = async (answers: string, count: number): Promise<ReadonlyArray<string>> => {
    const port = await listening(
      createServer((socket) => {
        socket.on("data", (piece) => asked.push(piece.toString()))
        socket.once("data", () => socket.write(answers))
      })
    )
    const line = await new Promise<Line>((resolve) => {
      const opening = BalsaDialect.open(port, { onOpen: () => resolve(opening), onLost: () => undefined })
      cleaning.push(() => opening.close())
    })
    const get = BalsaDialect.request("serializable", pair)
    const problems = await Promise.all(Array.from({ length: count }, () => ask(line, get)))
    return problems.map((problem) => problem ?? "right")
  }
  expect(await answersOf(`+OK\r\n${right}${right}`, 2)).toEqual(["right", "right"])
  const get = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
  expect(asked.join("")).toBe(`*1\r\n$8\r\nREADONLY\r\n${get}${get}`)
  const refused = "wrong answer: -ERR no"
  expect(await answersOf(`-ERR no\r\n${right}${right}`, 2)).toEqual([refused, refused])
  expect(BalsaDialect.request("get", pair)).toEqual(RespDialect.request("get", pair))
})

it("tells that the connection is lost, and then all that was under way", async () => {
  const port = await listening(createServer((socket) => socket.on("data", () => socket.end("+OK\r\n"))))
  const told: Array<string> = []
  await new Promise<void>((resolve) => {
    const tell = (what: string): void => {
      if (told.push(what) === 4) resolve()
    }
    const put = RespDialect.request("put", pair)
    const line = RespDialect.open(port, {
      onOpen: () => {
        for (let time = 0; time < 3; time++) line.send(put, (problem) => tell(problem ?? "right"))
      },
      onLost: (reason) => tell(`lost: ${reason}`)
    })
  })
  expect(told).toEqual(["right", "lost: closed by the server", "closed by the server", "closed by the server"])
})

it("takes from the gateway the very value, and status 200 only", async () => {
  const answer = (status: number, value: Buffer) => ({
    status,
    body: JSON.stringify({ kvs: [{ value: value.toString("base64") }] })
  })
  const answers = [answer(200, pair.value), answer(200, Buffer.from("other")), answer(503, pair.value)]
  const port = await listening(
    createHttpServer((_, response) => {
      const { status, body } = answers.shift()!
      response.writeHead(status, { "content-length": body.length }).end(body)
    })
  )
  const line = await opened(HttpDialect, port)
  const get = HttpDialect.request("serializable", pair)
  expect(await ask(line, get)).toBe(undefined)
  expect(await ask(line, get)).toContain("status 200: ")
  expect(await ask(line, get)).toContain("status 503: ")
})

/** Node's own HTTP/2 reads what we write: framing, compressed headers, windows. */
const grpcServer = async (answer: (path: string, message: Buffer, stream: ServerHttp2Stream) => void) => {
  const server = createHttp2Server()
  server.on("stream", (stream, headers) => {
    const pieces: Array<Buffer> = []
    stream.on("error", () => undefined)
    stream.on("data", (piece: Buffer) => pieces.push(piece))
    stream.on("end", () => {
      expect(headers).toMatchObject({ ":method": "POST", "content-type": "application/grpc", te: "trailers" })
      answer(String(headers[":path"]), Buffer.concat(pieces), stream)
    })
  })
  server.on("session", (session) => cleaning.push(() => session.destroy()))
  return listening(server)
}

const message = (body: Buffer): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}

const succeed = (stream: ServerHttp2Stream, body: Buffer): void => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }))
  stream.end(message(body))
}

it("makes calls that HTTP/2 understands, more at once than fit in its windows", async () => {
  const large = { key: "key", value: Buffer.alloc(30_000, "x") }
  const asked: Array<string> = []
  const port = await grpcServer((path, body, stream) => {
    asked.push(`${path} ${body.length}`)
    succeed(
      stream,
      path.endsWith("Put") ? Buffer.of(0x0a, 0) : Buffer.concat([Buffer.of(0x0a, 0), bytesField(5, large.value)])
    )
  })
  const line = await opened(GrpcDialect, port)
  const [put, get, stale] = (["put", "get", "serializable"] as const).map((one) => GrpcDialect.request(one, large))
  const calls = Array.from({ length: 20 }, () => [ask(line, put!), ask(line, get!), ask(line, stale!)]).flat()
  expect(await Promise.all(calls)).toEqual(calls.map(() => undefined))
  expect(new Set(asked)).toEqual(
    new Set(["/etcdserverpb.KV/Put 30014", "/etcdserverpb.KV/Range 10", "/etcdserverpb.KV/Range 12"])
  )
})

it("takes a call without a message, with another value, or reset, for what it is", async () => {
  const answers = [
    (stream: ServerHttp2Stream) => succeed(stream, bytesField(5, Buffer.from("other"))),
    (stream: ServerHttp2Stream) => stream.respond({ ":status": 200, "grpc-status": "14" }, { endStream: true }),
    (stream: ServerHttp2Stream) => stream.close(2),
    (stream: ServerHttp2Stream) => succeed(stream, bytesField(5, pair.value))
  ]
  const port = await grpcServer((_, __, stream) => answers.shift()!(stream))
  const line = await opened(GrpcDialect, port)
  const get = GrpcDialect.request("get", pair)
  const failed = "the call failed, or its answer is wrong"
  expect(await ask(line, get)).toBe(failed)
  expect(await ask(line, get)).toBe(failed)
  expect(await ask(line, get)).toBe("reset with code 2")
  expect(await ask(line, get)).toBe(undefined)
})
