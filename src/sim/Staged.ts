/** Faults that are sequences of their own: each needs several things to come together, at the right moments. */
import { kill } from "./DiskFaults.ts"
import type { Host } from "./Host.ts"
import * as Links from "./Links.ts"
import type { Random } from "./Random.ts"
import type { AnyMessage } from "./Subject.ts"
import { overtaken, routes, someFollower, someLeader } from "./Target.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

/**
 * A candidate asks for votes, and while its requests are on the way the old leader, which had only
 * been silent, goes on and commits; then that one falls silent again, and the requests arrive. Only
 * late timers and slow messages are needed for it, but many of them at the right moments.
 */
export const overtake = (world: World, random: Random): string => {
  const { hosts, links } = world
  const leader = someLeader(world, random)
  const candidate = random.pick(hosts)
  if (candidate === leader) return "nobody overtakes itself"
  const at = (timeouts: number): number => world.now + timeouts * world.plan.options.electionTimeoutMillis
  const later = (timeouts: number, mend: () => void): void => Worlds.plan(world, at(timeouts), { _tag: "Mend", mend })
  const withLeader = routes(world, (from, to) => from === leader.number || to === leader.number)
  const between = withLeader.filter(({ from, to }) => from === candidate.number || to === candidate.number)
  const cut = (all: ReadonlyArray<Links.Route>, by: 1 | -1): void => all.forEach((route) => Links.cut(links, route, by))
  Links.hold(links, { tags: new Set(["RequestVote"]), to: undefined, until: at(4.5) }, world.now)
  for (const host of hosts) host.timerStuckUntil = host === candidate ? 0 : at(host === leader ? 2.7 : 5)
  cut(withLeader, 1)
  later(2.2, () => {
    candidate.timerStuckUntil = at(3.8)
    cut(withLeader, -1)
    cut(between, 1)
  })
  later(3.2, () => cut(withLeader, 1))
  later(6, () => {
    cut(withLeader, -1)
    cut(between, -1)
  })
  return `${candidate.id} stands for ${leader.id}, which goes on meanwhile`
}

/**
 * A replica dies and is back at once, twice, for a young one numbers its questions alike each
 * time; what was meant for its former life is still on the way. From an old message it hears who
 * leads, and then no more for a while: it asks, and does not know what was committed since.
 */
export const bounce = (world: World, random: Random): string => {
  const { links, now } = world
  const { electionTimeoutMillis } = world.plan.options
  // Not so long that it stops trusting its leader.
  const millis = electionTimeoutMillis * random.between(0.8, 1.3)
  const host = someFollower(world, random)
  const held = random.chance(0.3) ? random.pick(overtaken) : (["ReadIndexReply"] as const)
  const hold = (tags: ReadonlyArray<AnyMessage["_tag"]>, share: number): void =>
    Links.hold(links, { tags: new Set(tags), to: host.number, until: now + millis * share }, world.now)
  const later = (share: number, mend: () => void): void =>
    Worlds.plan(world, now + millis * share, { _tag: "Mend", mend })
  const visit = (share: number, at: Host, query: boolean): void =>
    Worlds.plan(world, now + millis * share, { _tag: "Visit", host: at.number, query })
  for (const share of [0.2, 1]) later(share, () => kill(world, host, 0.1))
  hold(held, 2)
  visit(0.5, host, true)
  later(0.7, () => hold(["AppendEntries"], 1.5))
  later(1, () => {
    hold(["AppendEntries"], 3)
    hold(held, 2.3)
  })
  visit(1.2, someLeader(world, random), false)
  visit(1.4, host, true)
  return `${host.id} will bounce; ${held.join(" and ")} to it is held back`
}

/**
 * A follower is away, dead or cut off, for so long and while so much is written that the log that
 * it would need is gone. Then it has to be sent a snapshot, and its leader may fall silent in the middle of it.
 */
export const lag = (world: World, random: Random): string => {
  const { hosts, links, plan, now } = world
  const { electionTimeoutMillis, snapshotPatienceMillis, snapshotLogEntries } = plan.options
  const host = someFollower(world, random)
  const leader = someLeader(world, random)
  const millis = snapshotPatienceMillis + electionTimeoutMillis * random.between(2, 6)
  const later = (at: number, mend: () => void): void => Worlds.plan(world, now + at, { _tag: "Mend", mend })
  const hold = (from: number, to: number, cut: ReadonlyArray<Links.Route>): void => {
    later(from, () => cut.forEach((route) => Links.cut(links, route, 1)))
    later(to, () => cut.forEach((route) => Links.cut(links, route, -1)))
  }
  if (random.chance(0.5)) kill(world, host, millis)
  else
    hold(
      0,
      millis,
      routes(world, (from, to) => from === host.number || to === host.number)
    )
  const writes = Math.min(30, snapshotLogEntries * 3)
  for (let write = 0; write < writes; write++) {
    const at = now + (millis * (write + 1)) / (writes + 1)
    Worlds.plan(world, at, {
      _tag: "Visit",
      host: random.chance(0.8) ? leader.number : random.below(hosts.length),
      query: false
    })
  }
  if (random.chance(0.5)) {
    const silent = millis + electionTimeoutMillis * random.between(0, 1)
    const alone = routes(world, (from, to) => from === leader.number || to === leader.number)
    hold(silent, silent + electionTimeoutMillis * random.between(1, 4), alone)
  }
  return `${host.id} is away for ${millis.toFixed(0)} ms`
}
