/** The client as promises, against a real etcd and a real Balsa. */
import { once } from "node:events"
import { Schema } from "effect"
import { assert, describe, it } from "vitest"
import * as Compare from "../../src/client/Compare.ts"
import { InvalidClientOptions } from "../../src/client/Connection.ts"
import { LeaseLost } from "../../src/client/HeldLease.ts"
import { prefixRange } from "../../src/client/KeyRange.ts"
import { connect, type PromiseClient } from "../../src/client/PromiseClient.ts"
import * as Refusal from "../../src/client/Refusal.ts"
import * as Txn from "../../src/client/Txn.ts"
import { itNeeds } from "../faults/Probe.ts"
import { storeOf, stores, text } from "./AskStores.ts"

const itConnects = (
  name: string,
  assertHolds: (client: PromiseClient, endpoints: ReadonlyArray<string>) => Promise<void>
): void => {
  for (const store of stores) {
    itNeeds(store.needs, `${name} (${store.name})`, async () => {
      const { endpoints } = await storeOf(store)
      await using client = await connect({ endpoints })
      await assertHolds(client, endpoints)
    })
  }
}

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "it did not reject",
    (error: unknown) => error
  )

describe("a client of promises", () => {
  it("says which option makes no sense", async () => {
    const refused = async (options: Parameters<typeof connect>[0]): Promise<string> => {
      const error = await rejection(connect(options))
      if (!(error instanceof InvalidClientOptions)) throw error
      return error.message
    }
    assert.include(await refused({ endpoints: [] }), "name at least one")
    assert.match(await refused({ endpoints: ["localhost"] }), /"localhost" is not HOST:PORT/)
    assert.match(await refused({ endpoints: ["https://h:1"] }), /TLS/)
    assert.match(await refused({ endpoints: ["h:1"], timeoutMillis: 0 }), /timeoutMillis: 0/)
    assert.match(await refused({ endpoints: ["h:1"], token: "a\nb" }), /^token: /)
  })

  itConnects("puts, reads, lists, deletes, and rejects with typed errors", async (client) => {
    await client.put("pk/a", "1")
    await client.put("pk/b", "2", { previous: true })
    assert.strictEqual(text((await client.get("pk/a"))?.value), "1")
    assert.isUndefined(await client.get("pk/none"))
    const listed: Array<string | undefined> = []
    for await (const { value } of client.list(prefixRange("pk/"), { pageSize: 1 })) listed.push(text(value))
    assert.deepEqual(listed, ["1", "2"])
    assert.strictEqual((await client.range(prefixRange("pk/"), { limit: 1 })).more, true)
    assert.strictEqual((await client.delete(prefixRange("pk/"))).deleted, 2)
    assert.instanceOf(await rejection(client.get("pk/a", { revision: 1_000_000 })), Refusal.FutureRevision)
    assert.instanceOf(await rejection(client.touch("pk/none")), Refusal.KeyNotFound)
    const { revision } = await client.put("pk/c", "1")
    assert.strictEqual(await client.compact(revision), revision)
  })

  itConnects("runs transactions", async (client) => {
    const answer = await client.txn(
      Txn.when(Compare.isMissing("pt/a")).andThen(Txn.put("pt/a", "1")).orElse(Txn.get("pt/a"))
    )
    assert.isTrue(answer.succeeded)
  })

  itConnects("watches until it is left, and from where it is told to", async (client) => {
    const { revision } = await client.put("pw/a", "1")
    await client.put("pw/b", "2")
    const seen: Array<string | undefined> = []
    for await (const event of client.watch(prefixRange("pw/"), { startRevision: revision })) {
      seen.push(text(event.kv.key))
      if (seen.length === 2) break
    }
    assert.deepEqual(seen, ["pw/a", "pw/b"])
    for await (const batch of client.watchBatches("pw/a")) {
      assert.strictEqual(batch._tag, "Started")
      break
    }
  })

  itConnects(
    "holds leases and locks until they are closed, and tells when they are lost",
    async (client, endpoints) => {
      let lost: AbortSignal
      {
        await using lease = await client.lease({ ttlSeconds: 2 })
        await using lock = await client.lock("pl/a", { lease: lease.lease })
        assert.isUndefined(await client.tryLock("pl/a"))
        assert.isTrue((await client.txn(Txn.when(lock.isHeld).andThen(Txn.put("pl/guarded", "")))).succeeded)
        assert.isAtLeast((await client.timeToLive(lease.id, { keys: true })).keys.length, 1)
        const waiting = new AbortController()
        const second = rejection(client.lock("pl/a", { signal: waiting.signal }))
        waiting.abort(new Error("no longer wanted"))
        assert.strictEqual(await second, waiting.signal.reason)
        lost = lock.signal
      }
      assert.isFalse(lost.aborted, "it was given back")
      await using lock = await client.lock("pl/a", { ttlSeconds: 2 })
      const gone = once(lock.signal, "abort")
      await using other = await connect({ endpoints })
      const { lease } = (await other.get(lock.key))!
      await revoke(endpoints[0]!, lease!)
      await gone
      assert.instanceOf(lock.signal.reason, LeaseLost)
    }
  )

  itConnects("stands in elections", async (client) => {
    await using leadership = await client.campaign("pe/a", "me")
    await leadership.proclaim("still me")
    assert.strictEqual(text((await client.leader("pe/a"))?.value), "still me")
    for await (const { token } of client.observe("pe/a")) {
      assert.strictEqual(token, leadership.token)
      break
    }
    await leadership.resign()
    assert.isUndefined(await client.leader("pe/a"))
  })

  itConnects("has values of a type", async (client) => {
    const ports = client.values(Schema.Struct({ port: Schema.Int }))
    const { revision } = await ports.put("pv/a", { port: 80 })
    assert.deepEqual((await ports.get("pv/a"))?.value, { port: 80 })
    assert.propertyVal(await rejection(ports.put("pv/a", { port: 1.5 })), "_tag", "ValueRefused")
    for await (const event of ports.watch("pv/a", { startRevision: revision })) {
      assert.deepEqual(event._tag === "Put" && event.entry.value, { port: 80 })
      break
    }
  })

  itConnects("gives everything back when it is closed, and ends what is iterated", async (other, endpoints) => {
    const client = await connect({ endpoints })
    await client.lock("pc/a")
    const begun = Promise.withResolvers<void>()
    const iteration = (async () => {
      for await (const batch of client.watchBatches(prefixRange("pc/"))) if (batch._tag === "Started") begun.resolve()
      return "ended"
    })()
    await begun.promise
    await client.close()
    assert.strictEqual(await iteration, "ended")
    assert.strictEqual((await other.range(prefixRange("pc/"))).count, 0)
  })
})

/** As an operator would, from outside. */
const revoke = async (endpoint: string, lease: bigint): Promise<void> => {
  await fetch(`http://${endpoint}/v3/lease/revoke`, { method: "POST", body: JSON.stringify({ ID: String(lease) }) })
}
