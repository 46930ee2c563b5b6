/** A watch of a real etcd, and of a real Balsa, while its connections are cut and its leaders die: every revision once, in order. */
import { Effect, Fiber, Stream } from "effect"
import { assert, describe } from "vitest"
import * as Client from "../../src/client/Client.ts"
import { prefixRange } from "../../src/client/KeyRange.ts"
import { Kv } from "../../src/client/Kv.ts"
import * as Txn from "../../src/client/Txn.ts"
import { Watch } from "../../src/client/Watch.ts"
import { stream } from "../../src/sim/Random.ts"
import { itNeeds } from "../faults/Probe.ts"
import { Proxy } from "../process/Proxy.ts"
import { stores } from "./AskStores.ts"

/** A write that a dying leader took waits for seven seconds at etcd. */
const patienceMillis = 180_000

interface Seen {
  readonly revision: number
  readonly key: string
}

/** From the revision on, until a key that ends in `/end`. */
const follow = (prefix: string, startRevision: number, onBatch: () => void) =>
  Effect.flatMap(Watch, (watch) => {
    const seen: Array<Seen> = []
    return watch.batches(prefixRange(prefix), { startRevision }).pipe(
      Stream.tap((batch) =>
        Effect.sync(() => {
          onBatch()
          if (batch._tag !== "Events") return
          for (const { kv } of batch.events) {
            seen.push({ revision: kv.modRevision, key: Buffer.from(kv.key).toString() })
          }
        })
      ),
      Stream.takeUntil(() => seen.at(-1)?.key.endsWith("/end") === true),
      Stream.runDrain,
      Effect.as(seen)
    )
  })

/** What was acknowledged, a few keys to a revision, large enough that a cut falls into the midst of some. */
const writeAll = (
  prefix: string,
  count: number,
  random: ReturnType<typeof stream>,
  isEnough: () => boolean = () => true
) =>
  Effect.gen(function* () {
    const kv = yield* Kv
    const written: Array<Seen> = []
    // How many batches a watcher gets of so many revisions is a matter of speed.
    for (let at = 0; at < count || (!isEnough() && at < 20 * count); at++) {
      const keys = Array.from({ length: 1 + random.below(4) }, (_, key) => `${prefix}${at}/${key}`)
      const value = new Uint8Array(random.below(60_000))
      const transaction = Txn.when().andThen(...keys.map((key) => Txn.put(key, value)))
      // Without an answer it may be there, and then twice: the keys tell.
      const { revision } = yield* Effect.retry(kv.txn(transaction), { times: 50 })
      written.push(...keys.map((key) => ({ revision, key })))
    }
    return written
  })

const writeEnd = (prefix: string) => Effect.flatMap(Kv, (kv) => Effect.retry(kv.put(`${prefix}end`, ""), { times: 50 }))

describe.each(stores)("a watch of a real $name", ({ needs, start }) => {
  itNeeds(
    needs,
    "sees every revision once and in order while a proxy cuts its connections at random",
    async () => {
      const random = stream(7, "cuts")
      await using cluster = await start(1)
      const proxy = await Proxy.listen(cluster.ports[0]!)
      try {
        const direct = Client.layer({ endpoints: cluster.endpoints })
        const through = Client.layer({
          endpoints: [`127.0.0.1:${proxy.port}`],
          backoff: { firstMillis: 1, maxMillis: 5 }
        })
        let cuts = 0
        const onBatch = (): void => {
          if (!random.chance(0.4)) return
          cuts++
          // What comes next is cut in its midst.
          proxy.tear()
        }
        const [seen, written] = await Effect.runPromise(
          Effect.all(
            [
              follow("cut/", 2, onBatch).pipe(Effect.provide(through)),
              writeAll("cut/", 150, random, () => cuts > 15).pipe(Effect.tap(writeEnd("cut/")), Effect.provide(direct))
            ],
            { concurrency: 2 }
          )
        )
        assert.deepEqual(seen.slice(0, -1), written)
        assert.isAbove(cuts, 15)
      } finally {
        await proxy.close()
      }
    },
    patienceMillis
  )

  itNeeds(
    needs,
    "goes on with another member when its own dies, leader or not",
    async () => {
      const random = stream(8, "leaders")
      await using cluster = await start(3)
      const { endpoints } = cluster
      const layer = Client.layer({ endpoints, timeoutMillis: 10_000, backoff: { firstMillis: 5, maxMillis: 100 } })
      const program = Effect.gen(function* () {
        const watching = yield* Effect.forkChild(follow("lead/", 2, () => {}))
        const written: Array<Seen> = []
        for (let round = 0; round < 2; round++) {
          written.push(...(yield* writeAll(`lead/${round}/`, 20, random)))
          const leader = yield* Effect.promise(() => cluster.leader())
          yield* Effect.promise(() => cluster.kill(leader))
          written.push(...(yield* writeAll(`lead/${round}/without/`, 20, random)))
          cluster.run(leader)
          yield* Effect.promise(() => cluster.healthy(leader))
        }
        yield* writeEnd("lead/")
        return { seen: yield* Fiber.join(watching), written }
      })
      const { seen, written } = await Effect.runPromise(program.pipe(Effect.provide(layer)))
      const revisions = seen.map(({ revision }) => revision)
      assert.deepEqual(
        revisions,
        revisions.toSorted((a, b) => a - b)
      )
      const names = seen.map(({ revision, key }) => `${revision} ${key}`)
      assert.strictEqual(new Set(names).size, names.length, "nothing twice")
      for (const { revision, key } of written) assert.include(names, `${revision} ${key}`)
    },
    patienceMillis
  )
})
