/**
 * A configuration that several programs share, as promises: typed values, a watch, a change that nobody else can come in between
 * of, and a lock whose token fences. Then workers with Effect. Needs a Balsa or an etcd:
 *
 *     BALSA_ENDPOINTS=127.0.0.1:7401 npm run example client
 */
import { Schema } from "effect"
import { Compare, connect, prefixRange, Txn } from "../../src/client.ts"
import { work } from "./workers.ts"

const endpoints = (process.env["BALSA_ENDPOINTS"] ?? "127.0.0.1:7401").split(",")

await using client = await connect({ endpoints })
const everything = prefixRange("example/")
await client.delete(everything)

const Service = Schema.Struct({ host: Schema.String, port: Schema.Int })
const services = client.values(Service)
const { revision } = await services.put("example/service/a", { host: "10.0.0.1", port: 80 })
await services.put("example/service/b", { host: "10.0.0.2", port: 80 })
console.log("two services are registered")

// From the revision on, whatever happens to connections and leaders: every change once, in order.
const watched = (async () => {
  for await (const event of services.watch(prefixRange("example/service/"), { startRevision: revision })) {
    if (event._tag === "Delete") return console.log("watched: one is gone")
    console.log(`watched: ${event.entry.value.host}:${event.entry.value.port}`)
  }
})()

// Nobody changes it between the look and the write; the answers have the types of the operations.
const before = await services.get("example/service/b")
const moved = await client.txn(
  Txn.when(Compare.modRevision("example/service/b").equals(before?.modRevision ?? 0))
    .andThen(Txn.put("example/service/b", await services.encode("example/service/b", { host: "10.0.0.3", port: 443 })))
    .orElse(Txn.get("example/service/b"))
)
console.log(moved.succeeded ? "moved" : `somebody else was here: ${moved.answers[0]?.modRevision}`)

{
  // Given back at the end of the block, or by itself when this process dies.
  await using lock = await client.lock("example/migration", { ttlSeconds: 10 })
  // Not even a process that was asleep for an hour writes this without holding the lock.
  const guarded = await client.txn(Txn.when(lock.isHeld).andThen(Txn.put("example/schema", "2")))
  console.log(guarded.succeeded ? "migrated, under a lock" : "the lock was lost")
}

await client.delete("example/service/a")
await watched
await work(endpoints)
await client.delete(everything)
