/** A few replicas of the store under direct command: nothing moves unless it is told to, so what happens is always the same. */
import assert from "node:assert/strict"
import { historySince, type KvCommand } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { Options } from "../../src/raft/Options.ts"
import * as Shelves from "../../src/sim/Shelf.ts"
import * as Stages from "../../src/sim/Stage.ts"
import * as Store from "../../src/sim/Store.ts"
import { type AnyEffect, type AnyReplica, erase, inWords } from "../../src/sim/Subject.ts"

/** What is broken on purpose. */
export interface Break {
  readonly machine?: typeof KvMachine
  /** The effects of a step as they are carried out. */
  readonly effects?: (effects: ReadonlyArray<AnyEffect>) => ReadonlyArray<AnyEffect>
  /** What a replica starts with. */
  readonly restored?: (state: KvState) => KvState
}

export class StoreStage {
  readonly stage: Stages.Stage
  readonly #break: Break

  constructor(names: string, options: Partial<Options> = {}, broken: Break = {}) {
    const subject = erase(Store.over(broken.machine ?? KvMachine))
    const stage = Stages.make(names.split(""), options, { subject, show: inWords, version: historySince })
    this.#break = broken
    this.stage = { ...stage, replicas: stage.replicas.map((replica) => this.#broken(replica)) }
  }

  #broken(replica: AnyReplica): AnyReplica {
    const { effects = (same) => same } = this.#break
    return {
      ...replica,
      reduceAll: (before, events) => {
        const [after, told] = replica.reduceAll(before, events)
        return [after, effects(told)]
      }
    }
  }

  member(name: string): Stages.Member {
    return this.stage.members.get(ReplicaId(name))!
  }

  get members(): ReadonlyArray<Stages.Member> {
    return [...this.stage.members.values()]
  }

  state(name: string): KvState {
    return this.member(name).state!.stateMachine.value as KvState
  }

  elect(name: string): void {
    for (let turn = 0; turn < 8 && this.member(name).state?._tag !== "Leader"; turn++) this.tick(name)
    assert.equal(this.member(name).state?._tag, "Leader")
  }

  /** Time passes to its next deadline, and all that follows is delivered. */
  tick(name: string): void {
    const member = this.member(name)
    const waits = member.state !== undefined && Stages.replicaOf(this.stage, member).nextDeadline(member.state)
    // A leader of one waits for nothing.
    if (Number.isFinite(waits)) Stages.deadline(this.stage, member)
    this.flush()
  }

  flush(): void {
    for (let rounds = 0; this.stage.flight.length > 0 && rounds < 300; rounds++) this.deliver(this.stage.flight.length)
  }

  /** So many of the messages that are in flight, the oldest first. */
  deliver(count: number): void {
    Stages.deliver(this.stage, this.stage.flight.slice(0, count))
  }

  /** A client asks; nothing is delivered yet. */
  ask(name: string, command: KvCommand): void {
    const member = this.member(name)
    if (member.state !== undefined) {
      Stages.step(this.stage, member, [Stages.submission(this.stage, member, "Command", { ...command })])
    }
  }

  /** One after the other, each until all is at rest and followers know what is committed. */
  apply(name: string, ...commands: ReadonlyArray<KvCommand>): void {
    for (const command of commands) {
      this.ask(name, command)
      this.flush()
    }
    this.tick(name)
  }

  /** How many commands clients have been told are applied. */
  get answered(): number {
    return this.stage.lines.filter((line) => line.includes(": applied,")).length
  }

  cut(name: string): void {
    for (const { id } of this.members) {
      this.stage.cuts.add(`${name}->${id}`)
      this.stage.cuts.add(`${id}->${name}`)
    }
  }

  heal(): void {
    this.stage.cuts.clear()
  }

  crash(name: string): void {
    Stages.crash(this.stage, this.member(name))
    this.stage.flight = this.stage.flight.filter(({ to }) => to !== name)
  }

  start(name: string): void {
    const { restored = (same) => same } = this.#break
    const member = this.member(name)
    const images = member.disk.snapshots
    member.disk.snapshots = images.map((stored) => ({
      ...stored,
      image: { ...stored.image, value: restored(stored.image.value as KvState) }
    }))
    Stages.start(this.stage, member)
  }

  /** What a slow replica does with a snapshot is done. */
  stored(name: string): void {
    Stages.step(this.stage, this.member(name), Shelves.done(this.stage, this.member(name)))
  }

  /** All that are up have applied the same, and have come to the same. */
  agrees(): void {
    const up = this.members.filter(({ state }) => state !== undefined)
    const told = up.map(({ id, state }) => {
      const { lastApplied, value } = state!.stateMachine
      return { id, lastApplied, revision: (value as KvState).revision, digest: this.stage.play.subject.digest(value) }
    })
    for (const one of told) assert.deepEqual(one, { ...told[0], id: one.id }, "replicas differ")
    const broken = this.stage.lines.filter((line) => line.includes("BREAKS THE RULE"))
    assert.deepEqual(broken, [])
  }
}
