/** Watches of gateways that fail in every way: what they go on with, what they hand on, and when they give up. */
import { Effect, Stream } from "effect"
import { assert, describe, it } from "vitest"
import * as Watch from "../../src/client/Watch.ts"
import { eventually } from "../process/RealCluster.ts"
import { answer, nobody, type Script, ScriptedGateway } from "./ScriptedGateway.ts"
import { at, base64, created, cut, events, follow, line, send, startOf } from "./WatchScripts.ts"

describe("a watch goes on", () => {
  const table: ReadonlyArray<readonly [what: string, first: Script, seen: ReadonlyArray<string>, goesOnFrom: string]> =
    [
      ["after a cut between lines", (_, response) => cut(response, created, events("a3 b4")), ["a3", "b4"], "5"],
      [
        "after a cut within a line",
        (_, response) => cut(response, created, events("a3"), events("b4").slice(0, -20)),
        ["a3"],
        "4"
      ],
      [
        "after a cut within a revision",
        (_, response) => cut(response, created, events("a3 b4", { fragment: true }), events("c4", { fragment: true })),
        ["a3"],
        "4"
      ],
      [
        "after an end of the answer",
        (_, response) => {
          send(response, created, events("a3"))
          response.end()
        },
        ["a3"],
        "4"
      ],
      [
        "after an end within a line",
        (_, response) => {
          send(response, created, events("a3"), `{"result":`)
          response.end()
        },
        ["a3"],
        "4"
      ],
      [
        "when the member loses its leader",
        (_, response) =>
          send(
            response,
            created,
            events("a3"),
            `{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}}\n`
          ),
        ["a3"],
        "4"
      ],
      [
        "when the server stops",
        (_, response) =>
          send(response, created, events("a3"), `{"error":{"grpc_code":1,"message":"context canceled"}}\n`),
        ["a3"],
        "4"
      ],
      [
        "when the server has too much to do, in its stream",
        (_, response) =>
          send(
            response,
            created,
            events("a3"),
            `{"error":{"grpc_code":8,"http_code":429,"message":"etcdserver: too many requests"}}\n`
          ),
        ["a3"],
        "4"
      ],
      [
        "when it is canceled by a server that has lost its leader",
        (_, response) =>
          send(response, created, events("a3"), line({ canceled: true, cancel_reason: "etcdserver: no leader" })),
        ["a3"],
        "4"
      ],
      [
        "when it is canceled after it has begun, for others have all the room",
        (_, response) =>
          send(
            response,
            created,
            events("a3"),
            line({ canceled: true, cancel_reason: "balsa: 9 watch (maxWatchers)" })
          ),
        ["a3"],
        "4"
      ],
      ["after a bookmark", (_, response) => cut(response, created, line({ header: { revision: "8" } })), [], "9"],
      ["when nothing came", (_, response) => cut(response, created), [], "3"],
      ["when it was not even taken", (_, response) => void response.socket?.destroy(), [], "3"],
      [
        "when it was refused by a member without a leader",
        (_, response) => answer(response, { error: { grpc_code: 14, message: "etcdserver: no leader" } }, 503),
        [],
        "3"
      ]
    ]
  for (const [what, first, seen, goesOnFrom] of table) {
    it(what, async () => {
      await using gateway = await ScriptedGateway.listen((asked, response, at) => {
        if (at === 0) return first(asked, response, at)
        send(response, created, events("z9"))
      })
      assert.deepEqual(await follow(at(gateway.endpoint)), [...seen, "z9"])
      assert.deepEqual(gateway.asked.map(startOf), ["3", goesOnFrom])
    })
  }

  it("with another endpoint, and comes back only when that fails, too", async () => {
    const script: Script = (_, response, at) => cut(response, created, ...(at === 0 ? [events("a3")] : []))
    await using first = await ScriptedGateway.listen(script)
    await using second = await ScriptedGateway.listen((_, response, at) =>
      at === 0 ? cut(response, created, events("b4")) : send(response, created, events("z5"))
    )
    const seen = await follow(at(await nobody(), first.endpoint, second.endpoint))
    assert.deepEqual(seen, ["a3", "b4", "z5"])
    assert.deepEqual(
      [first.asked.map(startOf), second.asked.map(startOf)],
      [
        ["3", "5"],
        ["4", "5"]
      ]
    )
  })

  it("without a start from where the first connection began", async () => {
    await using gateway = await ScriptedGateway.listen((_, response, at) =>
      at === 0 ? cut(response, created) : send(response, created, events("z12"))
    )
    assert.deepEqual(await follow(at(gateway.endpoint), { startRevision: undefined }), ["z12"])
    assert.deepEqual(gateway.asked.map(startOf), [undefined, "10"])
  })

  it("and asks each time for the same, of a member that has a leader", async () => {
    await using gateway = await ScriptedGateway.listen((_, response, at) =>
      at === 0 ? cut(response, created) : send(response, created, events("z9"))
    )
    await follow(at(gateway.endpoint), { previous: true, only: "puts", progress: true })
    const [first, again] = gateway.asked
    assert.deepEqual(first?.body, again?.body)
    assert.deepEqual(first?.body["create_request"], {
      key: base64("k"),
      start_revision: "3",
      prev_kv: true,
      progress_notify: true,
      fragment: true,
      filters: ["NODELETE"]
    })
    assert.strictEqual(first?.headers["grpc-metadata-hasleader"], "true")
  })
})

