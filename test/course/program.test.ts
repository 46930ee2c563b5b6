/** The program as a process, with a socket as its network. */
import { type ChildProcess, spawn } from "node:child_process"
import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { afterEach, describe, expect, test } from "vitest"
import * as Arguments from "../../src/course/Arguments.ts"

const program = fileURLToPath(new URL("../../src/course/main.ts", import.meta.url))
const started: Array<ChildProcess> = []
const sockets: Array<Socket> = []

afterEach(() => {
  for (const one of started.splice(0)) one.kill("SIGKILL")
  for (const one of sockets.splice(0)) one.close()
})

const network = async (): Promise<Socket> => {
  const socket = createSocket("udp4")
  sockets.push(socket)
  const listening = once(socket, "listening")
  socket.bind(0, "127.0.0.1")
  await listening
  return socket
}

const start = (...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] })
  started.push(child)
  const said = { out: "", err: "" }
  child.stdout.on("data", (bytes: Buffer) => (said.out += bytes.toString()))
  child.stderr.on("data", (bytes: Buffer) => (said.err += bytes.toString()))
  return { child, said, ended: once(child, "close") as Promise<[number | null, string | null]> }
}

describe("3700kvstore", () => {
  test("says hello first, answers, is silent and ends when it is told to", async () => {
    const socket = await network()
    const first = once(socket, "message") as Promise<[Buffer, { readonly port: number }]>
    const { child, said, ended } = start(String(socket.address().port), "0000", "0001", "0002")
    const [hello, { port }] = await first
    expect(JSON.parse(hello.toString())).toEqual({ src: "0000", dst: "FFFF", leader: "FFFF", type: "hello" })
    const answer = once(socket, "message") as Promise<[Buffer]>
    socket.send("nonsense", port, "127.0.0.1")
    socket.send(JSON.stringify({ src: "0010", dst: "0000", leader: "FFFF", type: "put", MID: "m" }), port, "127.0.0.1")
    const [failed] = await answer
    expect(JSON.parse(failed.toString())).toEqual({
      src: "0000",
      dst: "0010",
      leader: "FFFF",
      type: "fail",
      MID: "m"
    })
    child.kill("SIGTERM")
    expect(await ended).toEqual([0, null])
    expect(said).toEqual({ out: "", err: "" })
  }, 20_000)

  test("says how it is to be used", async () => {
    const { said, ended } = start("0", "0000")
    expect(await ended).toEqual([2, null])
    expect(said.out).toBe("")
    expect(said.err).toContain(Arguments.usage)
  }, 20_000)
})

describe("its arguments", () => {
  test.each([
    [],
    ["7"],
    ["70000", "0000"],
    ["7", "xyz"],
    ["7", "0000", "00001"],
    ["7", "0000", "0000"],
    ["7", "0000", "0001", "0001"]
  ])("%j are refused", (...args) => {
    expect(Arguments.parse(args)._tag).toBe("Misused")
  })

  test("are a port, an id and those of peers", () => {
    expect(Arguments.parse(["7", "00AF", "0001"])).toEqual({
      _tag: "Parsed",
      options: { port: 7, id: "00AF", peers: ["0001"] }
    })
  })
})
