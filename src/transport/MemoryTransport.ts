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
import { type Lane, laneOf } from "./Lane.ts"
import { Membership, type MembershipOptions } from "./Membership.ts"
import { defaultTcpLimits } from "./TcpLimits.ts"
import { type PeerConnection, Transport } from "./Transport.ts"

/** What a link does to messages that it does carry. Chances are from 0 to 1. */
export interface LinkFaults {
  readonly delayMillis: number
  /** A message takes up to so much longer. It waits for those before it in its lane unless it is reordered. */
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
  /** When the last message of each lane arrives that must not be overtaken. */
  readonly lastDueAt: Record<Lane, number>
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
  /** Of those replicas that were told their members. */
  private readonly memberships = new Map<ReplicaId, Membership>()
  private readonly inboxes = new Map<ReplicaId, Inbox>()

  private constructor(options: MemoryNetworkOptions) {
    this.codec = options.codec ?? true
    this.chance = seeded(options.seed ?? 1)
  }

  static make(options: MemoryNetworkOptions = {}): MemoryNetwork {
    return new MemoryNetwork(options)
  }

  /**
   * The transport of one replica. Building it again for the same id is a restart. Until `setMembers` is called it
   * sends to anybody and hears anybody.
   */
  layer(id: ReplicaId, options: Partial<Omit<MembershipOptions, "id">> = {}): Layer.Layer<Transport> {
    const transport = (clock: Clock.Clock): Transport["Service"] => ({
      send: (to, messages) => {
        const now = clock.currentTimeMillisUnsafe()
        for (const message of messages) this.send({ from: id, to, now }, message)
      },
      receive: (deliver) => this.receive(id, deliver),
      setMembers: (members) => {
        const { joining = () => false, limits = defaultTcpLimits } = options
        const membership = this.memberships.get(id)
        if (membership !== undefined) membership.set(members, clock.currentTimeMillisUnsafe())
        else this.memberships.set(id, new Membership({ id, joining, limits }, members))
      },
      connections: () => this.connections(id, clock.currentTimeMillisUnsafe())
    })
    return Layer.effect(
      Transport,
      Effect.map(Clock.Clock, (clock) => {
        this.memberships.delete(id)
        return transport(clock)
      })
    )
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
      links.set(to, (link = { cut: false, cuts: 0, faults: noFaults, lastDueAt: { Control: 0, Bulk: 0 }, dropped: 0 }))
    }
    return link
  }

  private send(
    { from, to, now }: { readonly from: ReplicaId; readonly to: ReplicaId; readonly now: number },
    message: Message<Uint8Array>
  ): void {
    for (const id of [from, to]) this.memberships.get(id)?.expire(now)
    if (this.memberships.get(from)?.has(to) === false) return
    const link = this.link(from, to)
    const { faults, cuts } = link
    const carried = this.codec ? throughCodec(message) : message
    const lane = laneOf(message)
    const inbox = this.inboxes.get(to)
    const refused = (this.memberships.get(to)?.standingOf(from) ?? "Accepted") !== "Accepted"
    if (!refused) this.memberships.get(to)?.welcome({ id: from, address: `memory:${from}`, nowMillis: now })
    if (inbox === undefined || refused || link.cut || this.chance() < faults.loss) {
      link.dropped++
      return
    }
    const copies = this.chance() < faults.duplication ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const arrivesAt = now + faults.delayMillis + Math.floor(this.chance() * (faults.jitterMillis + 1))
      const overtakes = this.chance() < faults.reordering
      const dueAt = overtakes ? arrivesAt : Math.max(arrivesAt, link.lastDueAt[lane])
      if (!overtakes) link.lastDueAt[lane] = dueAt
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

  private connections(id: ReplicaId, now: number): ReadonlyArray<PeerConnection> {
    this.memberships.get(id)?.expire(now)
    const known = this.memberships.get(id)?.known()
    const peers = new Set(known?.keys() ?? [...this.inboxes.keys(), ...(this.links.get(id)?.keys() ?? [])])
    peers.delete(id)
    return Array.from(peers).map((peer) => {
      const { dropped } = this.link(id, peer)
      const lastError = this.whyNot(id, peer)
      const { relation, address } = known?.get(peer) ?? { relation: "Member", address: `memory:${peer}` }
      return { id: peer, address, relation, connected: lastError === undefined, lastError, dropped }
    })
  }

  private whyNot(from: ReplicaId, to: ReplicaId): string | undefined {
    if (this.link(from, to).cut) return "the link is cut"
    if (!this.inboxes.has(to)) return "it is not running"
    const standing = this.memberships.get(to)?.standingOf(from) ?? "Accepted"
    return standing === "Accepted" ? undefined : `it refuses us (${standing})`
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
