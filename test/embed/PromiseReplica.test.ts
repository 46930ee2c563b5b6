/** The same without Effect: promises that reject with the typed errors, iteration, and disposal. Real time, loopback. */
import { unstamped } from "../../src/raft/Machine.ts"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { ChangesLost } from "../../src/embed/Changes.ts"
import { InvalidCommand, InvalidQuery } from "../../src/embed/InvalidInput.ts"
import { InvalidOptions } from "../../src/embed/Options.ts"
import { Unavailable } from "../../src/runtime/RequestError.ts"
import { StorageError } from "../../src/storage/Storage.ts"
import { TransportError } from "../../src/transport/Transport.ts"
import * as Replicated from "../../src/embed/Replicated.ts"
import { definition, say, Tally } from "./Tally.ts"

const raft = { electionTimeoutMillis: 200, heartbeatMillis: 40 }
const quiet = { logLevel: "None" } as const

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail("it should have been rejected"),
    (error: unknown) => error
  )

const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, "127.0.0.1", () => resolve(server))
        })
    )
  )
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

const directories: Array<string> = []

const newDirectory = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), "balsa-embed-"))
  directories.push(directory)
  return directory
}

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true })
})

describe("a replica in memory, as promises", () => {
  it("answers, and rejects with errors that can be told apart", async () => {
    await using tally = await Tally.startMemory({ raft, ...quiet })
    assert.deepEqual(await tally.propose(say("x", 2)), { before: 0, known: false })
    assert.strictEqual(await tally.query({ word: "x" }), 2)
    assert.strictEqual(await tally.queryLocal({ word: "x" }), 2)
    assert.strictEqual(tally.status().role, "Leader")
    const invalid = await rejection(tally.propose(say("x", -1)))
    assert.instanceOf(invalid, InvalidCommand)
    assert.deepInclude(invalid, { _tag: "InvalidCommand", outcomeUnknown: false })
    assert.instanceOf(await rejection(tally.query({ word: "" })), InvalidQuery)
  })

  it("is gone when it is disposed of, and says so", async () => {
    const tally = await Tally.startMemory({ raft, ...quiet })
    const ended = tally.ended()
    await tally[Symbol.asyncDispose]()
    await ended
    const unavailable = await rejection(tally.propose(say("x")))
    assert.instanceOf(unavailable, Unavailable)
    assert.deepInclude(unavailable, { outcomeUnknown: false })
    const lost = await rejection(tally.changes()[Symbol.asyncIterator]().next())
    assert.instanceOf(lost, ChangesLost)
    await tally.close()
  })

  it("tells its changes to each who iterates, until they stop", async () => {
    await using tally = await Tally.startMemory({ raft, ...quiet })
    const told: Array<string> = []
    const telling = (async () => {
      for await (const change of tally.changes()) {
        told.push(
          change._tag === "Reset" ? `reset ${change.state.said.size}` : `${change.command.word} ${change.result.before}`
        )
        if (told.length === 3) break
      }
    })()
    await tally.propose(say("x"))
    await tally.propose(say("x"))
    await tally.propose(say("x"))
    await telling
    assert.lengthOf(told, 3)
    assert.match(told[0]!, /^reset/)
    for await (const change of tally.changes()) {
      assert.isTrue(change._tag === "Reset" && change.state.said.get("x") === 3)
      break
    }
  })
})

describe("a subscription", () => {
  it("ends when its iteration does", async () => {
    let applied = 0
    const counting = {
      ...definition,
      apply: (...[state, command]: Parameters<typeof definition.apply>) => {
        applied++
        return definition.apply(state, command, unstamped)
      }
    }
    class Counting extends Replicated.Service<Counting>()("test/Counting", counting) {}
    await using tally = await Counting.startMemory({ raft, ...quiet })
    for await (const change of tally.changes()) if (change._tag === "Reset") break
    await tally.propose(say("x"))
    // Somebody who still listened would have it applied once more.
    assert.strictEqual(applied, 1)
  })
})

