/** The bugs that etcd has had in watches (see Etcd.test.ts), each as one scenario of a history, hubs of replicas and clients. */
import assert from "node:assert/strict"
import { describe } from "vitest"
import { historySince, type KvCommand } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import * as StoreHub from "../../src/sim/StoreHub.ts"
import type { Hub, WatchRequest } from "../../src/sim/Watch.ts"
import * as Rules from "../../src/sim/WatchRules.ts"
import { bugs, type HubOf } from "../sim/WatchBugs.ts"
import { compact, del, put, read as get, scenario, txn } from "./Scenario.ts"

describe("watches", () => {
  const context = { time: ClusterTime(1), version: historySince }
  const everything: WatchRequest = {
    key: "\0",
    rangeEnd: "\0",
    startRevision: 0,
    prevKv: true,
    noPut: false,
    noDelete: false
  }

  /** A cluster's history, and one replica's hub, which may lag behind it. */
  const begin = (hubOf: HubOf = StoreHub.make) => {
    const past = Rules.nothing()
    let state = KvMachine.initial
    const apply = (...commands: ReadonlyArray<KvCommand>): void => {
      for (const command of commands) {
        const [after] = KvMachine.apply(state, command, context)
        Rules.extend(past, state, after)
        state = after
      }
    }
    /** A client that watches from `startRevision` on, at this hub; `read` takes what there is, by so many events. */
    const watching = (hub: Hub<KvState>, startRevision: number, range: Partial<WatchRequest> = {}) => {
      const request = { ...everything, ...range, startRevision }
      const watch = hub.watch(request)
      const seen: Rules.Seen = { request, next: startRevision > 0 ? startRevision : undefined }
      const read = (credit = 3): void => {
        for (const message of watch.take(credit)) Rules.onMessage(past, seen, message, () => "the watcher")
      }
      return { seen, read, askProgress: watch.askProgress }
    }
    return { apply, watching, hub: () => hubOf(state), state: () => state }
  }

  const until = (next: number, { seen, read }: ReturnType<ReturnType<typeof begin>["watching"]>): void => {
    for (let turn = 0; turn < 40 && (seen.next ?? 0) < next; turn++) read()
    assert.equal(seen.next, next)
  }

  scenario(
    "15220: progress is not told ahead of events that a slow client has not read",
    (hubOf?: HubOf) => {
      const { apply, watching, hub, state } = begin(hubOf)
      const served = hub()
      const client = watching(served, 2)
      apply(...Array.from({ length: 8 }, () => put("a")))
      served.advance(state())
      client.askProgress()
      client.read(1)
      client.askProgress()
      until(10, client)
    },
    { broken: bugs["progress is told ahead of the events (etcd 15220)"], objection: "(I18)" }
  )

  scenario(
    "15271: who comes to a replica that was cut off is told nothing of before",
    (hubOf?: HubOf) => {
      const { apply, watching, hub, state } = begin(hubOf)
      apply(put("a"), put("a"))
      const cutOff = hub()
      apply(put("a"), put("a"), del("a"))
      const before = watching(hub(), 2)
      until(7, before)
      const after = watching(cutOff, before.seen.next!)
      after.read()
      apply(put("b"))
      cutOff.advance(state())
      until(8, after)
    },
    {
      broken: bugs["a watch goes back when it comes to a replica that lags (etcd 15271)"],
      objection: "a watch never goes back (I18)"
    }
  )

  scenario(
    "17247: a transaction is told once, whole, each key of it once",
    (hubOf?: HubOf) => {
      const { apply, watching, hub, state } = begin(hubOf)
      const served = hub()
      const client = watching(served, 0)
      client.read()
      apply(put("a"), put("b"), txn(put("a"), put("c"), del("b"), get("a", 0)))
      served.advance(state())
      until(5, client)
    },
    {
      broken: bugs["an event is told twice (etcd 17247)"],
      objection: "a revision is told whole, and nothing else (I18)"
    }
  )

  scenario(
    "17529: a client that reads nothing for long misses nothing",
    (hubOf?: HubOf) => {
      const { apply, watching, hub, state } = begin(hubOf)
      const served = hub()
      const [slow, quick] = [watching(served, 2), watching(served, 2)]
      for (let turn = 0; turn < 12; turn++) {
        apply(put("a"), put("b"))
        served.advance(state())
        for (let more = 0; more < 4; more++) quick.read()
      }
      until(26, quick)
      until(26, slow)
    },
    { broken: bugs["events are lost where a client reads slowly (etcd 17529)"], objection: "(I18)" }
  )

  const leftOut = bugs["a deletion at the revision of a compaction is left out (etcd 19179)"]

  scenario(
    "18089: a deletion that a compaction stops at is told to who was watching",
    (hubOf?: HubOf) => {
      const { apply, watching, hub, state } = begin(hubOf)
      const served = hub()
      const client = watching(served, 2)
      apply(put("a"))
      served.advance(state())
      until(3, client)
      apply(del("a"), compact(3), put("b"))
      served.advance(state())
      until(5, client)
    },
    { broken: leftOut, objection: "(I18)" }
  )

  scenario(
    "19179: a watch that is opened at the revision of a compaction is told the deletion there",
    (hubOf?: HubOf) => {
      const { apply, watching, hub } = begin(hubOf)
      apply(put("a"), del("a"), put("b"), compact(3))
      until(5, watching(hub(), 3))
    },
    { broken: leftOut, objection: "(I18)" }
  )

  const future = (hubOf?: HubOf): void => {
    const { apply, watching, hub, state } = begin(hubOf)
    apply(put("a"))
    const served = hub()
    const client = watching(served, 6)
    for (let turn = 0; turn < 6; turn++) {
      client.askProgress()
      client.read()
      apply(put("a"))
      served.advance(state())
    }
    until(9, client)
  }

  scenario("20221: a watch of the future is told of no progress before it", future, {
    broken: bugs["a watch of the future is told its progress (etcd 20221)"],
    objection: "a watch never goes back (I18)"
  })
  scenario("20221: and of no event before it", future, {
    broken: bugs["a watch goes back when it comes to a replica that lags (etcd 15271)"],
    objection: "a watch never goes back (I18)"
  })
})
