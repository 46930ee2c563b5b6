/** Keys, watches and leases of the client, against a real etcd and a real Balsa. */
import { Effect, Schema, Stream } from "effect"
import { assert, describe } from "vitest"
import * as Compare from "../../src/client/Compare.ts"
import { between, fromKey, prefixRange } from "../../src/client/KeyRange.ts"
import { Kv } from "../../src/client/Kv.ts"
import { Lease } from "../../src/client/Lease.ts"
import { LeaseId } from "../../src/client/LeaseId.ts"
import * as Txn from "../../src/client/Txn.ts"
import * as Values from "../../src/client/Values.ts"
import { Watch } from "../../src/client/Watch.ts"
import { itAsks, tag, text } from "./AskStores.ts"

describe("keys of a real store", () => {
  itAsks(
    "are put, read, read as they were, and deleted",
    Effect.gen(function* () {
      const kv = yield* Kv
      const first = yield* kv.put("kv/a", "one")
      assert.isUndefined(first.previous)
      const second = yield* kv.put("kv/a", Uint8Array.of(0xff, 0), { previous: true })
      assert.strictEqual(text(second.previous?.value), "one")
      assert.strictEqual(second.revision, first.revision + 1)
      const now = yield* kv.get("kv/a")
      assert.deepEqual([...(now?.value ?? [])], [0xff, 0])
      assert.deepEqual(
        [now?.createRevision, now?.modRevision, now?.version, now?.lease],
        [first.revision, second.revision, 2, undefined]
      )
      assert.strictEqual(text((yield* kv.get("kv/a", { revision: first.revision }))?.value), "one")
      assert.isUndefined(yield* kv.get("kv/none"))
      const removed = yield* kv.delete("kv/a", { previous: true })
      assert.deepEqual([removed.deleted, removed.previous.length], [1, 1])
      assert.strictEqual((yield* kv.delete("kv/a")).deleted, 0)
    })
  )

  itAsks(
    "are listed with every option",
    Effect.gen(function* () {
      const kv = yield* Kv
      for (const [key, value] of [
        ["r/a", "3"],
        ["r/b", "1"],
        ["r/c", "2"],
        ["r/b", "1"]
      ] as const) {
        yield* kv.put(key, value)
      }
      const keys = (options: Parameters<typeof kv.range>[1], range = prefixRange("r/")) =>
        Effect.map(kv.range(range, options), ({ kvs }) => kvs.map(({ key }) => text(key)!.slice(2)).join(""))
      assert.strictEqual(yield* keys({}), "abc")
      assert.strictEqual(yield* keys({ sort: { by: "value" } }), "bca")
      assert.strictEqual(yield* keys({ sort: { by: "mod", descending: true } }), "bca")
      assert.strictEqual(yield* keys({ sort: { by: "create", descending: true } }), "cba")
      assert.strictEqual(yield* keys({ sort: { by: "version", descending: true }, limit: 1 }), "b")
      assert.strictEqual(yield* keys({ sort: { by: "key", descending: true } }), "cba")
      assert.strictEqual(yield* keys({}, between("r/a", "r/c")), "ab")
      assert.include(yield* keys({}, fromKey("r/b")), "bc")
      const all = (yield* kv.range(prefixRange("r/"))).kvs
      assert.strictEqual(yield* keys({ minModRevision: all[1]!.modRevision }), "b")
      assert.strictEqual(yield* keys({ maxModRevision: all[0]!.modRevision }), "a")
      assert.strictEqual(yield* keys({ minCreateRevision: all[2]!.createRevision }), "c")
      assert.strictEqual(yield* keys({ maxCreateRevision: all[0]!.createRevision }), "a")
      assert.strictEqual(yield* keys({ serializable: true }), "abc")
      const limited = yield* kv.range(prefixRange("r/"), { limit: 2 })
      assert.deepEqual([limited.kvs.length, limited.more, limited.count], [2, true, 3])
      const counted = yield* kv.range(prefixRange("r/"), { countOnly: true })
      assert.deepEqual([counted.kvs.length, counted.count], [0, 3])
      const bare = yield* kv.range("r/a", { keysOnly: true })
      assert.strictEqual(bare.kvs[0]?.value.length, 0)
    })
  )

  itAsks(
    "are streamed page by page as of one revision, whatever is written meanwhile",
    Effect.gen(function* () {
      const kv = yield* Kv
      for (let at = 0; at < 25; at++) yield* kv.put(`s/${String(at).padStart(2, "0")}`, `${at}`)
      const seen: Array<string> = []
      yield* Stream.runForEach(kv.stream(prefixRange("s/"), { pageSize: 4 }), ({ key, value }) =>
        Effect.gen(function* () {
          seen.push(text(value)!)
          yield* kv.put("s/99", "late")
          yield* kv.delete(`s/${text(key)!.slice(2) === "00" ? "01" : "none"}`)
        })
      )
      assert.deepEqual(
        seen,
        Array.from({ length: 25 }, (_, at) => `${at}`)
      )
    })
  )

  itAsks(
    "tell by type what is refused",
    Effect.gen(function* () {
      const kv = yield* Kv
      const { revision } = yield* kv.put("e/a", "1")
      yield* kv.put("e/a", "2")
      yield* kv.compact(revision + 1, { physical: true })
      assert.strictEqual(yield* tag(kv.get("e/a", { revision })), "Compacted")
      assert.strictEqual(yield* tag(kv.compact(revision)), "Compacted")
      assert.strictEqual(yield* tag(kv.get("e/a", { revision: 1_000_000 })), "FutureRevision")
      assert.strictEqual(yield* tag(kv.put("e/a", "1", { lease: LeaseId(12345n) })), "LeaseNotFound")
      assert.strictEqual(yield* tag(kv.touch("e/none")), "KeyNotFound")
      assert.strictEqual(yield* tag(kv.put("", "1")), "RequestRefused")
      const puts = Array.from({ length: 129 }, (_, at) => Txn.put(`e/${at}`, ""))
      assert.strictEqual(yield* tag(kv.txn(Txn.when().andThen(...puts))), "TooManyOperations")
      assert.strictEqual(
        yield* tag(kv.txn(Txn.when().andThen(Txn.put("e/a", "1"), Txn.put("e/a", "2")))),
        "DuplicateKey"
      )
    })
  )

  itAsks(
    "change in transactions, whose answers have the types of their operations",
    Effect.gen(function* () {
      const kv = yield* Kv
      yield* kv.put("t/a", "1")
      const transaction = Txn.when(
        Compare.value("t/a").equals("1"),
        Compare.version("t/a").greater(0),
        Compare.createRevision("t/a").greater(1),
        Compare.modRevision("t/a").differs(1),
        Compare.lease("t/a").equals(undefined),
        Compare.isMissing("t/b"),
        Compare.version(prefixRange("t/")).less(2)
      )
        .andThen(
          Txn.put("t/b", "2", { previous: true }),
          Txn.get("t/a"),
          Txn.nested(Txn.when(Compare.isMissing("t/b")).andThen(Txn.range(prefixRange("t/"))))
        )
        .orElse(Txn.remove("t/b", { previous: true }), Txn.get("t/none"))
      const first = yield* kv.txn(transaction)
      if (!first.succeeded) return assert.fail("every comparison holds")
      assert.isUndefined(first.answers[0].previous)
      assert.strictEqual(text(first.answers[1]?.value), "1")
      const nested = first.answers[2]
      assert.isTrue(nested.succeeded)
      assert.deepEqual(
        nested.succeeded && nested.answers[0].kvs.map(({ key }) => text(key)),
        ["t/a", "t/b"],
        "it sees what was put before, though its comparison did not"
      )
      const second = yield* kv.txn(transaction)
      if (second.succeeded) return assert.fail("t/b is there")
      assert.strictEqual(text(second.answers[0].previous[0]?.value), "2")
      assert.isUndefined(second.answers[1])
    })
  )

  itAsks(
    "hold values of a type, and say which do not",
    Effect.gen(function* () {
      const kv = yield* Kv
      const watch = yield* Watch
      const people = Values.of(Schema.Struct({ name: Schema.NonEmptyString, born: Schema.Date }), kv, watch)
      const { revision } = yield* people.put("p/ann", { name: "Ann", born: new Date(0) })
      assert.deepEqual((yield* people.get("p/ann"))?.value, { name: "Ann", born: new Date(0) })
      assert.isUndefined(yield* people.get("p/none"))
      assert.strictEqual(yield* tag(people.put("p/bob", { name: "", born: new Date(0) })), "ValueRefused")
      yield* kv.put("p/bad", "no JSON")
      const error = yield* Effect.flip(Stream.runCollect(people.stream(prefixRange("p/"))))
      assert.match(error.message, /^what stands under "p\/bad" \(revision \d+\) is no such value: /)
      yield* kv.delete("p/ann")
      const events = yield* people.watch("p/ann", { startRevision: revision }).pipe(Stream.take(2), Stream.runCollect)
      assert.deepEqual(
        events.map((event) => (event._tag === "Put" ? event.entry.value.name : event._tag)),
        ["Ann", "Delete"]
      )
    })
  )
})

