/**
 * A few replicas, a network and a clock, all of them values in one test: enough for what
 * takes more than one replica to see. Every step is checked against the invariants, and the
 * cluster against the properties of Figure 3 and what clients were told. Faults are drawn
 * from a seed, so a failure repeats.
 */
import type { Amendment } from "../../src/raft/Amendment.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import assert from "node:assert/strict"
import * as Invariants from "../../src/raft/Invariants.ts"
import * as Logs from "../../src/raft/Log.ts"
import { Index, Instant, type ReplicaId, type RequestId, type Term } from "../../src/raft/LogEntry.ts"
import * as Seeds from "../../src/raft/Seed.ts"
import {
  makeRaft,
  members,
  type Leader,
  type Message,
  type Raft,
  type RaftEffect,
  type RaftEvent,
  type ServerState
} from "./builders.ts"
import { Disk } from "./disk.ts"

interface Member {
  /** Undefined while it is down. */
  state: ServerState | undefined
  disk: Disk
  incarnation: number
  /** Submitted, not answered; submitted again when a leader is known. */
  readonly waiting: Map<number, string>
}

interface Wire {
  readonly at: number
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly message: Message
}

/** Something that a replica does in the background, and what it is told when that is done. */
interface Job {
  readonly at: number
  readonly id: ReplicaId
  readonly incarnation: number
  readonly finish: () => ReadonlyArray<RaftEvent>
}

export interface Faults {
  /** Of a hundred messages, so many are lost, doubled, or come much later. */
  readonly lost: number
  readonly doubled: number
  readonly late: number
  /** Of a hundred snapshots that are to be written, received or read, so many are not. */
  readonly failing?: number
}

const calm: Faults = { lost: 0, doubled: 0, late: 0 }

/** What all replicas that have applied the same have, besides the value. */
interface Applied {
  readonly hash: number
  readonly applied: string
}

export class Cluster {
  readonly ids: ReadonlyArray<ReplicaId>
  readonly raft: Raft
  readonly members = new Map<ReplicaId, Member>()
  now = 0
  faults = calm
  /** Which messages pass; all of them, unless a test says otherwise. */
  passes: (from: ReplicaId, to: ReplicaId, message: Message) => boolean = () => true
  /** Sees each message just before it is reduced. */
  watch: ((id: ReplicaId, event: RaftEvent) => void) | undefined
  readonly told: Array<{ readonly request: RequestId; readonly outcome: string }> = []
  /** How many messages were offered to the network. */
  sent = 0
  /** Snapshots that were taken, and those that were installed. */
  taken = 0
  installed = 0
  /** All but those in which a test has changed something. */
  readonly trusted: Set<ReplicaId>
  /** How long a snapshot takes to write, to read a chunk of, and to check. */
  diskMillis = 5

  #seed: number
  #wires: Array<Wire> = []
  #jobs: Array<Job> = []
  readonly #leaders = new Map<Term, ReplicaId>()
  /** What is applied, in the one order that there is, and the most that anybody was told of. */
  readonly canon: Array<string> = []
  /** The term in which each of them was first applied: it was committed then, or before. */
  readonly #canonTerms: Array<Term> = []
  /** Whoever has applied up to an index has this. */
  readonly #chain = new Map<Index, Applied>()
  #known = 0
  readonly #observed = new Map<ReplicaId, ReadonlyArray<string>>()
  /** For each read that waits, what it must see. */
  readonly #floors = new Map<string, number>()

  /** Its members at the beginning; all that there are, unless fewer are named. */
  readonly #founders: ReadonlyArray<ReplicaId>

  constructor(size: number, { seed = 1, raft = makeRaft(), founders = size } = {}) {
    this.ids = members(size)
    this.#founders = members(founders)
    this.trusted = new Set(this.ids)
    this.raft = raft
    this.#seed = seed
    for (const id of this.ids) {
      this.members.set(id, { state: undefined, disk: new Disk(), incarnation: 0, waiting: new Map() })
      this.start(id)
    }
  }

