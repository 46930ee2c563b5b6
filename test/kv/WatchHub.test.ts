/** Watchers as cursors: what each is given, when it is told, and what it costs the others. */
import { describe, expect, test } from "vitest"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import { whenDeleted } from "../../src/kv/WatchDeletion.ts"
import * as Watch from "../../src/kv/Watch.ts"
import { applied, compact, context, del, put, TestHub, textOf, watchOf } from "./WatchModel.ts"

const started = (limits = {}): TestHub => new TestHub(KvMachine.initial, limits)
const everything = Number.POSITIVE_INFINITY

describe("a watcher", () => {
  test("from now on sees what comes, in order, and is told once", () => {
    const test = started()
    test.apply(put("a"))
    const told = test.watch(watchOf("a"))
    test.settle()
    expect(textOf(told.watcher.take(everything))).toBe("")
    test.apply(put("b"), put("a"))
    test.apply(del("a"), put("c"))
    test.settle()
    expect(textOf(told.watcher.take(everything))).toBe("4 +a, 5 -a")
    expect(textOf(told.watcher.take(everything))).toBe("")
    expect(told.calls).toBe(1)
  })

  test("is told once for all that it has not taken, and again after that", () => {
    const test = started()
    const told = test.watch(watchOf("a"))
    test.apply(put("a"))
    // Not while the replica still works on the step.
    expect(told.calls).toBe(0)
    test.settle()
    test.apply(put("a"), put("a"))
    test.settle()
    expect(told.calls).toBe(1)
    told.watcher.take(everything)
    test.apply(put("a"))
    test.settle()
    expect(told.calls).toBe(2)
  })

  test("whose keys do not change is told nothing, and no turn is asked for", () => {
    const test = started()
    const told = [
      test.watch(watchOf("a")),
      test.watch(watchOf("p/", { rangeEnd: "p0" })),
      test.watch(watchOf("m", { rangeEnd: "mzz" })),
      test.watch(watchOf("b", { noPut: true })),
      test.watch(watchOf("c", { noDelete: true }))
    ]
    test.apply(put("c"))
    test.settle()
    told[4]!.watcher.take(everything)
    told[4]!.calls = 0
    test.apply(put("aa"), put("p"), put("p0"), put("mzz"), put("n"), put("b"), del("c"))
    expect(test.waitingTurns).toBe(0)
    expect(told.map(({ calls }) => calls)).toEqual([0, 0, 0, 0, 0])
    expect(told.map(({ watcher }) => watcher.progress())).toEqual([9, 9, 9, 9, 9])
  })

  test.each([
    ["a key", watchOf("k"), "2 +k, 6 -k"],
    ["a prefix", watchOf("k", { rangeEnd: "l" }), "2 +k, 3 +k1, 4 +k\u00ff, 6 -k -k1 -k\u00ff"],
    ["a range", watchOf("k", { rangeEnd: "k2" }), "2 +k, 3 +k1, 6 -k -k1"],
    ["all from a key on", watchOf("k1", { rangeEnd: "\0" }), "3 +k1, 4 +k\u00ff, 5 +z, 6 -k1 -k\u00ff"],
    ["everything", watchOf("\0", { rangeEnd: "\0" }), "2 +k, 3 +k1, 4 +k\u00ff, 5 +z, 6 -k -k1 -k\u00ff"],
    ["puts only", watchOf("k", { rangeEnd: "l", noDelete: true }), "2 +k, 3 +k1, 4 +k\u00ff"],
    ["deletes only", watchOf("k", { rangeEnd: "l", noPut: true }), "6 -k -k1 -k\u00ff"],
    ["nothing", watchOf("k", { rangeEnd: "l", noPut: true, noDelete: true }), ""]
  ])("of %s sees the same live and from the past", (_, watch, expected) => {
    const test = started()
    const live = test.watch(watch)
    test.apply(put("k"), put("k1"), put("k\u00ff"), put("z"), del("k", "l"))
    test.settle()
    expect(textOf(live.watcher.take(everything))).toBe(expected)
    const late = test.watch({ ...watch, startRevision: 1 })
    test.settle()
    expect(textOf(late.watcher.take(everything))).toBe(expected)
    expect(late.calls).toBe(1)
  })

  test("from a revision to come sees nothing before it (etcd 20221)", () => {
    const test = started()
    const told = test.watch(watchOf("a", { startRevision: 5 }))
    test.apply(put("a"), put("a"))
    test.settle()
    expect([told.calls, textOf(told.watcher.take(everything)), told.watcher.progress()]).toEqual([0, "", undefined])
    // A note that all before 4 was seen would lead to a watch from 4.
    test.apply(put("b"))
    expect(told.watcher.progress()).toBe(4)
    test.apply(put("a"), put("a"))
    test.settle()
    expect(textOf(told.watcher.take(everything))).toBe("5 +a, 6 +a")
  })

  test("sees a transaction whole, and each key of it once (etcd 17247)", () => {
    const test = started()
    const told = test.watch(watchOf("a", { rangeEnd: "c" }))
    test.apply({ _tag: "Txn", compares: [], success: [put("a"), put("z"), put("b")], failure: [] } as never)
    test.settle()
    expect(textOf(told.watcher.take(1))).toBe("2 +a +b")
    expect(textOf(told.watcher.take(1))).toBe("")
  })
})

