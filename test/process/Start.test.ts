/** Starting and stopping real processes: what goes wrong is said in a line, and changes nothing. */
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import * as path from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { base64, eventually, hasEnded, outcome, RealCluster, type ReplicaProcess, run } from "./RealCluster.ts"

let cluster: RealCluster
const started: Array<ReplicaProcess> = []

beforeEach(async () => {
  cluster = await RealCluster.make(["A"])
})

afterEach(async () => {
  for (const one of started.splice(0)) if (!hasEnded(one)) one.child.kill("SIGKILL")
  await cluster.stopAll()
})

const launch = (...args: ReadonlyArray<string>): ReplicaProcess => {
  const one = run(args)
  started.push(one)
  return one
}

/** The arguments of A, some of them replaced. */
const withChanges = (changes: Readonly<Record<string, string>>): ReadonlyArray<string> => {
  const args = [...cluster.arguments("A")]
  for (const [flag, value] of Object.entries(changes)) {
    const at = args.indexOf(flag)
    if (at < 0) args.push(flag, value)
    else args[at + 1] = value
  }
  return args
}

const serving = (id = "A"): Promise<true> =>
  eventually("an answer", async () => {
    const answer = await cluster.post(id, "/v3/kv/range", { key: base64("k") }, 1000).catch(() => undefined)
    return answer?.status === 200 ? true : undefined
  })

/** It failed in one line that says all of these. */
const assertFailed = async (one: ReplicaProcess, code: number, ...says: ReadonlyArray<string>): Promise<void> => {
  const ended = await outcome(one)
  assert.strictEqual(ended.code, code, ended.log)
  const complaint = ended.log.split("\n").find((line) => line.startsWith("balsa: ")) ?? ended.log
  for (const part of says) assert.include(complaint, part)
  assert.notInclude(ended.log, "    at ", "no stack trace")
}

describe("a replica that cannot start says why, and exits", () => {
  it("unknown flag", () => assertFailed(launch("--id", "A", "--prees", "B"), 2, "--prees", "--peers"))

  it("no id", () => assertFailed(launch("serve"), 2, "--id"))

  it("an id twice among the peers", () => assertFailed(launch("--id", "A", "--peers", "B,C,B"), 2, "B twice"))

  it("its own id among the peers", () => assertFailed(launch("--id", "A", "--peers", "A,B"), 2, "A", "only the others"))

  for (const flag of ["--listen-client", "--listen-peer"]) {
    it(`port in use: ${flag}`, async () => {
      const holder = createServer().listen(0, "127.0.0.1")
      await once(holder, "listening")
      const address = `127.0.0.1:${(holder.address() as { port: number }).port}`
      await assertFailed(launch(...withChanges({ [flag]: address })), 1, address, flag)
      await new Promise((resolve) => holder.close(resolve))
    })
  }

  it("a data directory that is a file", async () => {
    const file = path.join(cluster.directory, "file")
    writeFileSync(file, "")
    await assertFailed(launch(...withChanges({ "--data-dir": file })), 1, file)
  })

  it("a data directory of another replica, of another cluster, or in use", async () => {
    const directory = path.join(cluster.directory, "A")
    const first = cluster.start("A")
    await serving()
    // The directory is locked before anything listens, so this is what it stumbles over first.
    await assertFailed(launch(...withChanges({})), 1, directory, "is using")
    await cluster.kill("A")
    assert.isTrue(hasEnded(first))
    await assertFailed(launch(...withChanges({ "--id": "B" })), 1, directory, "A", "B")
    await assertFailed(launch(...withChanges({ "--cluster": "other" })), 1, directory, "balsa", "other")
    // None of them changed it: its own replica starts as before.
    cluster.start("A")
    await serving()
  })
})

describe("a running replica", () => {
  it("alone, serves, and what it acknowledged is there after SIGTERM and after kill -9", async () => {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const one = cluster.start("A")
      await serving()
      const put = await cluster.post("A", "/v3/kv/put", { key: base64(signal), value: base64("v") })
      assert.strictEqual(put.status, 200)
      const closed = once(one.child, "close")
      one.child.kill(signal)
      await closed
      assert.strictEqual(one.child.exitCode, signal === "SIGTERM" ? 0 : null, one.log())
    }
    cluster.start("A")
    await serving()
    const { body } = await cluster.post("A", "/v3/kv/range", { key: base64("\0"), range_end: base64("\0") })
    assert.strictEqual((body as { count?: string }).count, "2")
  })

  it("is not impressed by garbage from a peer, or by one of another cluster", async () => {
    const one = cluster.start("A")
    await serving()
    const socket = connect(cluster.ports.get("A")!.peer, "127.0.0.1")
    socket.on("error", () => {})
    const closed = once(socket, "close")
    socket.write("GET / HTTP/1.1\r\nhost: here\r\n\r\n".repeat(100))
    await closed
    await eventually("a line about it", async () => (/WARN .*127\.0\.0\.1/.test(one.log()) ? true : undefined))
    await serving()
    assert.isFalse(hasEnded(one))

    const pair = await RealCluster.make(["A", "B"])
    try {
      for (const id of ["A", "B"]) started.push(run([...pair.arguments(id), "--cluster", `cluster-of-${id}`], id))
      const [a] = started.slice(-2)
      await eventually("a refusal in words", async () =>
        /cluster-of-B/.test(a!.log()) && /cluster-of-A/.test(a!.log()) ? true : undefined
      )
    } finally {
      await Promise.all(started.slice(-2).map((two) => (two.child.kill("SIGKILL"), outcome(two))))
      await pair.stopAll()
    }
  })
})
