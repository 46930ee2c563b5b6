/** Requests to gateways that fail in every way: what is tried elsewhere, what is not, and what is said. */
import { Effect, Ref } from "effect"
import { Agent } from "node:http"
import { assert, describe, it } from "vitest"
import type { Endpoint } from "../../src/client/Endpoint.ts"
import type { Cluster } from "../../src/client/Gateway.ts"
import * as Kv from "../../src/client/Kv.ts"
import * as Lease from "../../src/client/Lease.ts"
import { LeaseId } from "../../src/client/LeaseId.ts"
import * as Txn from "../../src/client/Txn.ts"
import { answer, nobody, type Script, ScriptedGateway } from "./ScriptedGateway.ts"

const good: Script = (_, response) => answer(response, { header: { revision: "7" } })
const hang: Script = () => {}
const drop: Script = (_, response) => void response.socket?.destroy()
const half: Script = (_, response) => {
  response.writeHead(200, { "content-length": "100" })
  response.write(`{"header":`, () => response.socket?.destroy())
}
const noLeader: Script = (_, response) =>
  answer(response, { error: "etcdserver: no leader", message: "etcdserver: no leader", code: 14 }, 503)
const timedOut: Script = (_, response) => answer(response, { message: "etcdserver: request timed out", code: 14 }, 503)
const redirect: Script = (_, response) => {
  response.writeHead(307, { location: "http://127.0.0.1:1/v3/kv/put" })
  response.end()
}
const html: Script = (_, response) => answer(response, "<html>")

const at = (...endpoints: ReadonlyArray<Endpoint>): Cluster => ({ endpoints, timeoutMillis: 2000 })

const outcome = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>): Promise<string> =>
  Effect.runPromise(Effect.match(effect, { onSuccess: () => "done", onFailure: ({ _tag }) => _tag }))

describe("a request whose first endpoint fails", () => {
  const table: ReadonlyArray<
    readonly [what: string, script: Script, read: string, write: string, asksAgain: readonly [number, number]]
  > = [
    ["has no leader", noLeader, "done", "done", [1, 1]],
    ["sends it elsewhere", redirect, "done", "done", [1, 1]],
    ["closes the connection", drop, "done", "OutcomeUnknown", [1, 0]],
    ["closes it in the midst of the answer", half, "done", "OutcomeUnknown", [1, 0]],
    ["does not answer", hang, "done", "OutcomeUnknown", [1, 0]],
    ["had no answer from the others", timedOut, "done", "OutcomeUnknown", [1, 0]],
    ["is no gateway", html, "UnexpectedAnswer", "UnexpectedAnswer", [0, 0]]
  ]
  for (const [what, script, read, write, asked] of table) {
    it(`and ${what}`, async () => {
      await using first = await ScriptedGateway.listen(script)
      await using second = await ScriptedGateway.listen(good)
      const kv = Kv.make(at(first.endpoint, second.endpoint))
      assert.strictEqual(await outcome(kv.get("a")), read)
      const afterRead = second.asked.length
      assert.strictEqual(await outcome(kv.put("a", "b")), write)
      assert.deepEqual([afterRead, second.asked.length - afterRead], asked)
    })
  }

  it("and is not there", async () => {
    await using second = await ScriptedGateway.listen(good)
    const kv = Kv.make(at(await nobody(), second.endpoint))
    assert.strictEqual(await outcome(kv.get("a")), "done")
    assert.strictEqual(await outcome(kv.put("a", "b")), "done")
  })
})

