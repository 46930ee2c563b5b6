/**
 * Another course of the same world: a copy that shares what is immutable (states, entries,
 * messages, effects) and owns what is changed in place. From here on chance is its own.
 *
 * What is copied is named here, field by field. A test runs a world with and without forks
 * and compares the traces: whatever is forgotten here shows there.
 */
import type { Agenda } from "./Agenda.ts"
import type { CanonicalLog } from "./CanonicalLog.ts"
import type { Desk } from "./Desk.ts"
import type { Host } from "./Host.ts"
import * as Links from "./Links.ts"
import type { Operation } from "./Operation.ts"
import { type Random, stream } from "./Random.ts"
import type { Chance, Happening, World } from "./World.ts"

/** What is different in the copy from its first moment on. */
export type Otherwise = Pick<World, "replicas" | "plan">

export const fork = (world: World, seed: number, { replicas, plan }: Otherwise): World => {
  const operations = new Map<Operation, Operation>()
  for (const operation of world.ledger.operations) operations.set(operation, { ...operation })
  const hosts = world.hosts.map((host) => copyHost(host, operations))
  const canon = copyCanon(world.oracle.canon)
  return {
    ...world,
    seed,
    replicas,
    plan,
    hosts,
    links: own(world.links),
    library: new Map(world.library),
    agenda: copyAgenda(world.agenda, operations),
    oracle: {
      ...own(world.oracle),
      hosts,
      canon,
      standings: own(world.oracle.standings),
      chains: world.oracle.chains.map((chain) => chain.slice())
    },
    ledger: { ...world.ledger, canon, operations: [...operations.values()] },
    trace: own(world.trace),
    askedAt: new Map(world.askedAt),
    pace: { ...world.pace },
    audience: undefined,
    chance: chanceOf(world, seed),
    faults: new Map()
  }
}

/** A copy with lists, maps and sets of its own, whatever their names. */
const own = <T extends object>(whole: T): T => {
  const fields = Object.entries(whole).map(([name, part]: [string, unknown]) => [name, ownPart(part)])
  return Object.fromEntries(fields) as T
}

const ownPart = (part: unknown): unknown => {
  if (Array.isArray(part)) return part.slice()
  if (part instanceof Map) return new Map(part)
  return part instanceof Set ? new Set(part) : part
}

type Copies = ReadonlyMap<Operation, Operation>

const copyHost = (host: Host, operations: Copies): Host => ({
  ...own(host),
  disk: own(host.disk),
  desk: copyDesk(host.desk, operations)
})

const copyDesk = (desk: Desk, operations: Copies): Desk => ({
  ...desk,
  waiting: new Map(
    [...desk.waiting].map(([sequence, waiting]) => [
      sequence,
      { ...waiting, operation: operations.get(waiting.operation)! }
    ])
  )
})

const copyCanon = (canon: CanonicalLog): CanonicalLog => ({
  ...own(canon),
  entries: canon.entries.map((entry) => ({ ...entry }))
})

/** The heap's order is kept, because no instant is changed. */
const copyAgenda = (agenda: Agenda<Happening>, operations: Copies): Agenda<Happening> => ({
  ...agenda,
  heap: agenda.heap.map((item) => ({ ...item, what: copyHappening(item.what, operations) }))
})

/**
 * No new fault strikes. Those that hold know the world they began in and would go on there; here
 * the first that would end ends all.
 */
const copyHappening = (what: Happening, operations: Copies): Happening => {
  if (what._tag === "GiveUp") return { ...what, operation: operations.get(what.operation)! }
  if (what._tag === "Mend") return { _tag: "Mend", mend: ({ links }) => Links.heal(links) }
  return what._tag === "Strike" ? { _tag: "Mend", mend: () => undefined } : what
}

/** Every stream anew, whatever streams there are. */
const chanceOf = ({ chance }: World, seed: number): Chance => {
  const streams = Object.entries(chance).map(([name, of]: [string, Random | ReadonlyArray<Random>]) => [
    name,
    Array.isArray(of) ? of.map((_, number) => stream(seed, `${name}.${number}`)) : stream(seed, name)
  ])
  return Object.fromEntries(streams) as Chance
}
