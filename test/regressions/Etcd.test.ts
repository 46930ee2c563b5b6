/**
 * Correctness bugs that etcd has had, each as one scenario that is always the same. Each scenario is told twice: of Balsa as it
 * is, and with something broken in the way in which etcd was broken; then it has to object.
 *
 * 14571 (members came to differ when authentication was switched on) has no place here: there is no authentication.
 */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { historySince } from "../../src/kv/KvCommand.ts"
import * as History from "../../src/kv/History.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import * as OrderedMap from "../../src/kv/OrderedMap.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import * as Script from "../../src/sim/Script.ts"
import { compact, del, put, read, scenario, txn } from "./Scenario.ts"
import { type Break, StoreStage } from "./StoreStage.ts"

describe("replicas that came to differ, and writes that were lost", () => {
  const busy = { snapshotLogEntries: 6, maxAppendEntries: 3 }
  const load = Array.from({ length: 18 }, (_, at) => {
    const kinds = [put(`k${at % 3}`), txn(put("a"), put("b")), put("c"), del("c"), compact(Math.max(1, at - 4))]
    return kinds[at % kinds.length]!
  })

  const crashUnderLoad = (broken?: Break): void => {
    for (let delivered = 0; delivered < 60; delivered += 3) {
      const cluster = new StoreStage("ABC", busy, broken)
      cluster.elect("A")
      for (const command of load) {
        cluster.ask("A", command)
        cluster.deliver(2)
      }
      cluster.deliver(delivered)
      const { answered } = cluster
      for (const { id } of cluster.members) cluster.crash(id)
      for (const { id } of cluster.members) cluster.start(id)
      cluster.elect("B")
      cluster.apply("B", put("after"))
      cluster.agrees()
      // What was answered before the crash is there, and each only once.
      assert.ok(cluster.member("B").state!.stateMachine.lastApplied > answered)
      assert.ok(cluster.state("B").revision <= load.length + 2)
    }
  }

  scenario("13766: a crash of all under load leaves all with one revision", crashUnderLoad, {
    objection: "replicas differ",
    broken: {
      // An image that holds an entry more than it says: what a replica starts from applies that one twice.
      effects: (effects) =>
        effects.map((effect) => {
          if (effect._tag !== "TakeSnapshot") return effect
          const ahead = KvMachine.apply(effect.image.value as KvState, put("k0"), {
            time: ClusterTime(0),
            version: historySince
          })
          return { ...effect, image: { ...effect.image, value: ahead[0] } }
        })
    }
  })

  scenario(
    "14370: a cluster of one loses nothing that was acknowledged",
    (broken?: Break) => {
      for (let effects = 0; effects < 4; effects++) {
        const cluster = new StoreStage("A", {}, broken)
        cluster.elect("A")
        cluster.apply("A", put("a", "1"))
        const { answered } = cluster
        cluster.member("A").crashAt = effects
        cluster.ask("A", put("a", "2"))
        const isAcknowledged = cluster.answered > answered
        cluster.start("A")
        cluster.elect("A")
        const value = Buffer.from(OrderedMap.get(cluster.state("A").keys, "a")!.value).toString()
        if (isAcknowledged) assert.equal(value, "2", "what was acknowledged is there")
      }
    },
    {
      objection: "what was acknowledged is there",
      // Answers leave before the record is on the disk.
      broken: {
        effects: (effects) =>
          effects.toSorted((one, other) => Number(other._tag === "Reply") - Number(one._tag === "Reply"))
      }
    }
  )

  scenario(
    "14685: a crash while what is compacted is done away with leaves all with one state",
    (broken?: Break) => {
      let times = 0
      for (let before = 0; before < 4; before++) {
        const cluster = new StoreStage("ABC", { snapshotLogEntries: 4 }, broken)
        cluster.elect("A")
        const many = txn(...Array.from({ length: 300 }, (_, at) => put(`k${at}`)))
        cluster.apply("A", ...Array.from({ length: before }, () => put("a")), many, many)
        cluster.apply("A", compact(cluster.state("A").revision))
        const last = cluster.member("C").disk.snapshots[0]?.image.value as KvState | undefined
        // It is in the middle of it: the first record is half gone.
        if ((last?.trimmed ?? 0) > 0) times++
        cluster.crash("C")
        cluster.start("C")
        cluster.apply("A", put("b"), put("c"))
        cluster.agrees()
      }
      assert.ok(times > 0)
    },
    { objection: "replicas differ", broken: { restored: (state) => ({ ...state, trimmed: 0 }) } }
  )

  scenario(
    "17780: a crash after a compaction at a deletion does not turn the revision back",
    (broken?: Break) => {
      const cluster = new StoreStage("ABC", { snapshotLogEntries: 4 }, broken)
      cluster.elect("A")
      cluster.apply("A", put("a"), del("a"), compact(3), put("x"), del("x"), compact(5))
      cluster.crash("C")
      cluster.start("C")
      cluster.tick("A")
      cluster.agrees()
      cluster.apply("A", put("a"))
      for (const { id } of cluster.members) assert.equal(cluster.state(id).revision, 6)
    },
    {
      objection: "replicas differ",
      broken: {
        // A revision that is worked out from the keys that are there.
        restored: (state) => {
          let revision = 1
          OrderedMap.walk(state.keys, "", undefined, (kv) => {
            revision = Math.max(revision, kv.modRevision)
            return true
          })
          return { ...state, revision, history: History.startingAt(revision + 1) }
        }
      }
    }
  )

  let calls = 0
  scenario(
    "18667: a transaction that reads what is compacted is refused by all, with nothing done",
    (broken?: Break) => {
      const cluster = new StoreStage("ABC", {}, broken)
      cluster.elect("A")
      cluster.apply("A", put("a"), put("a"), put("a"), compact(4), txn(put("b"), read("a", 2)))
      cluster.agrees()
      for (const { id } of cluster.members) assert.equal(OrderedMap.get(cluster.state(id).keys, "b"), undefined)
      cluster.apply("A", txn(put("b"), read("a", 4)))
      for (const { id } of cluster.members) assert.ok(OrderedMap.get(cluster.state(id).keys, "b"))
    },
    {
      objection: "replicas differ",
      broken: {
        // Some replicas still have what is compacted, and read it.
        machine: {
          ...KvMachine,
          apply: (state, command, context) => {
            const has = command._tag === "Txn" && calls++ % 2 === 0
            const [after, result] = KvMachine.apply(has ? { ...state, compacted: 0 } : state, command, context)
            return [has ? { ...after, compacted: state.compacted } : after, result]
          }
        }
      }
    }
  )

  scenario(
    "20271: a snapshot that is damaged on the disk is not started from",
    (broken?: Break) => {
      const cluster = new StoreStage("ABC", { snapshotLogEntries: 4 }, broken)
      cluster.elect("A")
      cluster.apply("A", ...Array.from({ length: 12 }, (_, at) => put(`k${at % 4}`)))
      cluster.crash("C")
      const { disk } = cluster.member("C")
      assert.ok(disk.snapshots.length > 1)
      // As if nobody looked at the checksum, where it is broken.
      if (broken === undefined)
        disk.snapshots = disk.snapshots.map((one, at) => (at === 0 ? { ...one, damaged: true } : one))
      cluster.start("C")
      cluster.apply("A", put("a"))
      cluster.agrees()
    },
    {
      objection: "replicas differ",
      broken: { restored: (state) => ({ ...state, keys: OrderedMap.remove(state.keys, "k1") }) }
    }
  )
})

