/** The proxy must do to a connection what it says, or the nemesis torments nobody. */
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { sleep } from "./Clients.ts"
import { open, Proxy } from "./Proxy.ts"
import { eventually } from "./RealCluster.ts"

let target: Server
let proxy: Proxy
/** All that has arrived at the target, over all connections, and how many are open there. */
let arrived: string
let there: Set<Socket>
const sockets: Array<Socket> = []

beforeEach(async () => {
  arrived = ""
  // A set of its own: sockets of the test before may still be closing.
  const mine = new Set<Socket>()
  there = mine
  target = createServer((socket) => {
    mine.add(socket)
    socket.on("data", (bytes) => {
      arrived += String(bytes)
      socket.write(`(${String(bytes)})`)
    })
    socket.on("error", () => {})
    socket.on("close", () => mine.delete(socket))
    sockets.push(socket)
  }).listen(0, "127.0.0.1")
  await once(target, "listening")
  proxy = await Proxy.listen((target.address() as AddressInfo).port)
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await proxy.close()
  await new Promise((resolve) => target.close(resolve))
})

interface Dialled {
  readonly socket: Socket
  readonly heard: () => string
  readonly ended: () => boolean
}

const dial = (): Dialled => {
  const socket = connect(proxy.port, "127.0.0.1")
  let heard = ""
  let ended = false
  socket.on("data", (bytes) => (heard += String(bytes)))
  socket.on("error", () => {})
  socket.on("close", () => (ended = true))
  sockets.push(socket)
  return { socket, heard: () => heard, ended: () => ended }
}

const assertSoon = (what: string, holds: () => boolean): Promise<true> =>
  eventually(what, async () => (holds() ? true : undefined), 10_000)

describe("a proxy", () => {
  it("carries bytes both ways, and the end of a connection", async () => {
    const { socket, heard } = dial()
    socket.write("a")
    await assertSoon("an answer", () => heard() === "(a)")
    socket.destroy()
    await assertSoon("the end", () => there.size === 0)
  })

  it("delays, and keeps the order when the delay shrinks", async () => {
    const { socket } = dial()
    proxy.set({ _tag: "Open", delayMillis: 300 })
    const began = performance.now()
    socket.write("a")
    await sleep(50)
    proxy.set(open)
    socket.write("b")
    await assertSoon("both", () => arrived === "ab")
    assert.isAtLeast(performance.now() - began, 250)
  })

  it("holds what is under way and new connections, and then goes on", async () => {
    const { socket, heard } = dial()
    socket.write("a")
    await assertSoon("an answer", () => heard() === "(a)")
    proxy.set({ _tag: "Held" })
    socket.write("b")
    const late = dial()
    late.socket.write("c")
    await sleep(100)
    assert.strictEqual(arrived, "a")
    assert.isFalse(late.ended())
    proxy.set(open)
    await assertSoon("the rest", () => heard() === "(a)(b)" && late.heard() === "(c)")
  })

  it("breaks connections, and refuses new ones", async () => {
    const { socket, heard, ended } = dial()
    socket.write("a")
    await assertSoon("an answer", () => heard() === "(a)")
    proxy.set({ _tag: "Refused" })
    await assertSoon("the end, at both ends", () => ended() && there.size === 0)
    const late = dial()
    await assertSoon("a refusal", late.ended)
    proxy.set(open)
    dial().socket.write("b")
    await assertSoon("a new connection", () => arrived === "ab")
  })

  it("leaves a connection half open, for ever", async () => {
    const { socket, heard, ended } = dial()
    socket.write("a")
    await assertSoon("an answer", () => heard() === "(a)")
    proxy.set({ _tag: "HalfOpen" })
    const late = dial()
    await assertSoon("the far end's end", () => there.size === 0)
    proxy.set(open)
    socket.write("b")
    late.socket.write("c")
    dial().socket.write("d")
    await assertSoon("a new connection", () => arrived === "ad")
    assert.isFalse(ended() || late.ended())
  })

  it("tears a connection in the middle of what it carries", async () => {
    const { socket, heard, ended } = dial()
    socket.write("a")
    await assertSoon("an answer", () => heard() === "(a)")
    proxy.tear()
    socket.write("123456")
    await assertSoon("the end, at both ends", () => ended() && there.size === 0)
    assert.strictEqual(arrived, "a123")
  })
})