describe("credit", () => {
  test("bounds what is taken, and never splits a revision (etcd 17529)", () => {
    const test = started()
    const told = test.watch(watchOf("a", { rangeEnd: "b" }))
    test.apply(put("a1"), put("a2"), del("a", "b"), put("a3"))
    test.settle()
    expect(textOf(told.watcher.take(1))).toBe("2 +a1, ...")
    expect(textOf(told.watcher.take(200))).toBe("3 +a2, 4 -a1 -a2, ...")
    expect(told.watcher.progress()).toBeUndefined()
    expect(textOf(told.watcher.take(1))).toBe("5 +a3")
    expect(told.watcher.progress()).toBe(5)
  })

  test("that runs out in the middle is followed by being told again", () => {
    const test = started()
    test.apply(...Array.from({ length: 10 }, () => put("a")))
    const told = test.watch(watchOf("a", { startRevision: 1 }))
    test.settle()
    told.watcher.take(1)
    test.settle()
    expect(told.calls).toBe(2)
  })

  test("a slow one is given all of it later, and the others do not wait", () => {
    const test = started()
    const slow = test.watch(watchOf("a"))
    const quick = test.watch(watchOf("a"))
    let given = ""
    for (let n = 0; n < 500; n++) {
      test.apply(put("a"))
      test.settle()
      given += textOf(quick.watcher.take(everything))
    }
    expect(given.match(/\+a/g)).toHaveLength(500)
    expect(slow.calls).toBe(1)
    const taken = slow.watcher.take(everything)
    expect(taken).toMatchObject({ _tag: "Changes", done: true, upTo: 501 })
    expect(taken._tag === "Changes" && taken.revisions.length).toBe(500)
  })

  test("who catches up does so in turns of bounded size, and others have theirs in between", () => {
    const test = started({ maxTurnUnits: 100, maxTakenRevisions: 1000 })
    test.apply(...Array.from({ length: 2000 }, (_, n) => put(n % 500 === 0 ? "rare" : "often")))
    test.settle()
    const order: Array<string> = []
    const follow = (name: string, key: string): void => {
      const watcher = test.hub.watch(watchOf(key, { startRevision: 1 }), () => {
        const taken = watcher.take(everything)
        if (taken._tag !== "Changes") throw new Error(taken._tag)
        expect(taken.revisions.length).toBeLessThanOrEqual(50)
        order.push(...taken.revisions.map(() => name))
      })
    }
    follow("rare", "rare")
    follow("often", "often")
    expect(test.settle()).toBeGreaterThan(40)
    expect(order.filter((name) => name === "often")).toHaveLength(1996)
    expect(order.filter((name) => name === "rare")).toHaveLength(4)
    expect(order.lastIndexOf("rare")).toBeGreaterThan(order.indexOf("often"))
  })
})

describe("compaction", () => {
  test("ends who has not seen what goes, with the revision from which to watch again", () => {
    const test = started()
    const behind = test.watch(watchOf("a"))
    const upToDate = test.watch(watchOf("b"))
    test.apply(put("a"), put("c"), put("c"))
    test.apply(compact(4))
    test.settle()
    expect(textOf(behind.watcher.take(everything))).toBe("compacted 4")
    expect(textOf(behind.watcher.take(everything))).toBe("compacted 4")
    expect([textOf(upToDate.watcher.take(everything)), upToDate.watcher.progress()]).toEqual(["", 4])
    expect(test.hub.size).toBe(1)
  })

  test("at the very revision of a delete leaves the delete to be seen (etcd 18089, 19179)", () => {
    const test = started()
    test.apply(put("a"), put("b"), del("a"), compact(4))
    const told = test.watch(watchOf("a", { startRevision: 4, prevKv: true }))
    const taken = told.watcher.take(everything)
    expect(textOf(taken)).toBe("4 -a")
    // Its value was of revision 3, which cannot be read any more.
    if (taken._tag !== "Changes") throw new Error("no changes")
    const [change] = taken.revisions[0]!.changes
    expect(Watch.previous(told.watcher.watch, change!, taken.compacted)).toBeUndefined()
    expect(textOf(test.watch(watchOf("a", { startRevision: 3 })).watcher.take(everything))).toBe("compacted 4")
  })

  test("in a jump ends who may have missed something, and nobody else", () => {
    const test = started()
    const idle = test.watch(watchOf("a"))
    const future = test.watch(watchOf("a", { startRevision: 50 }))
    // A snapshot is installed: 98 revisions at once, of which the first are not kept.
    const puts = Array.from({ length: 98 }, () => put("z"))
    test.hub.advance(applied(test.state, ...puts.slice(0, 40), compact(30), ...puts.slice(40), put("a")))
    test.settle()
    expect([idle.calls, textOf(idle.watcher.take(everything))]).toEqual([1, "compacted 30"])
    expect([future.calls, textOf(future.watcher.take(everything))]).toEqual([1, "100 +a"])
  })
})

