/** Watchers of every kind in a hub to which everything happens, beside a naive model: a list of all that ever happened. */
import assert from "node:assert/strict"
import type { Change } from "../../src/kv/History.ts"
import * as History from "../../src/kv/History.ts"
import type { KvCommand } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import { firstKept, type KvState } from "../../src/kv/KvState.ts"
import type { Watch } from "../../src/kv/Watch.ts"
import { type Chance, chanceOf } from "./Chance.ts"
import { applied, compact, del, put, TestHub, type Told, watchOf } from "./WatchModel.ts"

const keys = ["a", "ab", "abc", "b", "ba", "\u00ff", "\u00ff\u00ff", "c"]
const ranges: ReadonlyArray<Pick<Watch, "key" | "rangeEnd">> = [
  ...keys.map((key) => ({ key, rangeEnd: undefined })),
  { key: "a", rangeEnd: "b" },
  { key: "ab", rangeEnd: "ac" },
  { key: "a", rangeEnd: "ba" },
  { key: "ab", rangeEnd: "c" },
  { key: "b", rangeEnd: "\0" },
  { key: "\0", rangeEnd: "\0" },
  { key: "\u00ff", rangeEnd: "\0" }
]

/** Every event that there ever was, such as `7 +a`. */
class Chronicle {
  readonly events: Array<{ readonly revision: number; readonly change: Change }> = []
  #upTo = 1

  /** Before anything of it is compacted. */
  add(state: KvState): void {
    for (; this.#upTo < state.revision; this.#upTo++) {
      const { revision, changes } = History.at(state.history, this.#upTo + 1)!
      this.events.push(...changes.map((change) => ({ revision, change })))
    }
  }

  /** Written as plainly as can be, sharing nothing with what is tested. */
  of(watch: Watch, from: number, upTo: number): ReadonlyArray<string> {
    return this.events
      .filter(({ revision, change }) => {
        const key = change._tag === "Put" ? change.kv.key : change.key
        const bytes = Buffer.from(key, "latin1")
        const isAfterKey = Buffer.compare(bytes, Buffer.from(watch.key, "latin1")) >= 0
        const { rangeEnd = "" } = watch
        const isBeforeEnd = rangeEnd === "\0" || Buffer.compare(bytes, Buffer.from(rangeEnd, "latin1")) < 0
        const isIn = rangeEnd === "" ? key === watch.key : isAfterKey && isBeforeEnd
        const isKept = change._tag === "Put" ? !watch.noPut : !watch.noDelete
        return isIn && isKept && revision >= from && revision <= upTo
      })
      .map(({ revision, change }) => textOf(revision, change))
  }
}

const textOf = (revision: number, change: Change): string =>
  change._tag === "Put" ? `${revision} +${change.kv.key}` : `${revision} -${change.key}`

interface Reader {
  readonly told: Told
  readonly from: number
  readonly given: Array<string>
  upTo: number
  compacted: number | undefined
}

export class Trial {
  readonly chance: Chance
  readonly hub: TestHub
  readonly chronicle = new Chronicle()
  readonly readers: Array<Reader> = []
  compactions = 0
  #unseen: KvState

  constructor(seed: number) {
    this.chance = chanceOf(seed)
    const maxTurnUnits = this.chance.pick([1, 5, 50, 8192])
    this.hub = new TestHub(KvMachine.initial, { maxTurnUnits, maxTakenRevisions: this.chance.pick([1, 3, 1000]) })
    this.#unseen = KvMachine.initial
  }

  step(): void {
    const { chance, hub } = this
    switch (chance.below(8)) {
      case 0:
      case 1:
      case 2:
        return this.write(this.command())
      case 3:
        return hub.hub.advance(this.#unseen)
      case 4:
        return chance.below(2) === 0 ? hub.turn() : void hub.settle()
      case 5:
        return this.watch()
      case 6:
        return chance.below(6) === 0 ? this.compact() : undefined
      case 7:
        if (this.readers.length > 0) this.read(chance.pick(this.readers), chance.pick([1, 300, 1_000_000]))
    }
  }

  /** It is applied; the hub hears of it when the step is carried out, which may be of many. */
  write(command: KvCommand): void {
    this.#unseen = applied(this.#unseen, command)
    this.chronicle.add(this.#unseen)
  }

  command(): KvCommand {
    const { chance } = this
    const key = chance.pick(keys)
    switch (chance.below(5)) {
      case 0:
        return del(key)
      case 1:
        return del(key, chance.pick(["c", "\0", "b"]))
      case 2: {
        const some = keys.filter(() => chance.below(2) === 0)
        return { _tag: "Txn", compares: [], success: some.map((one) => put(one)), failure: [] } as KvCommand
      }
      default:
        return put(key, "v".repeat(chance.below(100)))
    }
  }

  compact(): void {
    const { revision, compacted } = this.#unseen
    const at = compacted + 1 + this.chance.below(Math.max(1, revision - compacted))
    if (at > revision) return
    this.compactions++
    this.write(compact(at))
  }

  watch(): void {
    const { chance, hub } = this
    const now = hub.hub.revision
    const startRevision = chance.pick([0, 0, 1, Math.max(1, now - 5), now, now + 1, now + 4])
    const noPut = chance.below(4) === 0
    const watch = watchOf("", {
      ...chance.pick(ranges),
      startRevision,
      noPut,
      noDelete: !noPut && chance.below(4) === 0
    })
    const from = startRevision === 0 ? now + 1 : startRevision
    this.readers.push({ told: hub.watch(watch), from, given: [], upTo: from - 1, compacted: undefined })
  }

  read(reader: Reader, maxBytes: number): void {
    const { watcher } = reader.told
    const taken = watcher.take(maxBytes)
    if (taken._tag === "Ended") throw new Error(taken.reason)
    if (taken._tag === "Compacted") {
      reader.compacted = taken.compacted
      return
    }
    for (const { revision, changes } of taken.revisions) {
      assert.ok(revision > reader.upTo)
      reader.given.push(...changes.map((change) => textOf(revision, change)))
      reader.upTo = revision
    }
    // No bookmark is ahead of what was given.
    reader.upTo = Math.max(reader.upTo, taken.upTo)
    assert.deepEqual(reader.given, this.chronicle.of(watcher.watch, reader.from, reader.upTo))
    if (taken.done) assert.equal(watcher.progress() ?? taken.upTo, taken.upTo)
  }

  finish(): { readonly cancelled: number; readonly whole: number } {
    this.hub.hub.advance(this.#unseen)
    this.hub.settle()
    const revision = this.#unseen.revision
    let [cancelled, whole] = [0, 0]
    for (const reader of this.readers) {
      for (let turns = 0; reader.compacted === undefined && reader.upTo < revision; turns++) {
        assert.ok(turns < 10_000)
        const { calls } = reader.told
        this.read(reader, 1_000_000)
        // What it could not be given at once it is told of again.
        if (reader.compacted === undefined && reader.upTo < revision) {
          this.hub.settle()
          assert.ok(reader.told.calls > calls)
        }
      }
      if (reader.compacted === undefined) {
        whole++
        assert.deepEqual(reader.given, this.chronicle.of(reader.told.watcher.watch, reader.from, revision))
      } else {
        cancelled++
        // It had missed nothing before, and does miss something now.
        assert.ok(reader.compacted <= firstKept(this.#unseen))
        assert.ok(reader.upTo + 1 < reader.compacted)
        assert.deepEqual(reader.given, this.chronicle.of(reader.told.watcher.watch, reader.from, reader.upTo))
      }
    }
    return { cancelled, whole }
  }
}
