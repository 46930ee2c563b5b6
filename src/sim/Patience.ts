/**
 * What leases rest on is put to the test: a leader that nobody hears any more, whose timers are stuck, and which is asked to
 * read, while the others may elect another as soon as their patience ends, and write.
 */
import { kill } from "./DiskFaults.ts"
import type { Host } from "./Host.ts"
import * as Links from "./Links.ts"
import type { Random } from "./Random.ts"
import { routes, someLeader } from "./Target.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

export const patience = (world: World, random: Random): string => {
  const leader = someLeader(world, random)
  const others = world.hosts.filter((host) => host !== leader)
  if (others.length < 2) return "nobody else is there to lead"
  const at = (timeouts: number): number => world.now + timeouts * world.plan.options.electionTimeoutMillis
  const later = (timeouts: number, mend: () => void): void => Worlds.plan(world, at(timeouts), { _tag: "Mend", mend })
  const cut = (from: number, to: number, chosen: ReadonlyArray<Links.Route>): void => {
    later(from, () => chosen.forEach((route) => Links.cut(world.links, route, 1)))
    later(to, () => chosen.forEach((route) => Links.cut(world.links, route, -1)))
  }
  const ask = (from: number, to: number, hosts: ReadonlyArray<Host>, query: boolean): void => {
    for (let time = from; time < to; time += 0.1) {
      Worlds.plan(world, at(time), { _tag: "Visit", host: random.pick(hosts).number, query })
    }
  }
  const end = at(4)
  const stuckFrom = (timeouts: number): void => later(timeouts, () => (leader.timerStuckUntil = end))
  const sent = routes(world, (from) => from === leader.number)
  const heard = routes(world, (_, to) => to === leader.number)
  if (random.chance(0.5)) {
    // Its followers' answers take as long as their patience.
    const tags = new Set(["AppendEntriesReply", "HeartbeatReply"] as const)
    Links.hold(world.links, { tags, to: leader.number, until: at(1) }, world.now)
    stuckFrom(0.4)
    cut(0.4, 4, sent)
    cut(1.1, 4, heard)
    ask(1.1, 2.4, others, false)
    ask(1.1, 2.4, [leader], true)
    return `${leader.id} falls silent, and hears late that it was heard`
  }
  const first = random.pick(others)
  cut(
    0,
    4,
    routes(world, (from, to) => from === leader.number && to === first.number)
  )
  stuckFrom(1)
  cut(1, 4, [...sent, ...heard])
  for (const host of others) if (host !== first) later(random.between(1, 1.1), () => kill(world, host, 0.1))
  ask(1.1, 2.2, others, false)
  ask(1.1, 2.2, [leader], true)
  return `${first.id} has waited for long when the others forget that they follow ${leader.id}`
}