describe("watches of a real store", () => {
  itAsks(
    "have prefix, previous values, one kind of event, and a start in the past",
    Effect.gen(function* () {
      const kv = yield* Kv
      const watch = yield* Watch
      const { revision } = yield* kv.put("w/a", "1")
      yield* kv.put("w/a", "2")
      yield* kv.put("x/a", "not here")
      yield* kv.delete("w/a")
      yield* kv.put("w/b", "3")
      const seen = (options: Parameters<typeof watch.events>[1], count: number) =>
        watch.events(prefixRange("w/"), { startRevision: revision, ...options }).pipe(
          Stream.take(count),
          Stream.map(
            ({ _tag, kv, previous }) => `${_tag} ${text(kv.key)} ${text(kv.value)} ${text(previous?.value) ?? "-"}`
          ),
          Stream.runCollect
        )
      assert.deepEqual(yield* seen({ previous: true }, 4), [
        "Put w/a 1 -",
        "Put w/a 2 1",
        "Delete w/a  2",
        "Put w/b 3 -"
      ])
      assert.deepEqual(yield* seen({ only: "deletes" }, 1), ["Delete w/a  -"])
      assert.deepEqual(yield* seen({ only: "puts", fragment: false }, 3), ["Put w/a 1 -", "Put w/a 2 -", "Put w/b 3 -"])
    })
  )

  itAsks(
    "say when they have begun, and see everything after that",
    Effect.gen(function* () {
      const kv = yield* Kv
      const watch = yield* Watch
      const { revision } = yield* kv.put("b/before", "")
      const batches = yield* watch.batches(prefixRange("b/")).pipe(
        Stream.tap(({ _tag }) => (_tag === "Started" ? Effect.orDie(kv.put("b/after", "")) : Effect.void)),
        Stream.take(2),
        Stream.runCollect
      )
      assert.deepEqual(
        batches.map((batch) => [batch._tag, batch.revision]),
        [
          ["Started", revision],
          ["Events", revision + 1]
        ]
      )
    })
  )

  itAsks(
    "hand on whole revisions, also those that come in fragments",
    Effect.gen(function* () {
      const kv = yield* Kv
      const watch = yield* Watch
      // Two revisions of 3 MB; etcd cuts at 1.5 MB.
      const value = new Uint8Array(30_000)
      const puts = (at: number) => Array.from({ length: 40 }, (_, key) => Txn.put(`f/${at}/${key}`, value))
      const { revision } = yield* kv.txn(Txn.when().andThen(...puts(0)))
      yield* kv.txn(Txn.when().andThen(...puts(1)))
      for (const fragment of [true, false]) {
        const batches = yield* watch.batches(prefixRange("f/"), { startRevision: revision, fragment }).pipe(
          Stream.filter(({ _tag }) => _tag === "Events"),
          Stream.takeUntil((batch) => batch.revision === revision + 1),
          Stream.runCollect
        )
        const events = batches.flatMap((batch) => (batch._tag === "Events" ? batch.events : []))
        assert.strictEqual(events.length, 80)
        for (const batch of batches) {
          if (batch._tag !== "Events") continue
          for (const one of [revision, revision + 1]) {
            const count = batch.events.filter(({ kv }) => kv.modRevision === one).length
            assert.include([0, 40], count, "a revision is in one batch or in none")
          }
        }
      }
    })
  )

  itAsks(
    "end with a typed error where the history is compacted",
    Effect.gen(function* () {
      const kv = yield* Kv
      const watch = yield* Watch
      const { revision } = yield* kv.put("c/a", "1")
      yield* kv.put("c/a", "2")
      yield* kv.compact(revision + 1)
      const error = yield* watch.events("c/a", { startRevision: revision }).pipe(Stream.runDrain, Effect.flip)
      assert.strictEqual(error._tag, "Compacted")
      assert.strictEqual(error._tag === "Compacted" && error.compactRevision, revision + 1)
    })
  )
})

