/**
 * The transport within one process, for tests: a `MemoryNetwork` is shared by the replicas,
 * and its links can be cut, slowed, and made to lose, double and reorder messages. Time
 * comes from `Clock` and chance from a seed, so under `TestClock` a run repeats exactly.
 * By default messages pass through the codec, so that whatever runs here also runs over TCP.
 */
import { Clock, Effect, Latch, Layer } from "effect"
import * as MessageCodec from "../codec/MessageCodec.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import { type PeerConnection, Transport } from "./Transport.ts"

/** What a link does to messages that it does carry. Chances are from 0 to 1. */
export interface LinkFaults {
  readonly delayMillis: number
  /** A message takes up to so much longer. It waits for those before it unless it is reordered. */
  readonly jitterMillis: number
  readonly loss: number
  readonly duplication: number
  /** The chance that a message does not wait for those before it. Needs some jitter to show. */
  readonly reordering: number
}

const noFaults: LinkFaults = { delayMillis: 0, jitterMillis: 0, loss: 0, duplication: 0, reordering: 0 }

export interface MemoryNetworkOptions {
  readonly seed?: number
  /** False hands over the very same message values. */
  readonly codec?: boolean
}

/** One direction between two replicas. */
interface Link {
  cut: boolean
  /** Counts the cuts: what was under way when the link was cut does not arrive after it is healed. */
  cuts: number
  faults: LinkFaults
  /** When the last message arrives that must not be overtaken. */
  lastDueAt: number
  dropped: number
}

interface Parcel {
  readonly from: ReplicaId
  readonly message: Message<Uint8Array>
  readonly dueAt: number
  readonly link: Link
  readonly cuts: number
}

/** What is on its way to one running replica, by due time; ties in the order of sending. */
interface Inbox {
  readonly parcels: Array<Parcel>
  readonly arrived: Latch.Latch
}

export class MemoryNetwork {
  private readonly codec: boolean
  private readonly chance: () => number
  private readonly links = new Map<ReplicaId, Map<ReplicaId, Link>>()
  private readonly inboxes = new Map<ReplicaId, Inbox>()

  private constructor(options: MemoryNetworkOptions) {
    this.codec = options.codec ?? true
    this.chance = seeded(options.seed ?? 1)
  }

  static make(options: MemoryNetworkOptions = {}): MemoryNetwork {
    return new MemoryNetwork(options)
  }

  /** The transport of one replica. Building it again for the same id is a restart. */
  layer(id: ReplicaId): Layer.Layer<Transport> {
    const transport = (clock: Clock.Clock): Transport["Service"] => ({
      send: (to, messages) => {
        const now = clock.currentTimeMillisUnsafe()
        for (const message of messages) this.send({ from: id, to, now }, message)
      },
      receive: (deliver) => this.receive(id, deliver),
      connections: () => this.connections(id)
    })
    return Layer.effect(Transport, Effect.map(Clock.Clock, transport))
  }

  /** Nothing passes between the two, in either direction, until the link is healed. */
  cut(a: ReplicaId, b: ReplicaId): void {
    this.cutOneWay(a, b)
    this.cutOneWay(b, a)
  }

  cutOneWay(from: ReplicaId, to: ReplicaId): void {
    const link = this.link(from, to)
    link.cut = true
    link.cuts++
  }

  /** Cuts every link between a member of `group` and any other of `all`. */
  partition(group: ReadonlyArray<ReplicaId>, all: ReadonlyArray<ReplicaId>): void {
    for (const a of group) for (const b of all) if (!group.includes(b)) this.cut(a, b)
  }

  heal(a: ReplicaId, b: ReplicaId): void {
    this.link(a, b).cut = false
    this.link(b, a).cut = false
  }

  /** Heals all that was cut. Faults stay as they are. */
  healAll(): void {
    for (const links of this.links.values()) for (const link of links.values()) link.cut = false
  }

  /** Sets faults of the link in one direction; those not named are switched off. */
  setFaults(from: ReplicaId, to: ReplicaId, faults: Partial<LinkFaults>): void {
    this.link(from, to).faults = { ...noFaults, ...faults }
  }

