/** Clients that ask one thing after the other, and what becomes of who asks in vain. */
import { isMember } from "../raft/Configuration.ts"
import * as Canon from "./CanonicalLog.ts"
import * as Cuts from "./Cuts.ts"
import * as Desks from "./Desk.ts"
import type { Host } from "./Host.ts"
import * as Hosts from "./Host.ts"
import * as Ledgers from "./Ledger.ts"
import type { Operation } from "./Operation.ts"
import * as Recordings from "./Recording.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

/** One that comes again. */
export const ask = (world: World, client: number): void => {
  if (world.calm) return
  const { clients } = world.plan
  const random = world.chance.clients
  const drawn = clients.sticky ? world.hosts[client % world.hosts.length]! : random.pick(world.hosts)
  // Who is no member is rarely asked twice.
  const isAsked = isMember(world.oracle.standings.committed.configuration, drawn.id) || random.chance(0.2)
  const host = isAsked ? drawn : random.pick(world.hosts)
  const queries = clients.sticky ? (client % 2 === 0 ? 0.05 : 0.95) : clients.queries
  if (host.state === undefined) {
    Worlds.plan(world, world.now + 1 + random.wait(clients.thinkMillis), { _tag: "Ask", client })
    return
  }
  const query = random.chance(queries)
  if (Cuts.keeps(world.cuts.asks, world.asks++)) giveUpLater(world, submit(world, host, { client, query }))
  else Worlds.plan(world, world.now + Worlds.think(world), { _tag: "Ask", client })
}

/** A client that comes once, to one replica. */
export const visit = (world: World, host: Host, query: boolean): void => {
  if (world.calm || host.state === undefined || !Cuts.keeps(world.cuts.asks, world.asks++)) return
  giveUpLater(world, submit(world, host, { client: Worlds.visitor, query }))
}

const giveUpLater = (world: World, operation: Operation): void =>
  Worlds.plan(world, world.now + world.plan.clients.patienceMillis, { _tag: "GiveUp", operation })

/** A client asks something of a replica. */
export const submit = (
  world: World,
  host: Host,
  { client, query }: { readonly client: number; readonly query: boolean }
): Operation => {
  const { subject, ledger, chance } = world
  const latest = Canon.latest(ledger.canon)
  const input = query
    ? subject.query(chance.clients, latest)
    : subject.command(chance.clients, ledger.operations.length + 1, latest)
  const kind = query ? "Query" : "Command"
  world.askedAt.set(ledger.operations.length + 1, world.now)
  const operation = Ledgers.invoke(ledger, { client, replica: host.id, kind, input, invokedAt: Worlds.tick(world) })
  if (world.recording !== undefined) Recordings.onAsk(world.recording, operation)
  Worlds.deliver(world, host, Desks.submit(host.desk, operation, Hosts.localTime(host, world.now)))
  return operation
}
