/**
 * Files that cannot be opened, read, written whole, or made longer, for one real replica alone: at
 * its start and while it runs. It says which file and what to do, and nothing is the worse for it.
 */
import { spawn } from "node:child_process"
import { afterEach, assert, beforeEach, describe } from "vitest"
import { ExitCode } from "../../src/cli/ExitCode.ts"
import {
  base64,
  eventually,
  hasEnded,
  outcome,
  program,
  RealCluster,
  type ReplicaProcess
} from "../process/RealCluster.ts"
import { command, environment } from "./Command.ts"
import { itNeeds, prlimit, strace } from "./Probe.ts"
import { type Injection, Strace, underStrace } from "./Strace.ts"

let cluster: RealCluster
let attached: Strace | undefined

beforeEach(async () => {
  cluster = await RealCluster.make(["A"])
})

afterEach(async () => {
  await attached?.detach()
  attached = undefined
  await cluster.stopAll()
})

/** Writes that key through A, until it serves. */
const put = (key: string, value: string): Promise<true> =>
  eventually(`a write of ${key}`, async () => {
    const request = { key: base64(key), value: base64(value) }
    const answer = await cluster.post("A", "/v3/kv/put", request).catch(() => undefined)
    return answer?.status === 200 ? true : undefined
  })

/** Asks once; false if it was refused, or nobody knows. */
const wasPut = async (key: string, value: string): Promise<boolean> => {
  const request = { key: base64(key), value: base64(value) }
  const answer = await cluster.post("A", "/v3/kv/put", request).catch(() => undefined)
  return answer?.status === 200
}

const get = (key: string): Promise<string | null> =>
  eventually(`a read of ${key}`, async () => {
    const answer = await cluster.post("A", "/v3/kv/range", { key: base64(key) }).catch(() => undefined)
    if (answer?.status !== 200) return undefined
    const { kvs } = answer.body as { kvs?: ReadonlyArray<{ value: string }> }
    return kvs?.[0] === undefined ? null : Buffer.from(kvs[0].value, "base64").toString()
  })

const restart = async (): Promise<void> => {
  await cluster.kill("A")
  cluster.start("A")
}

const inject = async (injection: Injection): Promise<Strace> => {
  attached = await Strace.attach(cluster.process("A").child.pid!, injection)
  return attached
}

const log = "log-0000000001.wal"

const assertFailed = async (one: ReplicaProcess, ...says: ReadonlyArray<string>): Promise<void> => {
  const ended = await outcome(one)
  assert.strictEqual(ended.code, ExitCode.failure, ended.log)
  const complaint = ended.log.split("\n").find((line) => line.startsWith("balsa: ")) ?? ended.log
  for (const part of says) assert.include(complaint, part)
  assert.notInclude(ended.log, "    at ", "no stack trace")
}

const startUnderStrace = (injection: Injection): ReplicaProcess => {
  const [first, ...rest] = underStrace(injection)
  const child = spawn(first!, [...rest, process.execPath, program, ...cluster.arguments("A")], {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"]
  })
  const pieces: Array<string> = []
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => pieces.push(String(piece)))
  return { id: "A", child, log: () => pieces.join("") }
}

const atStart: ReadonlyArray<{ calls: string; error: string; file: string; says: ReadonlyArray<string> }> = [
  { calls: "openat", error: "EACCES", file: log, says: ["right to read and write"] },
  { calls: "openat", error: "EROFS", file: log, says: ["read-only"] },
  { calls: "openat", error: "EMFILE", file: log, says: ["ulimit -n"] },
  { calls: "openat", error: "EACCES", file: "identity", says: ["right to read and write"] },
  { calls: "read,pread64", error: "EIO", file: log, says: ["check its health"] },
  { calls: "fsync,fdatasync", error: "EIO", file: log, says: ["check its health"] }
]

