/**
 * Who may connect to this replica, and where each is dialled. Besides the members there are three
 * sorts of ids, each of which is forgotten in time or when there are too many:
 *
 * - a former member, kept for a while so that it can still be told that it was removed;
 * - an id that was removed, when that while is over: it is refused and told so;
 * - a guest, which is no member that we know of, and came while this replica took anybody, because it
 *   knew no members or no leader. It is dialled where it says that it listens, for what it sends wants
 *   answers, and stays until the log has had time to tell who it is.
 */
import type { Standing } from "../codec/Handshake.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { TcpLimits } from "./TcpLimits.ts"
import type { Relation } from "./Transport.ts"

export interface MembershipOptions {
  readonly id: ReplicaId
  /** Whether anybody of the cluster is taken. */
  readonly joining: () => boolean
  readonly limits: Pick<TcpLimits, "formerPeerMillis" | "maxRememberedPeers">
}

export interface Known {
  readonly address: string
  readonly relation: Relation
}

export interface Caller {
  readonly id: ReplicaId
  /** Where it says that it listens. */
  readonly address: string | undefined
  readonly nowMillis: number
}

/** One that is kept for a while. */
interface Passing<A> {
  readonly address: A
  readonly untilMillis: number
}

export class Membership {
  private readonly options: MembershipOptions
  private members: ReadonlyMap<ReplicaId, string>
  private readonly former = new Map<ReplicaId, Passing<string>>()
  private readonly removed = new Map<ReplicaId, undefined>()
  private readonly guests = new Map<ReplicaId, Passing<string | undefined>>()

  constructor(options: MembershipOptions, members: ReadonlyMap<ReplicaId, string>) {
    this.options = options
    this.members = this.without(members)
  }

  /** How many are or were members. */
  get size(): number {
    return this.members.size + this.former.size
  }

  /** All that are dialled. */
  known(): ReadonlyMap<ReplicaId, Known> {
    const known = new Map<ReplicaId, Known>()
    for (const [id, address] of this.members) known.set(id, { address, relation: "Member" })
    for (const [id, { address }] of this.former) known.set(id, { address, relation: "Former" })
    for (const [id, { address }] of this.guests)
      if (address !== undefined) known.set(id, { address, relation: "Guest" })
    return known
  }

  /** Whether it is dialled. */
  has(id: ReplicaId): boolean {
    return this.wasMember(id) || this.guests.get(id)?.address !== undefined
  }

  standingOf(id: ReplicaId): Standing {
    if (this.wasMember(id) || this.guests.has(id) || this.takes(id)) return "Accepted"
    return this.removed.has(id) ? "Removed" : "UnknownPeer"
  }

  /** True if that changed anything. */
  set(members: ReadonlyMap<ReplicaId, string>, nowMillis: number): boolean {
    const next = this.without(members)
    if (equal(next, this.members)) return false
    const { formerPeerMillis, maxRememberedPeers } = this.options.limits
    const untilMillis = nowMillis + formerPeerMillis
    for (const [id, address] of this.members) if (!next.has(id)) this.former.set(id, { address, untilMillis })
    for (const id of next.keys()) for (const others of [this.former, this.removed, this.guests]) others.delete(id)
    this.members = next
    while (this.former.size > maxRememberedPeers) this.remove(oldest(this.former))
    return true
  }

  /** One has been accepted, perhaps as a guest. True if it is dialled since, or elsewhere. */
  welcome({ id, address, nowMillis }: Caller): boolean {
    if (this.wasMember(id) || !this.takes(id)) return false
    const before = this.guests.get(id)?.address
    remember(this.guests, id, { address, untilMillis: nowMillis + this.options.limits.formerPeerMillis })
    const many = this.guests.size > this.options.limits.maxRememberedPeers
    if (many) this.guests.delete(oldest(this.guests))
    return many || address !== before
  }

  /** Ends what its time has come for; true if that changed who is dialled. Guests get older when nobody is taken any more. */
  expire(nowMillis: number): boolean {
    const joining = this.options.joining()
    let changed = false
    for (const [id, { address, untilMillis }] of this.guests) {
      if (joining) this.guests.set(id, { address, untilMillis: nowMillis + this.options.limits.formerPeerMillis })
      else if (untilMillis <= nowMillis) changed = this.guests.delete(id)
    }
    for (const [id, { untilMillis }] of this.former) {
      if (untilMillis > nowMillis) continue
      this.remove(id)
      changed = true
    }
    return changed
  }

  /** Whether one that is no member is taken. A second replica of our own name never is. */
  private takes(id: ReplicaId): boolean {
    return this.options.joining() && id !== this.options.id && nameOfGuest.test(id)
  }

  private wasMember(id: ReplicaId): boolean {
    return this.members.has(id) || this.former.has(id)
  }

  private remove(id: ReplicaId): void {
    this.former.delete(id)
    remember(this.removed, id, undefined)
    if (this.removed.size > this.options.limits.maxRememberedPeers) this.removed.delete(oldest(this.removed))
  }

  private without(members: ReadonlyMap<ReplicaId, string>): ReadonlyMap<ReplicaId, string> {
    const others = new Map(members)
    others.delete(this.options.id)
    return others
  }
}

/** As operators may name one. A name that anybody may choose comes into the log, and must not write lines of its own there. */
const nameOfGuest = /^[A-Za-z0-9._-]{1,64}$/

/** As the newest. */
const remember = <V>(all: Map<ReplicaId, V>, id: ReplicaId, value: V): void => {
  all.delete(id)
  all.set(id, value)
}

const oldest = (all: ReadonlyMap<ReplicaId, unknown>): ReplicaId => all.keys().next().value!

const equal = (one: ReadonlyMap<ReplicaId, string>, other: ReadonlyMap<ReplicaId, string>): boolean =>
  one.size === other.size && Array.from(one).every(([id, address]) => other.get(id) === address)
