/** A hub in the hands of a test: it does its turns when told. */
import * as History from "../../src/kv/History.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import { historySince, type KvCommand } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import type * as Watch from "../../src/kv/Watch.ts"
import type { Taken, Watcher } from "../../src/kv/Watcher.ts"
import { WatchHub, type WatchLimits } from "../../src/kv/WatchHub.ts"

export const context = { time: ClusterTime(0), version: historySince }

export const applied = (state: KvState, ...commands: ReadonlyArray<KvCommand>): KvState =>
  commands.reduce((before, command) => KvMachine.apply(before, command, context)[0], state)

export const put = (key: string, value = "v"): KvCommand => ({
  _tag: "Put",
  key,
  value: Buffer.from(value),
  prevKv: false
})

export const del = (key: string, rangeEnd?: string): KvCommand => ({
  _tag: "DeleteRange",
  key,
  rangeEnd,
  prevKv: false
})

export const compact = (revision: number): KvCommand => ({ _tag: "Compact", revision })

export const watchOf = (key: string, more: Partial<Watch.Watch> = {}): Watch.Watch => ({
  key,
  rangeEnd: undefined,
  startRevision: 0,
  prevKv: false,
  noPut: false,
  noDelete: false,
  ...more
})

export interface Told {
  readonly watcher: Watcher
  /** How often it was told that there is something. */
  calls: number
}

export class TestHub {
  state: KvState
  readonly hub: WatchHub
  #turns: Array<() => void> = []

  constructor(state: KvState, limits: Partial<WatchLimits> = {}) {
    this.state = state
    this.hub = new WatchHub(state, { schedule: (turn) => this.#turns.push(turn), limits })
  }

  /** The replica applies and carries out. */
  apply(...commands: ReadonlyArray<KvCommand>): void {
    this.state = applied(this.state, ...commands)
    this.hub.advance(this.state)
  }

  get waitingTurns(): number {
    return this.#turns.length
  }

  turn(): void {
    this.#turns.shift()?.()
  }

  /** Until nothing is due; gives how many turns that took. */
  settle(): number {
    let turns = 0
    for (; this.#turns.length > 0; turns++) {
      if (turns > 100_000) throw new Error("it never comes to rest")
      this.turn()
    }
    return turns
  }

  watch(watch: Watch.Watch): Told {
    const told: Told = { watcher: this.hub.watch(watch, () => told.calls++), calls: 0 }
    return told
  }
}

/** A revision and what it did, such as `5 +a -b`. */
export const textOf = (taken: Taken): string => {
  switch (taken._tag) {
    case "Changes":
      return taken.revisions
        .map(({ revision, changes }) => [revision, ...changes.map(signOf)].join(" "))
        .concat(taken.done ? [] : ["..."])
        .join(", ")
    case "Compacted":
      return `compacted ${taken.compacted}`
    case "Ended":
      return `ended: ${taken.reason}`
  }
}

const signOf = (change: Parameters<typeof History.keyOf>[0]): string =>
  `${change._tag === "Put" ? "+" : "-"}${History.keyOf(change)}`
