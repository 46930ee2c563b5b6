/** The backup route: what etcd's gateway would stream, of one moment that is as new as a read, and nobody waits for it. */
import { unstamped } from "../../src/raft/Machine.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import { Effect } from "effect"
import { describe, expect, onTestFinished, test } from "vitest"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import { ClusterTime, Index, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Image } from "../../src/raft/Snapshot.ts"
import { Unavailable } from "../../src/runtime/RequestError.ts"
import { blobBytes, maxAtOnce, stallMillis } from "../../src/server/SnapshotRoute.ts"
import * as TestServer from "./TestServer.ts"

const route = "/v3/maintenance/snapshot"

const stateOf = (count: number, valueBytes: number): KvState => {
  let state = KvMachine.initial
  for (let n = 0; n < count; n++) {
    const key = `k${String(n).padStart(8, "0")}`
    const value = new Uint8Array(valueBytes).fill(n & 255)
    state = KvMachine.apply(state, { _tag: "Put", key, value, prevKv: false }, unstamped)[0]
  }
  return state
}

const imageOf = (value: KvState): Image<KvState> => ({
  last: { index: Index(22), term: Term(2) },
  configuration: Configurations.of([ReplicaId("A")]),
  applied: new Map(),
  hash: 7,
  epoch: 3,
  time: ClusterTime(0),
  version: 1,
  ceiling: undefined,
  value
})

const encoded = (image: Image<KvState>): Buffer => Buffer.concat([...SnapshotCodec.encode(image, KvStateCodec)])

interface Line {
  readonly result: {
    readonly header: { readonly revision: string; readonly raft_term: string }
    readonly remaining_bytes?: string
    readonly blob: string
    readonly version?: string
  }
}

const linesOf = (text: string): ReadonlyArray<Line> =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line)

describe("a snapshot", () => {
  test("comes in lines that count down to nothing, and together are the whole state", async () => {
    const image = imageOf(stateOf(3000, 500))
    const server = await TestServer.start({ image: () => image, version: "1.2.3" })
    const { status, headers, text } = await server.post(route, {})
    expect([status, headers.get("content-type")]).toEqual([200, "application/json"])
    expect(text.endsWith("\n")).toBe(true)
    const lines = linesOf(text)
    expect(lines.length).toBeGreaterThan(3)
    const whole = encoded(image)
    let sent = 0
    for (const { result } of lines) {
      sent += Buffer.from(result.blob, "base64").length
      expect(Number(result.remaining_bytes ?? 0)).toBe(whole.length - sent)
      expect(result.header).toMatchObject({ revision: "3001", raft_term: "2" })
      expect(result.version).toBe("1.2.3")
    }
    // What is zero is left out, as everywhere in etcd's JSON.
    expect(lines.at(-1)?.result).not.toHaveProperty("remaining_bytes")
    expect(Buffer.concat(lines.map(({ result }) => Buffer.from(result.blob, "base64"))).equals(whole)).toBe(true)
  })

  test("is small enough in each line, whatever the values are", async () => {
    const image = imageOf(stateOf(3, 1_000_000))
    const server = await TestServer.start({ image: () => image })
    const blobs = linesOf((await server.post(route, {})).text).map(({ result }) => Buffer.from(result.blob, "base64"))
    expect(Math.max(...blobs.map(({ length }) => length))).toBeLessThan(2 * blobBytes)
    expect(Buffer.concat(blobs).equals(encoded(image))).toBe(true)
  })

  test("is asked for by a linearizable read, and waits until what that saw is carried out", async () => {
    const older = imageOf(KvMachine.initial)
    const newer = imageOf(stateOf(1, 1))
    let looks = 0
    const server = await TestServer.start({ image: () => (++looks < 4 ? older : newer) })
    await Effect.runPromise(server.replica.propose({ _tag: "Put", key: "k", value: Buffer.from("v"), prevKv: false }))
    const [line] = linesOf((await server.post(route, {})).text)
    expect(line?.result.header.revision).toBe("2")
    expect(server.replica.calls.query).toBe(1)
    expect(looks).toBeGreaterThanOrEqual(4)
  })

  test("is refused where a linearizable read is", async () => {
    const server = await TestServer.start({ image: () => imageOf(KvMachine.initial) })
    server.replica.instead = Effect.fail(new Unavailable({ message: "no majority", outcomeUnknown: false }))
    const { status, text } = await server.post(route, {})
    expect([status, JSON.parse(text)]).toMatchObject([503, { code: 14, reason: "no majority" }])
  })

  test("is not there for a gateway that was given none, and only for POST", async () => {
    const server = await TestServer.start()
    expect((await server.post(route, {})).status).toBe(501)
    expect((await server.get(route)).status).toBe(405)
  })
})

/** Asks for a snapshot, and reads no more than its beginning. */
const beginOne = async (server: TestServer.TestServer) => {
  const connection = await server.dial()
  connection.socket.write(`POST ${route} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`)
  const piece = await connection.firstPiece
  connection.socket.pause()
  expect(piece).toContain("200 OK")
  return connection
}

describe("while a snapshot is sent", () => {
  // More than sockets take without a reader.
  const large = imageOf(stateOf(24, 1_000_000))

  test("others are served, and not too many snapshots are sent at once", async () => {
    const server = await TestServer.start({ image: () => large })
    const connections = [await beginOne(server), await beginOne(server)]
    expect(connections).toHaveLength(maxAtOnce)
    const refused = await server.post(route, {})
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([429, { code: 8 }])
    expect((await server.post("/v3/kv/put", { key: TestServer.base64("k") })).status).toBe(200)
    // Whoever goes away makes room.
    for (const { socket } of connections) socket.destroy()
    await expect.poll(async () => (await server.post(route, {})).status, { timeout: 10_000 }).toBe(200)
  })

  test("a place is taken from the moment it is asked for: of many at once only so many get one", async () => {
    const server = await TestServer.start({ image: () => large })
    // Each waits for a linearizable read before its answer begins.
    let answer = (): void => undefined
    const reading = new Promise<void>((resolve) => (answer = resolve))
    server.replica.takes = Effect.promise(() => reading)
    const many = Array.from({ length: 10 }, async () => (await server.post(route, {})).status)
    await expect.poll(() => Promise.race([...many, Promise.resolve(0)])).toBe(429)
    answer()
    const statuses = await Promise.all(many)
    expect(statuses.filter((status) => status === 200)).toHaveLength(maxAtOnce)
  })

  test("who reads nothing for long gives the place to the next one", async () => {
    const server = await TestServer.start({ image: () => large })
    for (let i = 0; i < maxAtOnce; i++) await beginOne(server)
    expect((await server.post(route, {})).status).toBe(429)
    const real = Date.now
    onTestFinished(() => void (Date.now = real))
    Date.now = () => real() + stallMillis + 1
    const late = await server.post(route, {})
    expect([late.status, linesOf(late.text).at(-1)?.result.remaining_bytes]).toEqual([200, undefined])
  })

  test("others get their turn after each piece, also while its length is found out", async () => {
    const image = imageOf(stateOf(40_000, 256))
    const pieces = [...SnapshotCodec.encode(image, KvStateCodec)].length
    const server = await TestServer.start({ image: () => image })
    let turns = 0
    let begun = false
    const count = (): void => {
      turns++
      if (!begun) setImmediate(count)
    }
    setImmediate(count)
    await beginOne(server)
    begun = true
    expect(pieces).toBeGreaterThan(100)
    expect(turns).toBeGreaterThan(pieces)
  })
})