describe("leases of a real store", () => {
  itAsks(
    "are granted, kept alive, listed and revoked",
    Effect.gen(function* () {
      const lease = yield* Lease
      const kv = yield* Kv
      const id = LeaseId(0x7000_0000_0000_0001n)
      assert.deepEqual(yield* lease.grant({ ttlSeconds: 100, id }), { id, ttlSeconds: 100 })
      assert.strictEqual(yield* tag(lease.grant({ ttlSeconds: 100, id })), "LeaseExists")
      yield* kv.put("l/a", "", { lease: id })
      assert.strictEqual((yield* kv.get("l/a"))?.lease, id)
      assert.strictEqual(yield* lease.keepAlive(id), 100)
      const { grantedSeconds, keys } = yield* lease.timeToLive(id, { keys: true })
      assert.deepEqual([grantedSeconds, keys.map(text)], [100, ["l/a"]])
      assert.include(yield* lease.list, id)
      yield* lease.revoke(id)
      assert.isUndefined(yield* kv.get("l/a"))
      assert.strictEqual(yield* tag(lease.revoke(id)), "LeaseNotFound")
      assert.strictEqual(yield* tag(lease.keepAlive(id)), "LeaseNotFound")
      assert.strictEqual(yield* tag(lease.timeToLive(id)), "LeaseNotFound")
    })
  )

  itAsks(
    "live as long as their scope, longer than they would by themselves",
    Effect.gen(function* () {
      const lease = yield* Lease
      const kv = yield* Kv
      const id = yield* Effect.scoped(
        Effect.gen(function* () {
          const held = yield* lease.make({ ttlSeconds: 2 })
          yield* kv.put("l/held", "", { lease: held.id })
          yield* held.during(Effect.sleep(4000))
          assert.isDefined(yield* kv.get("l/held"))
          return held.id
        })
      )
      assert.isUndefined(yield* kv.get("l/held"))
      assert.notInclude(yield* lease.list, id)
    })
  )

  itAsks(
    "that somebody revokes end what rests on them",
    Effect.gen(function* () {
      const lease = yield* Lease
      const error = yield* Effect.scoped(
        Effect.gen(function* () {
          const held = yield* lease.make({ ttlSeconds: 2 })
          yield* lease.revoke(held.id)
          return yield* Effect.flip(held.during(Effect.never))
        })
      )
      assert.strictEqual(error._tag, "LeaseLost")
    })
  )
})
