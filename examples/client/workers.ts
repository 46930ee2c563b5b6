/** Workers with Effect: one leads at a time, and what it does ends when it does not lead any more. */
import { Effect } from "effect"
import { Client, Election, Kv, Txn } from "../../src/client.ts"

const worker = (name: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const election = yield* Election
      const kv = yield* Kv
      const leadership = yield* election.campaign("example/leader", name, { ttlSeconds: 10 })
      // Interrupted, with LeaseLost, when the lease is: nobody works without leading.
      yield* leadership.during(
        kv.txn(Txn.when(leadership.isHeld).andThen(Txn.put(`example/done/${name}`, String(leadership.token))))
      )
    })
  )

const program = Effect.gen(function* () {
  const kv = yield* Kv
  yield* Effect.all([worker("ann"), worker("bob"), worker("cid")], { concurrency: "unbounded" })
  const tokens = yield* Effect.forEach(["ann", "bob", "cid"], (name) => kv.get(`example/done/${name}`))
  const distinct = new Set(tokens.map((found) => Buffer.from(found?.value ?? "").toString()))
  const leader = yield* (yield* Election).leader("example/leader")
  console.log(
    `three workers led, under ${distinct.size} different tokens; ${leader === undefined ? "nobody" : "somebody"} leads now`
  )
})

export const work = (endpoints: ReadonlyArray<string>): Promise<void> =>
  Effect.runPromise(program.pipe(Effect.provide(Client.layer({ endpoints }))))