describe("18055: two snapshots shortly after each other", () => {
  // Of one and the same state: test/raft/paper/snapshots.test.ts.
  it("that stand for different states: the later one counts", () => {
    const cluster = new StoreStage("ABC", { snapshotLogEntries: 3, snapshotPatienceMillis: 1 })
    cluster.elect("A")
    cluster.cut("C")
    cluster.apply("A", ...Array.from({ length: 9 }, (_, at) => put(`k${at}`)))
    cluster.heal()
    cluster.member("C").slowSnapshots = true
    for (let turn = 0; turn < 4; turn++) cluster.tick("A")
    // The first is whole, and not yet taken in when the leader has a later one.
    expect(cluster.member("C").partial).toBeDefined()
    cluster.apply("A", ...Array.from({ length: 9 }, (_, at) => put(`l${at}`)))
    for (let turn = 0; turn < 6; turn++) {
      cluster.stored("C")
      cluster.tick("A")
    }
    cluster.agrees()
    cluster.crash("C")
    cluster.start("C")
    cluster.tick("A")
    cluster.agrees()
  })
})

it.each([
  ["18055", "snapshot_begins_anew_under_a_new_leader"],
  ["20271", "snapshot_is_damaged"],
  ["20418", "read_paused_leader_reused_id"],
  ["20418", "read_paused_leader_answers_nothing_stale"]
])("%s is told as a script, %s", (_, name) => {
  const text = readFileSync(new URL(`../scripts/${name}.script`, import.meta.url), "utf8")
  expect(Script.run(text)).toBe(text)
})
