/**
 * A disk is lost at the worst moment: what its replica has promised is what everything rests on, and
 * others could do without it if it broke its word. Each has to come together with much else to do harm,
 * so it is staged (see raft/Admission.ts for what must not come of it).
 */
import { kill, wipe } from "./DiskFaults.ts"
import type { Host } from "./Host.ts"
import * as Links from "./Links.ts"
import type { Random } from "./Random.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

export const amnesia = (world: World, random: Random, leader: Host): string => {
  const { hosts } = world
  if (hosts.length < 3) return "too few to forget anything"
  const others = hosts.filter((host) => host !== leader)
  const first = random.below(others.length)
  const order = others.map((_, at) => others[(first + at) % others.length]!)
  const stage = { world, random, leader, order }
  return random.chance(0.6) ? acknowledged(stage) : voted(stage)
}

interface Staged {
  readonly world: World
  readonly random: Random
  readonly leader: Host
  /** All others; the first one loses its disk. */
  readonly order: ReadonlyArray<Host>
}

const timeouts = ({ plan, now }: World, count: number): number => now + count * plan.options.electionTimeoutMillis

const at = (world: World, count: number, mend: () => void): void =>
  Worlds.plan(world, timeouts(world, count), { _tag: "Mend", mend })

/** Both ways, between each of the one and each of the others. */
const cutFrom = (
  world: World,
  [one, others]: readonly [Host, ReadonlyArray<Host>],
  { from, to }: { readonly from: number; readonly to: number }
): void => {
  const routes = others.flatMap(({ number }) => [
    { from: one.number, to: number },
    { from: number, to: one.number }
  ])
  at(world, from, () => routes.forEach((route) => Links.cut(world.links, route, 1)))
  at(world, to, () => routes.forEach((route) => Links.cut(world.links, route, -1)))
}

const write = (world: World, host: Host, times: number, count: number): void => {
  for (let asked = 0; asked < times; asked++) {
    const when = timeouts(world, (count * asked) / times)
    Worlds.plan(world, when, { _tag: "Visit", host: host.number, query: false })
  }
}

/**
 * What a leader commits rests on a bare majority, the others are cut off from it. One of that majority
 * forgets, its acknowledgements are still on their way, and the leader falls silent or starts anew while
 * it is catching up: with those who were cut off it would be a majority that holds less than was committed.
 */
const acknowledged = ({ world, random, leader, order }: Staged): string => {
  const victim = order[0]!
  const laggards = order.slice(Math.floor(world.hosts.length / 2))
  const lost = random.between(1, 3)
  const silent = lost + random.between(0.1, 4)
  cutFrom(world, [leader, laggards], { from: 0, to: random.chance(0.5) ? lost : silent })
  write(world, leader, 24, silent)
  const hold = (tag: "AppendEntriesReply" | "AppendEntries", to: Host): void => {
    const until = timeouts(world, lost + random.between(0.05, 2))
    at(world, lost - random.between(0, 0.3), () =>
      Links.hold(world.links, { tags: new Set([tag]), to: to.number, until }, world.now)
    )
  }
  if (random.chance(0.5)) hold("AppendEntriesReply", leader)
  if (random.chance(0.3)) hold("AppendEntries", victim)
  at(world, lost, () => wipe(world, victim, random.between(0.01, 0.5) * world.plan.options.electionTimeoutMillis))
  const timeout = world.plan.options.electionTimeoutMillis
  if (random.chance(0.3)) at(world, silent, () => kill(world, leader, timeout * random.between(0.01, 1)))
  else cutFrom(world, [leader, order], { from: silent, to: silent + random.between(2, 6) })
  return `${victim.id} is to forget what it acknowledged`
}

/**
 * A leader is alone and does not know it: its timers are stuck. The others elect another and commit. One of
 * them forgets that it voted, and from then on only hears the old leader, which asks it whether it still leads.
 */
const voted = ({ world, random, leader, order }: Staged): string => {
  const victim = order[0]!
  const others = order.slice(1)
  const lost = random.between(3, 5)
  const end = lost + random.between(1, 4)
  leader.timerStuckUntil = timeouts(world, end)
  cutFrom(world, [leader, others], { from: 0, to: end })
  cutFrom(world, [leader, [victim]], { from: 0, to: lost })
  cutFrom(world, [victim, others], { from: lost, to: end })
  for (const host of others) write(world, host, 4, lost)
  at(world, lost, () => wipe(world, victim, 0.1))
  for (let asked = 1; asked <= 6; asked++) {
    const when = timeouts(world, lost + ((end - lost) * asked) / 7)
    Worlds.plan(world, when, { _tag: "Visit", host: leader.number, query: true })
  }
  return `${victim.id} is to forget whom it voted for`
}