describe("a cluster in memory, as promises", () => {
  it("outlives its leader", async () => {
    await using cluster = await Tally.startCluster({ replicas: 3, raft, ...quiet })
    const leader = await cluster.leader()
    await cluster.replica(leader).propose(say("x"))
    await cluster.stop(leader)
    assert.throws(() => cluster.replica(leader), `replica ${leader} does not run`)
    const next = await cluster.leader()
    assert.notStrictEqual(next, leader)
    assert.strictEqual(await cluster.replica(next).query({ word: "x" }), 1)
    const back = await cluster.start(leader)
    assert.strictEqual(await back.query({ word: "x" }), 1)
  })
})

describe("replicas with directories and sockets", () => {
  it("keep what was acknowledged over a restart of all", async () => {
    const ports = await freePorts(3)
    const directory = await newDirectory()
    const ids = ["A", "B", "C"]
    const addressOf = (id: string): string => `127.0.0.1:${ports[ids.indexOf(id)]}`
    const start = (id: string) =>
      Tally.start({
        id,
        peers: Object.fromEntries(ids.filter((peer) => peer !== id).map((peer) => [peer, addressOf(peer)])),
        listenPeer: addressOf(id),
        dataDir: join(directory, id),
        raft,
        requestTimeoutMillis: 20_000,
        ...quiet
      })
    {
      await using one = await start("A")
      await using other = await start("B")
      await using third = await start("C")
      await one.propose(say("x"))
      await other.propose(say("x"))
      assert.strictEqual(await third.query({ word: "x" }), 2)
      assert.deepEqual([...third.status().voters], ids)
      const taken = await rejection(start("A"))
      assert.instanceOf(taken, StorageError)
      assert.deepInclude(taken, { reason: "InUse" })
    }
    await using one = await start("A")
    await using other = await start("B")
    assert.strictEqual(await other.query({ word: "x" }), 2)
    assert.strictEqual(await one.query({ word: "x" }), 2)
  })

  it("say what is wrong with how they are started", async () => {
    const directory = await newDirectory()
    const [port] = await freePorts(1)
    const good = { id: "A", peers: {}, listenPeer: `127.0.0.1:${port}`, dataDir: join(directory, "A"), ...quiet }
    const wrong = [
      [{ ...good, id: "a b" }, 'id: "a b" is no name'],
      [{ ...good, listenPeer: "127.0.0.1" }, 'listenPeer: "127.0.0.1" is no address'],
      [{ ...good, peers: { B: "host:99999" } }, 'peers.B: "host:99999" is no address'],
      [{ ...good, peers: { "": "host:1" } }, 'peers: "" is no name'],
      [{ ...good, cluster: "" }, 'cluster: "" is no name'],
      [{ ...good, limits: { maxChangesBehind: 0 } }, "maxChangesBehind: 0 is no number above 0"],
      [{ ...good, requestTimeoutMillis: Number.NaN }, "requestTimeoutMillis: NaN is no number above 0"],
      [{ ...good, raft: { electionTimeoutMillis: 100 } }, "electionTimeoutMillis: 100 must be at least twice"]
    ] as const
    for (const [options, message] of wrong) {
      const refused = await rejection(Tally.start(options))
      assert.instanceOf(refused, InvalidOptions)
      assert.include(refused.message, message)
    }
    const many = await rejection(Tally.startCluster({ replicas: 27, ...quiet }))
    assert.deepInclude(many, {
      _tag: "InvalidOptions",
      message: "replicas: 27 is no number of replicas; 1 to 26 are, best an odd one"
    })
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
    assert.instanceOf(await rejection(Tally.start(good)), TransportError)
    await new Promise((resolve) => server.close(resolve))
    // What failed to start has left nothing behind that keeps another from starting.
    await using tally = await Tally.start({ ...good, raft })
    assert.deepEqual(await tally.propose(say("x")), { before: 0, known: false })
  })
})