  draw(below: number): number {
    const [draw, next] = Seeds.next(this.#seed)
    this.#seed = next
    return Math.floor(draw * below)
  }

  member(id: ReplicaId): Member {
    return this.members.get(id)!
  }

  state(id: ReplicaId): ServerState {
    const { state } = this.member(id)
    if (state === undefined) throw new Error(`${id} is down`)
    return state
  }

  /** The leader of the highest term, if anybody leads. */
  leader(): Leader | undefined {
    const leaders = [...this.members.values()].flatMap(({ state }) => (state?._tag === "Leader" ? [state] : []))
    return leaders.sort((one, other) => other.currentTerm - one.currentTerm)[0]
  }

  start(id: ReplicaId): void {
    const member = this.member(id)
    member.incarnation++
    member.waiting.clear()
    member.state = this.raft.init({
      id,
      incarnation: member.incarnation,
      configuration: Configurations.of(this.#founders),
      at: Instant(this.now),
      seed: this.draw(1 << 30),
      ...member.disk.recovered
    })
    this.#observed.delete(id)
    this.#observe(id)
  }

  /** Its disk is gone, and it starts with an empty one. What was sent to its former life does not reach this one. */
  wipe(id: ReplicaId): void {
    this.crash(id)
    this.#wires = this.#wires.filter(({ to }) => to !== id)
    this.member(id).disk = new Disk()
    this.start(id)
  }

  crash(id: ReplicaId): void {
    this.member(id).state = undefined
  }

  submit(id: ReplicaId, sequence: number, command: string): void {
    const { incarnation, waiting } = this.member(id)
    waiting.set(sequence, command)
    this.reduce(id, [this.#submission({ replica: id, incarnation, sequence }, command)])
  }

  query(id: ReplicaId, sequence: number): void {
    const request = { replica: id, incarnation: this.member(id).incarnation, sequence }
    this.#floors.set(name(request), this.#known)
    this.reduce(id, [{ _tag: "QuerySubmitted", at: Instant(this.now), request, query: "q" }])
  }

  amend(id: ReplicaId, sequence: number, amendment: Amendment): void {
    const request = { replica: id, incarnation: this.member(id).incarnation, sequence }
    this.reduce(id, [{ _tag: "AmendmentSubmitted", at: Instant(this.now), request, amendment }])
  }

  transfer(id: ReplicaId, to: ReplicaId | undefined): void {
    this.reduce(id, [{ _tag: "TransferRequested", at: Instant(this.now), to }])
  }

  /** Lets `millis` pass. */
  run(millis: number): void {
    const end = this.now + millis
    while (true) {
      const next = this.#next()
      if (next === undefined || next > end) break
      this.now = Math.max(this.now, next)
      this.#tick()
    }
    this.now = end
  }

  /** Runs until somebody leads and all of its peers say so. */
  elect(): Leader {
    for (let tries = 0; tries < 100; tries++) {
      this.run(100)
      const leader = this.leader()
      if (leader !== undefined && leader.stateMachine.commitIndex === Logs.lastIndex(leader.stateMachine.log))
        return leader
    }
    throw new Error("nobody was elected in ten seconds")
  }

  /** Reduces as one batch. A crash after `effects` of the effects, if it is given. */
  reduce(id: ReplicaId, events: ReadonlyArray<RaftEvent>, effects?: number): void {
    const member = this.member(id)
    const before = this.state(id)
    const [state, said] = this.raft.reduceAll(before, events)
    const broken = [...Invariants.ofState(state), ...Invariants.ofStep(before, said, state)]
    if (broken.length > 0) throw new Error(`${id} broke: ${broken.join("; ")}`)
    member.state = state
    const again: Array<RaftEvent> = []
    for (const effect of said.slice(0, effects)) again.push(...this.#carryOut(id, effect))
    if (effects !== undefined) return this.crash(id)
    this.#check(id, state)
    if (again.length > 0) this.reduce(id, again)
  }

  #carryOut(id: ReplicaId, effect: RaftEffect): ReadonlyArray<RaftEvent> {
    const { disk, incarnation, waiting } = this.member(id)
    switch (effect._tag) {
      case "Persist":
        disk.persist(effect)
        return []
      case "Send":
        this.#offer(id, effect.to, effect.message)
        return []
      case "Reply":
        this.#hear(id, effect)
        return []
      case "LeaderChanged":
        return [...waiting].map(([sequence, command]) =>
          this.#submission({ replica: id, incarnation, sequence }, command)
        )
      case "QuorumLost":
        return []
      case "DivergenceFound":
        // What became of these must be asked elsewhere.
        waiting.clear()
        return []
      case "TakeSnapshot": {
        const { image } = effect
        this.taken++
        this.#work(id, () =>
          this.#fails()
            ? [{ _tag: "SnapshotFailed", at: Instant(this.now), last: image.last }]
            : [{ _tag: "SnapshotStored", at: Instant(this.now), snapshot: disk.write(image) }]
        )
        return []
      }
      case "SendChunk": {
        const { to, term, snapshot, offset, length } = effect
        this.#work(id, () => {
          const bytes = this.#fails() ? undefined : disk.read(snapshot, offset, length)
          if (bytes === undefined) return [{ _tag: "SnapshotMissing", at: Instant(this.now), snapshot }]
          this.#offer(id, to, { _tag: "InstallSnapshot", term, snapshot, offset, bytes })
          return []
        })
        return []
      }
      case "StoreChunk": {
        const { snapshot, offset, bytes } = effect
        if (!disk.receive(snapshot, offset, bytes)) return []
        this.#work(id, () => {
          const image = this.#fails() ? undefined : disk.finish(snapshot)
          return image === undefined
            ? [{ _tag: "SnapshotSpoiled", at: Instant(this.now), snapshot }]
            : [{ _tag: "SnapshotReceived", at: Instant(this.now), snapshot, image }]
        })
        return []
      }
      case "SnapshotInstalled": {
        this.installed++
        // What became of these nobody can tell; their clients hear that.
        const { upTo } = effect
        if (upTo === undefined) return []
        for (const sequence of waiting.keys()) if (sequence <= upTo.sequence) waiting.delete(sequence)
        return []
      }
    }
  }

  #work(id: ReplicaId, finish: Job["finish"]): void {
    const { incarnation } = this.member(id)
    this.#jobs.push({ at: this.now + 1 + this.draw(this.diskMillis), id, incarnation, finish })
  }

  #fails(): boolean {
    return this.faults.failing !== undefined && this.draw(100) < this.faults.failing
  }

  /** What clients hear must agree with one order of everything (linearizability of a list). */
  #hear(id: ReplicaId, { request, outcome }: Extract<RaftEffect, { _tag: "Reply" }>): void {
    const { waiting } = this.member(id)
    this.told.push({ request, outcome: outcome._tag })
    switch (outcome._tag) {
      case "Applied":
        this.#observe(id)
        if (waiting.has(request.sequence)) {
          assert.equal(this.canon[outcome.result - 1], waiting.get(request.sequence))
        }
        waiting.delete(request.sequence)
        this.#known = Math.max(this.#known, outcome.result)
        return
      case "Amended":
      case "Superseded":
      // Another copy may be in a log all the same: nobody can tell.
      case "Declined":
        waiting.delete(request.sequence)
        return
      case "Answered": {
        this.#observe(id)
        const list = outcome.answer.slice("q:".length)
        const seen = list === "" ? [] : list.split(",")
        assert.deepEqual(seen, this.canon.slice(0, seen.length))
        assert(seen.length >= this.#floors.get(name(request))!, `${name(request)} missed what was known before it`)
        this.#known = Math.max(this.#known, seen.length)
        return
      }
      case "Refused":
        return
    }
  }

  /** State Machine Safety (Figure 3): all apply the same, in the same order. */
  #observe(id: ReplicaId): void {
    const { currentTerm, stateMachine } = this.state(id)
    const { value } = stateMachine
    if (this.trusted.has(id)) this.#compare(stateMachine)
    if (this.#observed.get(id) === value) return
    this.#observed.set(id, value)
    for (let at = 0; at < value.length; at++) {
      if (at === this.canon.length) {
        this.canon.push(value[at]!)
        this.#canonTerms.push(currentTerm)
      }
      if (this.canon[at] !== value[at]) assert.deepEqual(value, this.canon)
    }
  }

  /** [115] What is applied is the same to the last bit, by replay and by snapshot. */
  #compare({ lastApplied, hash, applied }: ServerState["stateMachine"]): void {
    const known = this.#chain.get(lastApplied)
    const own = { hash, applied: JSON.stringify([...applied].toSorted(([one], [other]) => (one < other ? -1 : 1))) }
    if (known === undefined) this.#chain.set(lastApplied, own)
    else assert.deepEqual(own, known, `of what is applied up to ${lastApplied}`)
  }

  #check(id: ReplicaId, state: ServerState): void {
    this.#observe(id)
    if (state._tag !== "Leader") return
    // Election Safety (Figure 3): ever, not just now.
    const known = this.#leaders.get(state.currentTerm)
    if (known !== undefined) return assert.equal(id, known)
    this.#leaders.set(state.currentTerm, id)
    // Leader Completeness (Figure 3): all that was committed in earlier terms is in a new leader's log. Votes may
    // come so late that another leads a later term by then, and has committed what this one lacks.
    const { log, value } = state.stateMachine
    const held = new Set<unknown>(value)
    for (const { payload } of Logs.slice(log, Index(1), log.length)) {
      if (payload._tag === "Command") held.add(payload.command)
    }
    const missing = this.canon.filter((command, at) => this.#canonTerms[at]! < state.currentTerm && !held.has(command))
    assert.deepEqual(missing, [], `${id} leads term ${state.currentTerm} without what is applied`)
  }

  #submission(request: RequestId, command: string): RaftEvent {
    return { _tag: "CommandSubmitted", at: Instant(this.now), request, command }
  }

  #offer(from: ReplicaId, to: ReplicaId, message: Message): void {
    this.sent++
    if (!this.passes(from, to, message) || this.draw(100) < this.faults.lost) return
    const copies = this.draw(100) < this.faults.doubled ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const delay =
        this.draw(100) < this.faults.late ? 1 + this.draw(2_000) : 1 + (this.faults === calm ? 0 : this.draw(10))
      this.#wires.push({ at: this.now + delay, from, to, message })
    }
  }

  #next(): number | undefined {
    let next: number | undefined
    for (const { at } of [...this.#wires, ...this.#jobs]) next = Math.min(next ?? at, at)
    for (const { state } of this.members.values()) {
      if (state === undefined) continue
      const deadline = this.raft.nextDeadline(state)
      next = Math.min(next ?? deadline, deadline)
    }
    return next
  }

  /** All that is due now, a batch for each replica. */
  #tick(): void {
    const due = this.#wires.filter(({ at }) => at <= this.now)
    this.#wires = this.#wires.filter(({ at }) => at > this.now)
    const done = this.#jobs.filter(({ at }) => at <= this.now)
    this.#jobs = this.#jobs.filter(({ at }) => at > this.now)
    for (const [id, { state }] of this.members) {
      if (state === undefined) continue
      const events: Array<RaftEvent> = due
        .filter(({ to }) => to === id)
        .map(({ from, message }) => ({ _tag: "MessageReceived", at: Instant(this.now), from, message }))
      for (const job of done) {
        if (job.id === id && job.incarnation === this.member(id).incarnation) events.push(...job.finish())
      }
      if (events.length === 1) this.watch?.(id, events[0]!)
      const isDue = this.raft.nextDeadline(state) <= this.now
      if (isDue) events.push({ _tag: "DeadlineReached", at: Instant(this.now) })
      if (events.length > 0) this.reduce(id, events, this.tear?.(id, events))
      const woken = this.member(id).state
      // What a deadline asks for is done with it; otherwise a replica would never sleep again. A message may bring one
      // on: an answer of one that does not count any more ends a leader's majority.
      assert(!isDue || woken === undefined || this.raft.nextDeadline(woken) > this.now, `${id} wakes up for nothing`)
    }
  }

  /** After how many effects of this batch the replica dies, if it does. */
  tear: ((id: ReplicaId, events: ReadonlyArray<RaftEvent>) => number | undefined) | undefined
}

const name = ({ replica, incarnation, sequence }: RequestId): string => `${replica}/${incarnation}/${sequence}`
