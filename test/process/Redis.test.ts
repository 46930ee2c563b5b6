/** Redis' own programs, and pipelines while a leader is killed, on three real replicas. */
import { spawnSync } from "node:child_process"
import { assert, describe, it } from "vitest"
import { Conversation } from "../server/resp/Conversation.ts"
import { base64, eventually, type RealCluster } from "./RealCluster.ts"
import { startThree } from "./ThreeReplicas.ts"

const isHere = spawnSync("redis-cli", ["--version"]).status === 0
if (!isHere && process.env["CI"] !== undefined) {
  throw new Error("redis-cli is not installed; on Debian: apt-get install redis-tools")
}

const redis = (program: string, three: RealCluster, id: string, ...args: ReadonlyArray<string>): string => {
  const { stdout, stderr, status } = spawnSync(program, ["-p", String(three.ports.get(id)!.client), ...args], {
    encoding: "utf8",
    timeout: 30_000
  })
  assert.strictEqual(status, 0, stderr)
  return stdout.trim()
}

describe.skipIf(!isHere)("Redis' own programs", () => {
  it("work at every replica, and see what the gateway sees", async () => {
    const three = await startThree()
    for (const id of three.ids) {
      assert.strictEqual(redis("redis-cli", three, id, "SET", `by ${id}`, id), "OK")
      for (const other of three.ids) assert.strictEqual(redis("redis-cli", three, other, "GET", `by ${id}`), id)
    }
    const range = await three.post("C", "/v3/kv/range", { key: base64("by A") })
    assert.strictEqual((range.body as { kvs: ReadonlyArray<{ value: string }> }).kvs[0]!.value, base64("A"))
    const said = redis(
      "redis-benchmark",
      three,
      "B",
      "-q",
      "-n",
      "500",
      "-c",
      "10",
      "-P",
      "8",
      "-t",
      "set,get,incr,mset"
    )
    assert.include(said, "requests per second")
    assert.notInclude(said, "ERR")
  })

  it("keys go when their time is over, at every replica", async () => {
    const three = await startThree()
    assert.strictEqual(redis("redis-cli", three, "A", "SET", "short", "x", "PX", "1500"), "OK")
    assert.isAbove(Number(redis("redis-cli", three, "B", "PTTL", "short")), 0)
    await eventually("its end", async () =>
      redis("redis-cli", three, "C", "EXISTS", "short") === "0" ? true : undefined
    )
    assert.strictEqual(redis("redis-cli", three, "B", "PTTL", "short"), "-2")
  })
})

describe("keys that go by themselves", () => {
  it("go when their time is over, many of them together", async () => {
    const three = await startThree()
    const count = 5000
    const conversation = await Conversation.begin(three.ports.get("A")!.client)
    const revision = async (): Promise<number> => {
      const { body } = await three.post("A", "/v3/kv/range", { key: base64("k") })
      return Number((body as { header: { revision: string } }).header.revision)
    }
    const before = await revision()
    const commands = Array.from({ length: count }, (_, at) => ["SET", `k${at}`, "v", "EX", "4"])
    await eventually("all are put", async () =>
      (await conversation.askAll(commands)).every((reply) => reply === "+OK\r\n") ? true : undefined
    )
    await eventually("their end", async () => ((await conversation.ask("DBSIZE")) === ":0\r\n" ? true : undefined))
    // What came together was one command, and what goes together is: else each would have a revision of its own.
    assert.isBelow((await revision()) - before, count / 5)
    conversation.end()
  })
})

describe("a pipeline of increments", () => {
  it("counts each that was answered, and none twice, while the leader is killed", async () => {
    const three = await startThree()
    const leader = await three.leader()
    const through = three.ids.find((id) => id !== leader)!
    const conversation = await Conversation.begin(three.ports.get(through)!.client)
    let counted = 0
    let failed = 0
    let last = 0
    const count = async (): Promise<void> => {
      for (const reply of await conversation.askAll(Array.from({ length: 16 }, () => ["INCR", "n"]))) {
        if (!reply.startsWith(":")) failed++
        else {
          counted++
          const number = Number(reply.slice(1))
          assert.isAbove(number, last, "a number came again")
          last = number
        }
      }
    }
    for (let n = 0; n < 20; n++) await count()
    const killed = three.kill(leader)
    for (let n = 0; n < 20; n++) await count()
    await killed
    for (let n = 0; n < 20; n++) await count()
    conversation.end()
    const again = await Conversation.begin(three.ports.get(through)!.client)
    const total = Number((await again.ask("GET", "n")).split("\r\n")[1])
    again.end()
    assert.strictEqual(total % 16, 0, "a pipeline was carried out in part")
    assert.isAtLeast(total, counted)
    assert.isAtMost(total, counted + failed)
    assert.isAtLeast(counted, 16 * 40)
  })
})