  private link(from: ReplicaId, to: ReplicaId): Link {
    let links = this.links.get(from)
    if (links === undefined) this.links.set(from, (links = new Map()))
    let link = links.get(to)
    if (link === undefined) {
      links.set(to, (link = { cut: false, cuts: 0, faults: noFaults, lastDueAt: 0, dropped: 0 }))
    }
    return link
  }

  private send(
    { from, to, now }: { readonly from: ReplicaId; readonly to: ReplicaId; readonly now: number },
    message: Message<Uint8Array>
  ): void {
    const link = this.link(from, to)
    const { faults, cuts } = link
    const carried = this.codec ? throughCodec(message) : message
    const inbox = this.inboxes.get(to)
    if (inbox === undefined || link.cut || this.chance() < faults.loss) {
      link.dropped++
      return
    }
    const copies = this.chance() < faults.duplication ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const arrivesAt = now + faults.delayMillis + Math.floor(this.chance() * (faults.jitterMillis + 1))
      const overtakes = this.chance() < faults.reordering
      const dueAt = overtakes ? arrivesAt : Math.max(arrivesAt, link.lastDueAt)
      if (!overtakes) link.lastDueAt = dueAt
      insert(inbox.parcels, { from, message: carried, dueAt, link, cuts })
    }
    inbox.arrived.openUnsafe()
  }

  /** While this runs the replica is there; what arrives at other times is lost. */
  private receive(
    id: ReplicaId,
    deliver: (from: ReplicaId, message: Message<Uint8Array>) => void
  ): Effect.Effect<never> {
    const inbox: Inbox = { parcels: [], arrived: Latch.makeUnsafe(false) }
    const leave = Effect.sync(() => {
      if (this.inboxes.get(id) === inbox) this.inboxes.delete(id)
    })
    return Effect.gen({ self: this }, function* () {
      this.inboxes.set(id, inbox)
      while (true) {
        const now = yield* Clock.currentTimeMillis
        // Only what is there now: answers to it are for the next turn.
        const due = inbox.parcels.splice(0, countDue(inbox.parcels, now))
        for (const { from, message, link, cuts } of due) {
          if (link.cuts === cuts) deliver(from, message)
          else link.dropped++
        }
        inbox.arrived.closeUnsafe()
        const next = inbox.parcels[0]
        if (next === undefined) yield* inbox.arrived.await
        else if (next.dueAt > now) yield* Effect.timeoutOption(inbox.arrived.await, next.dueAt - now)
        // Opening the latch resumes this fiber at once, inside the `send` that opened it.
        yield* Effect.yieldNow
      }
    }).pipe(Effect.ensuring(leave))
  }

  private connections(id: ReplicaId): ReadonlyArray<PeerConnection> {
    const peers = new Set([...this.inboxes.keys(), ...(this.links.get(id)?.keys() ?? [])])
    peers.delete(id)
    return Array.from(peers).map((peer) => {
      const { cut, dropped } = this.link(id, peer)
      const lastError = cut ? "the link is cut" : this.inboxes.has(peer) ? undefined : "it is not running"
      return { id: peer, address: `memory:${peer}`, connected: lastError === undefined, lastError, dropped }
    })
  }
}

const throughCodec = (message: Message<Uint8Array>): Message<Uint8Array> => {
  const decoded = MessageCodec.decode(MessageCodec.encode([message]))
  const first = decoded._tag === "Decoded" ? decoded.messages[0] : undefined
  if (first === undefined) throw new Error(`no peer would accept this message: ${JSON.stringify(message)}`)
  return first
}

/** After all that are due at the same time or before. */
const insert = (parcels: Array<Parcel>, parcel: Parcel): void => {
  let at = parcels.length
  while (at > 0 && parcels[at - 1]!.dueAt > parcel.dueAt) at--
  parcels.splice(at, 0, parcel)
}

const countDue = (parcels: ReadonlyArray<Parcel>, now: number): number => {
  let count = 0
  while (count < parcels.length && parcels[count]!.dueAt <= now) count++
  return count
}

/** mulberry32: short, and good enough to choose faults. */
const seeded = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