/** Full, in every way in which a server says so on a stream. */
const full = {
  "by an error": `{"error":{"grpc_code":8,"http_code":429,"message":"etcdserver: too many requests"}}\n`,
  "by canceling at once": line({ created: true, canceled: true, cancel_reason: "balsa: 9 watch already (maxWatchers)" })
}

describe("a watch of a server that is full, and says so on the stream", () => {
  for (const [what, refusal] of Object.entries(full)) {
    it(`is refused where it begins (${what})`, async () => {
      await using gateway = await ScriptedGateway.listen((_, response) => send(response, refusal))
      assert.deepEqual(await follow(at(gateway.endpoint)), ["RequestRefused"])
      assert.strictEqual(gateway.asked.length, 1)
    })

    it(`goes on when there is room, once it has begun (${what})`, async () => {
      await using gateway = await ScriptedGateway.listen((_, response, at) => {
        if (at === 0) cut(response, created, events("a3"))
        else send(response, ...(at < 4 ? [refusal] : [created, events("z9")]))
      })
      assert.deepEqual(await follow(at(gateway.endpoint)), ["a3", "z9"])
      assert.deepEqual(gateway.asked.map(startOf), ["3", "4", "4", "4", "4"])
    })
  }
})

describe("a watch ends", () => {
  const cases: ReadonlyArray<readonly [what: string, pieces: ReadonlyArray<string>, seen: ReadonlyArray<string>]> = [
    [
      "where the history is compacted, after what came before",
      [created, events("a3") + line({ header: {}, canceled: true, compact_revision: "7" })],
      ["a3", "Compacted"]
    ],
    [
      "when it is not allowed",
      [line({ created: true, canceled: true, cancel_reason: "etcdserver: permission denied" })],
      ["Unauthorized"]
    ],
    ["when it is canceled for another reason", [created, line({ canceled: true })], ["RequestRefused"]],
    [
      "when what it asks for is too large, which is told with the code of a limit",
      [
        created,
        `{"error":{"grpc_code":8,"http_code":413,"message":"balsa: the request body is longer than 9 bytes"}}\n`
      ],
      ["RequestRefused"]
    ],
    ["at a line that is none", [created, events("a3"), "nonsense\n"], ["a3", "UnexpectedAnswer"]]
  ]
  for (const [what, pieces, seen] of cases) {
    it(what, async () => {
      await using gateway = await ScriptedGateway.listen((_, response) => send(response, ...pieces))
      assert.deepEqual(await follow(at(gateway.endpoint)), seen)
      assert.strictEqual(gateway.asked.length, 1)
    })
  }

  it("when nobody takes it in time at first", async () => {
    const cluster = { ...at(await nobody()), timeoutMillis: 100 }
    assert.deepEqual(await follow(cluster), ["ClusterUnavailable"])
  })

  it("when a gateway takes it, and is silent", async () => {
    await using gateway = await ScriptedGateway.listen((_, response) => response.writeHead(200).flushHeaders())
    assert.deepEqual(await follow({ ...at(gateway.endpoint), timeoutMillis: 200 }), ["ReadUnanswered"])
  })

  it("later only when it is told to give up", async () => {
    await using gateway = await ScriptedGateway.listen((_, response, at) =>
      at === 0
        ? cut(response, created, events("a3"))
        : answer(response, { code: 14, message: "etcdserver: no leader" }, 503)
    )
    assert.deepEqual(await follow(at(gateway.endpoint), { reconnectMillis: 300 }), ["a3", "ClusterUnavailable"])
    assert.isAbove(gateway.asked.length, 3)
  })
})

describe("a watch that is read slowly", () => {
  it("makes the server wait, and has everything in the end", async () => {
    const count = 300
    let sent = 0
    await using gateway = await ScriptedGateway.listen((_, response) => {
      send(response, created)
      const go = (): void => {
        while (sent < count) {
          const value = base64("x".repeat(300_000))
          sent++
          const kv = { key: base64("k"), mod_revision: String(2 + sent), value }
          if (!response.write(line({ events: [{ kv }] }))) return void response.once("drain", go)
        }
      }
      go()
    })
    let seen = 0
    let most = 0
    await Effect.runPromise(
      Watch.make(at(gateway.endpoint))
        .events("k", { startRevision: 3 })
        .pipe(
          Stream.take(count),
          Stream.runForEach(() =>
            Effect.promise(async () => {
              seen++
              most = Math.max(most, sent - seen)
              // At first nobody reads until the server has nowhere to write to.
              if (seen > 1) return
              let before = -1
              let looks = 0
              await eventually("the server waits", async () => {
                looks = before === sent ? looks + 1 : 0
                before = sent
                return looks === 10 || undefined
              })
            })
          )
        )
    )
    assert.strictEqual(seen, count)
    // 400 kB each: what the kernel keeps for the connection, and a piece at each end.
    assert.isBelow(most, 50)
  })
})