describe("a write without an answer", () => {
  const firstDrops: Script = (asked, response, at) => (at === 0 ? drop : good)(asked, response, at)
  const grants: Script = (asked, response, at) => {
    if (at === 0) return drop(asked, response, at)
    answer(response, { message: "etcdserver: lease already exists", code: 9 }, 412)
  }

  it("is sent again under the same name to Balsa, and not without one", async () => {
    await using gateway = await ScriptedGateway.listen(firstDrops)
    const cluster = { ...at(gateway.endpoint, gateway.endpoint), idempotencyKeys: true }
    assert.strictEqual(await outcome(Kv.make(cluster).put("a", "b")), "done")
    const names = gateway.asked.map(({ headers }) => headers["idempotency-key"])
    assert.match(String(names[0]), /^[0-9a-f-]{36}$/)
    assert.deepEqual(names, [names[0], names[0]])
    await using other = await ScriptedGateway.listen(firstDrops)
    const named = Kv.make(at(other.endpoint, other.endpoint)).put("a", "b", { idempotencyKey: "mine" })
    assert.strictEqual(await outcome(named), "OutcomeUnknown", "who says that it is Balsa?")
    assert.strictEqual(other.asked[0]?.headers["idempotency-key"], "mine")
  })

  it("is not said to be refused when it may have been carried out before", async () => {
    await using gateway = await ScriptedGateway.listen((asked, response, at) => {
      if (at === 0) return drop(asked, response, at)
      answer(response, { message: "the answer was too long to keep", code: 9 }, 409)
    })
    const cluster = { ...at(gateway.endpoint, gateway.endpoint), idempotencyKeys: true }
    assert.strictEqual(await outcome(Kv.make(cluster).delete("a", { previous: true })), "OutcomeUnknown")
    assert.strictEqual(await outcome(Kv.make(cluster).delete("a", { previous: true })), "RequestRefused")
  })

  it("is not sent again when it is a transaction", async () => {
    await using gateway = await ScriptedGateway.listen(firstDrops)
    const cluster = { ...at(gateway.endpoint, gateway.endpoint), idempotencyKeys: true }
    const transaction = Txn.when().andThen(Txn.put("a", "b"))
    assert.strictEqual(await outcome(Kv.make(cluster).txn(transaction)), "OutcomeUnknown")
    assert.strictEqual(gateway.asked.length, 1)
  })

  it("is sent again when it grants a lease, which is its own if it is there already", async () => {
    await using gateway = await ScriptedGateway.listen(grants)
    const { grant } = Lease.make(at(gateway.endpoint, gateway.endpoint))
    assert.strictEqual(await outcome(grant({ ttlSeconds: 5 })), "done")
    assert.strictEqual(gateway.asked[0]?.body["ID"], gateway.asked[1]?.body["ID"])
    await using other = await ScriptedGateway.listen(grants)
    const named = Lease.make(at(other.endpoint, other.endpoint)).grant({ ttlSeconds: 5, id: LeaseId(5n) })
    assert.strictEqual(await outcome(named), "OutcomeUnknown", "somebody else's may have that id")
  })
})

describe("a name that no header carries", () => {
  it("is refused before anything is sent", async () => {
    await using gateway = await ScriptedGateway.listen(good)
    const { put } = Kv.make(at(gateway.endpoint))
    for (const idempotencyKey of ["", " a", "a\n", "é", "a".repeat(256)]) {
      assert.strictEqual(await outcome(put("a", "b", { idempotencyKey })), "RequestRefused", idempotencyKey)
    }
    assert.strictEqual(await outcome(put("a", "b", { idempotencyKey: "a b" })), "done")
    assert.strictEqual(gateway.asked.length, 1)
  })
})

describe("a client with several endpoints", () => {
  it("goes on asking until somebody can, and then asks that one first", async () => {
    await using gateway = await ScriptedGateway.listen((asked, response, at) =>
      (at < 3 ? noLeader : good)(asked, response, at)
    )
    const preferred = Ref.makeUnsafe<Endpoint | undefined>(undefined)
    const backoff = { firstMillis: 1, maxMillis: 2 }
    await using other = await ScriptedGateway.listen(noLeader)
    const cluster = { ...at(other.endpoint, gateway.endpoint), timeoutMillis: 5000, backoff, preferred }
    assert.strictEqual(await outcome(Kv.make(cluster).put("a", "b")), "done")
    assert.deepEqual([other.asked.length, gateway.asked.length], [4, 4])
    assert.strictEqual(await outcome(Kv.make(cluster).put("a", "b")), "done")
    assert.deepEqual([other.asked.length, gateway.asked.length], [4, 5])
  })

  it("keeps its connections, and closes the one whose answer it did not wait for", async () => {
    const sockets = new Set<unknown>()
    const closed = Promise.withResolvers<void>()
    await using gateway = await ScriptedGateway.listen((_, response, at) => {
      sockets.add(response.socket)
      if (at === 3) response.on("close", closed.resolve)
      else answer(response, { header: { revision: String(at) } })
    })
    const agent = new Agent({ keepAlive: true })
    const kv = Kv.make({ ...at(gateway.endpoint), agent, timeoutMillis: 500 })
    const seen: Array<string> = []
    for (let turn = 0; turn < 6; turn++) {
      const put = Effect.map(kv.put("a", "b"), ({ revision }) => seen.push(`${revision}`))
      if ((await outcome(put)) !== "done") seen.push("unknown")
    }
    await closed.promise
    agent.destroy()
    assert.deepEqual(seen, ["0", "1", "2", "unknown", "4", "5"])
    assert.strictEqual(sockets.size, 2)
  })

  it("does not take a request for unsent that a kept connection carried", async () => {
    await using gateway = await ScriptedGateway.listen((asked, response, at) =>
      (at === 1 ? drop : good)(asked, response, at)
    )
    const agent = new Agent({ keepAlive: true })
    const { put } = Kv.make({ ...at(gateway.endpoint, gateway.endpoint), agent })
    assert.strictEqual(await outcome(put("a", "b")), "done")
    assert.strictEqual(await outcome(put("a", "b")), "OutcomeUnknown")
    assert.strictEqual(gateway.asked.length, 2)
    agent.destroy()
  })
})