describe("a replica", () => {
  test("that jumps or comes twice to a state repeats nothing and loses nothing", () => {
    const test = started()
    const told = test.watch(watchOf("a"))
    const first = applied(test.state, put("a"))
    const second = applied(first, put("b"), put("a"), put("a"))
    test.hub.advance(second)
    test.hub.advance(second)
    test.hub.advance(first)
    test.settle()
    expect(textOf(told.watcher.take(everything))).toBe("2 +a, 4 +a, 5 +a")
    test.hub.advance({ ...second })
    test.settle()
    expect([told.calls, textOf(told.watcher.take(everything))]).toEqual([1, ""])
  })

  test("that keeps no history ends who has not seen its changes", () => {
    const test = started()
    const told = test.watch(watchOf("a"))
    const unversioned = KvMachine.apply(test.state, put("b"), { ...context, version: 2 })[0]
    test.hub.advance(unversioned)
    test.settle()
    expect([told.calls, textOf(told.watcher.take(everything))]).toEqual([1, "compacted 3"])
  })

  test("that is not to be believed ends all, refuses more, and may come back", () => {
    const test = started()
    const told = test.watch(watchOf("a"))
    test.hub.end("it differs")
    const refused = test.watch(watchOf("a"))
    test.settle()
    for (const { calls, watcher } of [told, refused]) {
      expect([calls, textOf(watcher.take(everything)), watcher.progress()]).toEqual([1, "ended: it differs", undefined])
    }
    test.apply(put("a"))
    const again = test.watch(watchOf("a", { startRevision: 2 }))
    expect(textOf(again.watcher.take(everything))).toBe("2 +a")
  })

  test("takes so many watchers and no more", () => {
    const test = started({ maxWatchers: 2 })
    const [first, , third] = [test.watch(watchOf("a")), test.watch(watchOf("b")), test.watch(watchOf("c"))]
    test.settle()
    expect(textOf(third.watcher.take(everything))).toContain("maxWatchers")
    first.watcher.close()
    expect([test.hub.size, test.hub.full]).toEqual([1, undefined])
  })

  test("a closed watcher is told nothing", () => {
    const test = started()
    const told = test.watch(watchOf("a"))
    test.apply(put("a"))
    told.watcher.close()
    test.hub.end("stops")
    test.settle()
    expect([told.calls, test.hub.size]).toEqual([0, 0])
  })
})

describe("waiting for a deletion", () => {
  test("ends with the first one, from the past or to come", () => {
    const test = started()
    const heard: Array<unknown> = []
    test.apply(put("a"), del("a"), put("a"))
    whenDeleted(test.hub, "a", 2, (deletion) => heard.push(deletion))
    whenDeleted(test.hub, "a", 4, (deletion) => heard.push(deletion))
    test.settle()
    expect(heard).toEqual([{ _tag: "Deleted", revision: 3 }])
    test.apply(put("a"), put("b"), del("a"))
    test.settle()
    test.apply(put("a"), del("a"))
    test.settle()
    expect(heard.slice(1)).toEqual([{ _tag: "Deleted", revision: 7 }])
    expect(test.hub.size).toBe(0)
  })

  test("can be given up, and ends with what it cannot know", () => {
    const test = started()
    const heard: Array<unknown> = []
    test.apply(put("a"), put("a"), put("a"))
    const stop = whenDeleted(test.hub, "a", 5, (deletion) => heard.push(deletion))
    stop()
    test.apply(del("a"), compact(5))
    whenDeleted(test.hub, "a", 2, (deletion) => heard.push(deletion))
    test.settle()
    whenDeleted(test.hub, "a", 6, (deletion) => heard.push(deletion))
    test.hub.end("stops")
    test.settle()
    expect(heard).toEqual([
      { _tag: "Compacted", compacted: 5 },
      { _tag: "Ended", reason: "stops" }
    ])
  })
})