describe("a replica that cannot use a file at its start", () => {
  for (const { calls, error, file, says } of atStart) {
    itNeeds([strace], `says so and changes nothing: ${error} of ${calls} on ${file}`, async () => {
      cluster.start("A")
      await put("before", "kept")
      await cluster.kill("A")
      const path = `${cluster.directory}/A/${file}`
      await assertFailed(startUnderStrace({ calls, fault: `error=${error}`, files: [path] }), path, error, ...says)
      cluster.start("A")
      assert.strictEqual(await get("before"), "kept")
    })
  }
})

const megabyte = "m".repeat(1_000_000)

describe("a replica that runs", () => {
  for (const { error, says } of [
    { error: "EMFILE", says: ["ulimit -n"] },
    { error: "EACCES", says: ["right to read and write"] },
    { error: "EROFS", says: ["read-only"] }
  ]) {
    itNeeds([strace], `ends when it cannot make the next file of its log: ${error}`, async () => {
      cluster.start("A")
      await put("before", "kept")
      await inject({ calls: "openat", fault: `error=${error}` })
      let acknowledged = 0
      // A segment has 16 MiB.
      while (acknowledged < 20 && (await wasPut(`large.${acknowledged}`, megabyte))) acknowledged++
      assert.isBelow(acknowledged, 17, "the log went into another file")
      await assertFailed(cluster.process("A"), `${cluster.directory}/A`, error, ...says)
      cluster.start("A")
      assert.strictEqual(await get("before"), "kept")
      assert.strictEqual(await get(`large.${acknowledged - 1}`), megabyte)
    })
  }

  itNeeds([strace], "waits for room when it cannot make the next file of its log: ENOSPC", async () => {
    cluster.start("A")
    await put("before", "kept")
    const full = await inject({ calls: "openat,ftruncate", fault: "error=ENOSPC" })
    let acknowledged = 0
    while (acknowledged < 20 && (await wasPut(`large.${acknowledged}`, megabyte))) acknowledged++
    assert.isBelow(acknowledged, 17, "the log went into another file")
    assert.isFalse(hasEnded(cluster.process("A")), cluster.process("A").log())
    assert.include(cluster.process("A").log(), "no room")
    await full.detach()
    await put("after", "taken")
    await restart()
    for (const [key, found] of [
      ["before", "kept"],
      ["after", "taken"],
      [`large.${acknowledged - 1}`, megabyte]
    ] as const) {
      assert.strictEqual(await get(key), found)
    }
  })

  const value = "v".repeat(100_000)

  /** A limit of the file's length inside what the next write writes, which the system then cuts short. */
  const limitNextWrite = async (): Promise<{ calls: Strace; pid: string }> => {
    cluster.start("A")
    // The first write of a start also gives the file blocks, far ahead.
    await put("before", "kept")
    const calls = await inject({ calls: "pwrite64", fault: "delay_enter=300000" })
    await put("last", "kept too")
    const [, written, position] = /, (\d+), (\d+)\) = /.exec(calls.calls().at(-1)!)!
    const pid = `${cluster.process("A").child.pid}`
    await command("prlimit", "--pid", pid, `--fsize=${Number(position) + Number(written) + 40_000}:unlimited`)
    return { calls, pid }
  }

  itNeeds([strace, prlimit], "writes the rest of what the system wrote only in part", async () => {
    const { calls, pid } = await limitNextWrite()
    const putting = wasPut("cut", value)
    await eventually("a write that was cut short", async () =>
      calls.calls().some((line) => line.endsWith(" = 40000 (DELAYED)")) ? true : undefined
    )
    await command("prlimit", "--pid", pid, "--fsize=unlimited:unlimited")
    assert.isTrue(await putting)
    await restart()
    assert.strictEqual(await get("cut"), value)
  })

  itNeeds([strace, prlimit], "ends when a file may not become longer, and keeps what it had", async () => {
    await limitNextWrite()
    assert.isFalse(await wasPut("cut", value))
    await assertFailed(cluster.process("A"), log, "EFBIG", "ulimit -f")
    cluster.start("A")
    assert.strictEqual(await get("before"), "kept")
    assert.strictEqual(await get("last"), "kept too")
  })
})
