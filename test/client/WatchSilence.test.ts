/** Watches of servers that are there and do not serve: stopped, full, or without what is asked for. */
import { Effect, Stream } from "effect"
import type { ServerResponse } from "node:http"
import { assert, describe, it } from "vitest"
import type { Endpoint } from "../../src/client/Endpoint.ts"
import type { Cluster } from "../../src/client/Gateway.ts"
import * as Watch from "../../src/client/Watch.ts"
import type { WatchOptions } from "../../src/client/WatchConnection.ts"
import { answer, type Script, ScriptedGateway } from "./ScriptedGateway.ts"
import { at, created, cut, events, follow, line, send, startOf } from "./WatchScripts.ts"

it("a watch that is canceled by compaction says so, though the server only gives the revision", async () => {
  await using gateway = await ScriptedGateway.listen((_, response) =>
    send(response, created, line({ header: {}, canceled: true, compact_revision: "7" }))
  )
  const watching = Watch.make(at(gateway.endpoint)).events("k", { startRevision: 3 }).pipe(Stream.runDrain, Effect.flip)
  const error = await Effect.runPromise(watching)
  assert.match(error.message, /required revision has been compacted/)
  assert.strictEqual(error._tag === "Compacted" && error.compactRevision, 7)
})

it("a watch that has begun waits for a server that is full for the moment, and one that begins is told", async () => {
  const full = { error: "balsa: too many streams", message: "balsa: too many streams", code: 8 }
  await using gateway = await ScriptedGateway.listen((_, response, at) => {
    if (at === 0) cut(response, created, events("a3"))
    else if (at < 4) answer(response, full, 429)
    else send(response, created, events("z4"))
  })
  assert.deepStrictEqual(await follow(at(gateway.endpoint)), ["a3", "z4"])
  await using always = await ScriptedGateway.listen((_, response) => answer(response, full, 429))
  assert.deepStrictEqual(await follow(at(always.endpoint)), ["RequestRefused"])
})

describe("a watch whose connection stands while nothing comes", () => {
  const quiet = (...endpoints: ReadonlyArray<Endpoint>): Cluster => ({
    ...at(...endpoints),
    timeoutMillis: 200,
    quietMillis: 20
  })
  /** As a process that is stopped, whose kernel goes on. */
  const hangs: Script = ({ path }, response) => {
    if (path === "/v3/watch") send(response, created, events("a3"))
  }

  it("goes on elsewhere when the server does not answer either", async () => {
    await using first = await ScriptedGateway.listen(hangs)
    await using second = await ScriptedGateway.listen((_, response) => send(response, created, events("z4")))
    const notices: Array<string> = []
    const notice: WatchOptions["notice"] = (told) => Effect.sync(() => notices.push(told._tag))
    assert.deepStrictEqual(await follow(quiet(first.endpoint, second.endpoint), { notice }), ["a3", "z4"])
    assert.deepStrictEqual(notices, ["Broken", "Resumed"])
    assert.deepStrictEqual(second.asked.map(startOf), ["4"])
  })

  it("stays where the server answers, whatever it says", async () => {
    let watching: ServerResponse | undefined
    let questions = 0
    await using first = await ScriptedGateway.listen(({ path }, response) => {
      if (path === "/v3/watch") {
        watching = response
        return send(response, created, events("a3"))
      }
      answer(response, { error: "not for you", code: 7 }, 403)
      if (++questions === 4) send(watching!, events("z4"))
    })
    await using second = await ScriptedGateway.listen(hangs)
    assert.deepStrictEqual(await follow(quiet(first.endpoint, second.endpoint)), ["a3", "z4"])
    assert.deepStrictEqual(second.asked, [])
  })

  it("asks once for all watches at one server", async () => {
    const watching: Array<ServerResponse> = []
    let questions = 0
    await using gateway = await ScriptedGateway.listen(({ path }, response) => {
      if (path === "/v3/watch") {
        watching.push(response)
        return send(response, created)
      }
      answer(response, {})
      if (++questions === 3) for (const one of watching) send(one, events("z4"))
    })
    const cluster = { ...quiet(gateway.endpoint), quietMillis: 100 }
    const seen = await Promise.all(Array.from({ length: 20 }, () => follow(cluster)))
    assert.deepStrictEqual(new Set(seen.flat()), new Set(["z4"]))
    assert.strictEqual(watching.length, 20)
    assert.isBelow(questions, 20)
  })
})
