/** A client that is closed asks nobody for anything, and says so. */
import { Effect, Exit, Layer, Schema, Scope, Stream } from "effect"
import { assert, describe, it } from "vitest"
import * as Client from "../../src/client/Client.ts"
import { ClientClosed } from "../../src/client/ClientError.ts"
import type { Endpoint } from "../../src/client/Endpoint.ts"
import { Kv } from "../../src/client/Kv.ts"
import { connect, type PromiseClient } from "../../src/client/PromiseClient.ts"
import { Watch } from "../../src/client/Watch.ts"
import { eventually } from "../process/RealCluster.ts"
import { answer, nobody, type Script, ScriptedGateway } from "./ScriptedGateway.ts"

const optionsOf = (...endpoints: ReadonlyArray<Endpoint>) => ({
  endpoints: endpoints.map(({ host, port }) => `${host}:${port}`),
  timeoutMillis: 5000
})

const empty: Script = (_, response) => answer(response, { header: { revision: "9" } })

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "done",
    (error: unknown) => error
  )

const first = async (iterable: AsyncIterable<unknown>): Promise<unknown> => iterable[Symbol.asyncIterator]().next()

describe("a client of promises that is closed", () => {
  const uses: { readonly [name: string]: (client: PromiseClient) => Promise<unknown> } = {
    get: (client) => client.get("k"),
    range: (client) => client.range("k"),
    list: (client) => first(client.list("k")),
    put: (client) => client.put("k", "v"),
    touch: (client) => client.touch("k"),
    delete: (client) => client.delete("k"),
    compact: (client) => client.compact(1),
    watch: (client) => first(client.watch("k")),
    watchBatches: (client) => first(client.watchBatches("k")),
    lease: (client) => client.lease({ ttlSeconds: 5 }),
    lock: (client) => client.lock("l"),
    tryLock: (client) => client.tryLock("l"),
    campaign: (client) => client.campaign("l", "v"),
    leader: (client) => client.leader("l"),
    observe: (client) => first(client.observe("l")),
    "values get": (client) => client.values(Schema.String).get("k"),
    "values watch": (client) => first(client.values(Schema.String).watch("k"))
  }
  for (const [name, use] of Object.entries(uses)) {
    it(`refuses: ${name}`, async () => {
      await using gateway = await ScriptedGateway.listen(empty)
      const client = await connect(optionsOf(gateway.endpoint))
      const closing = client.close()
      // From the moment on at which it is told to.
      assert.instanceOf(await outcomeOf(use(client)), ClientClosed)
      await closing
      assert.instanceOf(await outcomeOf(use(client)), ClientClosed)
      await client.close()
      assert.deepEqual(gateway.asked, [])
    })
  }

  it("ends what is iterated without an error", async () => {
    await using gateway = await ScriptedGateway.listen((_, response) => response.writeHead(200).flushHeaders())
    const client = await connect(optionsOf(gateway.endpoint))
    const next = first(client.watch("k"))
    await eventually("the watch", async () => (gateway.asked.length > 0 ? true : undefined))
    await client.close()
    assert.deepEqual(await next, { done: true, value: undefined })
  })

  it("says of what is under way what it knows", async () => {
    await using gateway = await ScriptedGateway.listen(() => undefined)
    const client = await connect(optionsOf(gateway.endpoint, gateway.endpoint))
    const under = [client.get("k"), client.put("k", "v")].map(outcomeOf)
    await eventually("both", async () => (gateway.asked.length === 2 ? true : undefined))
    await client.close()
    const [read, write] = await Promise.all(under)
    assert.instanceOf(read, ClientClosed)
    assert.strictEqual((write as { readonly _tag: string })._tag, "OutcomeUnknown")
    assert.strictEqual(gateway.asked.length, 2)
  })
})

describe("a client whose scope has ended", () => {
  it("refuses what is asked of its services, and gives up trying again", async () => {
    await using gateway = await ScriptedGateway.listen(empty)
    const scope = Scope.makeUnsafe()
    const dead = optionsOf(await nobody())
    const context = await Effect.runPromise(Layer.buildWithScope(Client.layer(dead), scope))
    const asked = Effect.gen(function* () {
      const kv = yield* Kv
      const watch = yield* Watch
      return { get: Effect.flip(kv.get("k")), watch: Effect.flip(Stream.runDrain(watch.events("k"))) }
    }).pipe(Effect.provide(context), Effect.runSync)
    // Nobody is there, so it tries again; when it is closed it stops.
    const trying = Effect.runPromise(asked.get)
    await Effect.runPromise(Scope.close(scope, Exit.void))
    assert.instanceOf(await trying, ClientClosed)
    assert.instanceOf(await Effect.runPromise(asked.get), ClientClosed)
    assert.instanceOf(await Effect.runPromise(asked.watch), ClientClosed)
    assert.deepEqual(gateway.asked, [])
  })
})
