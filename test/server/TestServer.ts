/** The gateway over a fake replica on a free port, with real HTTP, for as long as one test lasts. */
import { Effect, Exit, Layer, Scope } from "effect"
import { HttpServer } from "effect/http/HttpServer"
import { connect, type Socket } from "node:net"
import { onTestFinished } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as ClientListener from "../../src/server/ClientListener.ts"
import * as Gateway from "../../src/server/Gateway.ts"
import type { Member } from "../../src/server/Status.ts"
import * as FakeReplica from "./FakeReplica.ts"

export interface TestServer {
  readonly replica: FakeReplica.FakeReplica
  readonly port: number
  readonly url: string
  /** Sends text, or JSON made of anything else. */
  readonly post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Answer>
  readonly get: (path: string) => Promise<Answer>
  readonly dial: () => Promise<RawConnection>
  /** Ends when the server has stopped; once. */
  readonly stop: () => Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A connection for what no HTTP client would send. */
export interface RawConnection {
  readonly socket: Socket
  readonly send: (text: string) => void
  /** All that came until the server closed the connection. */
  readonly received: Promise<string>
  /** The first piece that comes. */
  readonly firstPiece: Promise<string>
}

export const start = async (
  options: Partial<Gateway.GatewayOptions> & Partial<ClientListener.ListenOptions> = {}
): Promise<TestServer> => {
  const replica = FakeReplica.make()
  const gateway = Gateway.layer({
    replica,
    store: replica.store,
    hub: replica.hub,
    cluster: "test",
    members: () => [memberA],
    founding: { voters: [ReplicaId("A")], recovery: undefined },
    probe: () => Effect.succeed(undefined),
    ...options
  })
  const listener = ClientListener.layer({ host: "127.0.0.1", port: 0, ...options })
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(Layer.buildWithScope(Layer.provideMerge(gateway, listener), scope))
  const stop = () => Effect.runPromise(Scope.close(scope, Exit.void))
  onTestFinished(stop)
  const { port } = await Effect.runPromise(
    Effect.provideContext(
      HttpServer.use(({ address }) => Effect.succeed(address as { readonly port: number })),
      context
    )
  )
  const url = `http://127.0.0.1:${port}`
  return {
    replica,
    port,
    url,
    stop,
    post: (path, body, headers = {}) =>
      ask(url + path, { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) }),
    get: (path) => ask(url + path, {}),
    dial: () => dial(port)
  }
}

const memberA: Member = {
  name: ReplicaId("A"),
  peerUrls: ["http://127.0.0.1:7501"],
  clientUrls: ["http://127.0.0.1:7401"]
}

export const ask = async (url: string, init: RequestInit): Promise<Answer> => {
  const response = await fetch(url, init)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

export const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64")

const dial = (port: number): Promise<RawConnection> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true })
    let text = ""
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1")
    })
    socket.on("end", () => socket.end())
    const received = new Promise<string>((done) => socket.once("close", () => done(text)))
    const firstPiece = new Promise<string>((done) =>
      socket.once("data", (chunk: Buffer) => done(chunk.toString("latin1")))
    )
    socket.once("error", reject)
    socket.once("connect", () => {
      // Being cut off is what these tests are about.
      socket.on("error", () => {})
      resolve({ socket, received, firstPiece, send: (sent) => socket.write(sent) })
    })
    onTestFinished(() => {
      socket.destroy()
    })
  })
