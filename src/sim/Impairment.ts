/**
 * What is left of the faults for ever: a minority of those who vote, by whatever may be in force, and of
 * those who do not as many as one likes. They are dead, or live and have no link on
 * which they are both heard by a member of the majority and hear it. And links are slow,
 * within what the election timeout allows.
 *
 * Half a link is as bad as it gets: with a whole one to some of the majority and none to the
 * others, a replica could win an election that those others never hear of, and they would stay
 * behind for as long as it leads. That is a price of PreVote and CheckQuorum, not a fault in them.
 */
import type { Configuration } from "../raft/Configuration.ts"
import * as Configurations from "../raft/Configuration.ts"
import * as Disks from "./Disk.ts"
import type { Host } from "./Host.ts"
import * as Lives from "./Life.ts"
import * as Links from "./Links.ts"
import { type Random, stream } from "./Random.ts"
import * as Standings from "./Standings.ts"
import { configurationsInForce } from "./Target.ts"
import * as Traces from "./Trace.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

export const impair = (world: World): void => {
  const { hosts, plan, links } = world
  const random = stream(world.seed, "impairment")
  const inForce = configurationsInForce(world)
  const shuffled = shuffle(random, hosts)
  const healthy = new Set(hosts)
  if (mayAil(world, inForce)) {
    shuffled.forEach((host, place) => {
      if (((plan.recovery.impaired >> place) & 1) === 1 && isSpared(world, healthy, host)) healthy.delete(host)
    })
  }
  for (const host of shuffled) if (!healthy.has(host)) ail(world, random, host, healthy)
  if (plan.recovery.slow === 0) return
  for (const from of hosts) {
    for (const to of hosts) {
      const millis = plan.recovery.slow * plan.options.electionTimeoutMillis
      if (random.chance(0.3)) Links.slow(links, { from: from.number, to: to.number }, millis)
    }
  }
}

/**
 * Who may not vote yet needs all others to be admitted, and who differs is only told from the others when
 * enough of them are there to compare: then everybody is well. At a cluster's beginning nobody may vote. Whose
 * snapshots are damaged may find at its next start that it may not either.
 */
const mayAil = ({ hosts, oracle }: World, inForce: ReadonlyArray<Configuration>): boolean => {
  const members = hosts.filter(({ id }) => inForce.some((configuration) => Configurations.isMember(configuration, id)))
  return (
    oracle.altered.size === 0 &&
    hosts.every(({ disk }) => disk.snapshots.every(({ damaged, image }) => !damaged && !oracle.tainted.has(image))) &&
    (members.every(({ disk }) => disk.admitted) || !hosts.some(({ disk }) => disk.admitted))
  )
}

/**
 * Whether the others are a majority of all that may be in force, and the one of them that can win an election, for its log
 * is the newest, is a voter by it. Who is to be a voter will be one.
 */
const isSpared = (world: World, healthy: ReadonlySet<Host>, host: Host): boolean => {
  const inForce = configurationsInForce(world)
  const others = [...healthy].filter((other) => other !== host)
  const ids = new Set(others.map(({ id }) => id))
  const [best] = others.toSorted(byLog)
  const own = best && Standings.at(world.oracle.standings, best.disk.chain.at(-1)!).configuration
  return (
    own !== undefined &&
    Configurations.isVoter(own, best!.id) &&
    inForce.every(
      (configuration) =>
        Configurations.isQuorum(configuration, ids) &&
        !configuration.learners.some(({ id, promote }) => promote && id === host.id)
    )
  )
}

/** The newest first. */
const byLog = ({ disk: one }: Host, { disk: other }: Host): number => {
  const [mine, theirs] = [one, other].map((disk) => disk.entries.at(-1)?.term ?? disk.base.term)
  return theirs! - mine! || Disks.lastIndex(other) - Disks.lastIndex(one)
}

/** One of the minority: dead, alone, deaf, dumb, or half a link to each. */
const ail = (world: World, random: Random, host: Host, healthy: ReadonlySet<Host>): void => {
  const ailment = random.pick(["is dead", "is alone", "hears nobody", "is heard by nobody", "has half of each link"])
  Traces.note(world.trace, world.now, host.number, `${ailment}, for ever`)
  Worlds.countFault(world, `for ever: ${ailment}`)
  if (ailment === "is dead") {
    Lives.crash(world, host)
    host.lost = true
    return
  }
  host.impaired = true
  for (const other of world.hosts) {
    if (other === host) continue
    const half = random.chance(0.5)
    const whole = ailment === "has half of each link" && !healthy.has(other)
    const deaf = ailment === "is alone" || ailment === "hears nobody" || (!whole && half)
    const dumb = ailment === "is alone" || ailment === "is heard by nobody" || (!whole && !half)
    if (deaf && ailment !== "is heard by nobody") {
      Links.cut(world.links, { from: other.number, to: host.number }, 1)
    }
    if (dumb && ailment !== "hears nobody") Links.cut(world.links, { from: host.number, to: other.number }, 1)
  }
}

const shuffle = (random: Random, hosts: ReadonlyArray<Host>): ReadonlyArray<Host> => {
  const left = [...hosts]
  const shuffled: Array<Host> = []
  while (left.length > 0) shuffled.push(...left.splice(random.below(left.length), 1))
  return shuffled
}
