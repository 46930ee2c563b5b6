/**
 * The faults that come and go by themselves. Each kind has its own stream and its own
 * rhythm; several may hold at once.
 */
import { tags } from "../raft/Message.ts"
import * as Administrators from "./Administrator.ts"
import { amnesia } from "./Amnesia.ts"
import * as Cuts from "./Cuts.ts"
import { alter, fill, kill, rot, wipe } from "./DiskFaults.ts"
import type { Host } from "./Host.ts"
import * as Links from "./Links.ts"
import type { FaultKind } from "./Plan.ts"
import { type Random, stream } from "./Random.ts"
import { patience } from "./Patience.ts"
import { bounce, lag, overtake } from "./Staged.ts"
import { overtaken, routes, someLeader } from "./Target.ts"
import * as Traces from "./Trace.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

/** Plans the first of each kind. */
export const begin = (world: World): void => {
  world.chance.strikes.forEach((random, strike) =>
    Worlds.plan(world, random.wait(world.plan.strikes[strike]!.everyMillis), { _tag: "Strike", strike })
  )
}

export const strike = (world: World, index: number): void => {
  const { kind, everyMillis, lastMillis } = world.plan.strikes[index]!
  const random = stream(world.seed, `${kind}.${world.strikes}`)
  const rhythm = world.chance.strikes[index]!
  Worlds.plan(world, world.now + rhythm.wait(everyMillis), { _tag: "Strike", strike: index })
  if (!Cuts.keeps(world.cuts.strikes, world.strikes++)) return
  if (kind !== "crash") Worlds.countFault(world, kind)
  // Time enough for the others to elect and to commit.
  const least = kind === "depose" ? world.plan.options.electionTimeoutMillis * 3 : 0
  const note = apply(world, kind, random, least + random.wait(lastMillis))
  Traces.note(world.trace, world.now, undefined, note)
}

/** Begins a fault and plans its end; gives the words for it. */
const apply = (world: World, kind: FaultKind, random: Random, millis: number): string => {
  const { hosts, links } = world
  const until = (mend: (world: World) => void): void => Worlds.plan(world, world.now + millis, { _tag: "Mend", mend })
  const hold = (routes: ReadonlyArray<Links.Route>): void => {
    for (const route of routes) Links.cut(links, route, 1)
    until(() => {
      for (const route of routes) Links.cut(links, route, -1)
    })
  }
  switch (kind) {
    case "crash": {
      const host = random.pick(hosts)
      kill(world, host, millis)
      return `${host.id} is killed`
    }
    case "power":
      for (const host of hosts) kill(world, host, millis * random.draw())
      return "the power fails"
    case "freeze": {
      const host = random.pick(hosts)
      host.frozenUntil = Math.max(host.frozenUntil, world.now + millis)
      return `${host.id} freezes for ${millis.toFixed(0)} ms`
    }
    case "split": {
      const sides = hosts.map(() => random.chance(0.5))
      hold(routes(world, (from, to) => sides[from] !== sides[to]))
      return `split: ${hosts
        .filter((host) => sides[host.number])
        .map((host) => host.id)
        .join(" ")} apart`
    }
    case "oneWay": {
      const cut = routes(world, () => random.chance(0.3))
      hold(cut)
      return `cut: ${cut.map(({ from, to }) => `${hosts[from]!.id}->${hosts[to]!.id}`).join(" ")}`
    }
    case "isolate": {
      const alone = (random.chance(0.5) ? someLeader(world, random) : random.pick(hosts)).number
      const direction = random.below(3)
      hold(routes(world, (from, to) => (from === alone && direction !== 1) || (to === alone && direction !== 0)))
      return `${hosts[alone]!.id} ${["cannot send", "cannot hear", "is alone"][direction]}`
    }
    case "depose": {
      // It keeps its clients and does not notice that nobody else hears it: CheckQuorum needs a timer.
      const host = someLeader(world, random)
      host.timerStuckUntil = world.now + millis
      hold(routes(world, (from, to) => from === host.number || to === host.number))
      return `${host.id} is alone, and its timers are stuck`
    }
    case "mute": {
      const tag = random.pick(tags)
      Links.mute(links, tag, 1)
      until(() => Links.mute(links, tag, -1))
      return `every ${tag} is lost`
    }
    case "clog": {
      const clogged = routes(world, () => random.chance(0.3))
      for (const route of clogged) Links.clog(links, route, world.now + millis)
      return `clogged: ${clogged.map(({ from, to }) => `${hosts[from]!.id}->${hosts[to]!.id}`).join(" ")}`
    }
    case "bridge": {
      // Two halves that do not reach each other, and one replica that reaches both.
      const middle = random.below(hosts.length)
      const sides = hosts.map(() => random.chance(0.5))
      hold(routes(world, (from, to) => from !== middle && to !== middle && sides[from] !== sides[to]))
      return `${hosts[middle]!.id} alone reaches both sides`
    }
    case "ring": {
      // Each reaches a majority, and no two the same one.
      const turn = random.below(hosts.length)
      const reach = Math.ceil(Math.floor(hosts.length / 2) / 2)
      const distance = (from: number, to: number): number => {
        const steps = Math.abs(((from * (turn + 1)) % hosts.length) - ((to * (turn + 1)) % hosts.length))
        return Math.min(steps, hosts.length - steps)
      }
      hold(routes(world, (from, to) => distance(from, to) > reach))
      return `a ring: each reaches ${reach} to either side`
    }
    case "swizzle": {
      // One after the other falls silent, and they come back in another order.
      const chosen = hosts.filter(() => random.chance(0.5))
      for (const host of chosen) {
        const cut = routes(world, (from, to) => from === host.number || to === host.number)
        const begins = world.now + (millis / 2) * random.draw()
        const ends = world.now + (millis / 2) * (1 + random.draw())
        for (const route of cut) Links.clog(links, route, ends)
        Worlds.plan(world, begins, { _tag: "Mend", mend: () => cut.forEach((route) => Links.cut(links, route, 1)) })
        Worlds.plan(world, ends, { _tag: "Mend", mend: () => cut.forEach((route) => Links.cut(links, route, -1)) })
      }
      return `one after the other falls silent: ${chosen.map((host) => host.id).join(" ")}`
    }
    case "hold": {
      const held = new Set(random.pick(overtaken))
      const to = random.chance(0.5) ? undefined : random.below(hosts.length)
      Links.hold(links, { tags: held, to, until: world.now + millis }, world.now)
      return `every ${[...held].join(" and ")} ${to === undefined ? "" : `to ${hosts[to]!.id} `}is held back`
    }
    case "bounce":
      return bounce(world, random)
    case "overtake":
      return overtake(world, random)
    case "slowDisk": {
      const host = random.pick(hosts)
      host.slowUntil = Math.max(host.slowUntil, world.now + millis)
      return `the disk of ${host.id} is slow`
    }
    case "wipe":
      return wipe(world, random.pick(hosts), millis)
    case "amnesia":
      return amnesia(world, random, someLeader(world, random))
    case "rot":
      return rot(world, random, millis)
    case "full":
      return fill(world, random, millis)
    case "lag":
      return lag(world, random)
    case "alter":
      return alter(world, random)
    case "patience":
      return patience(world, random)
    case "amend":
      return Administrators.amend(world, random)
    case "transfer":
      return Administrators.transfer(world, random)
  }
}

/** After a crash that no strike caused. */
export const restartSoon = (world: World, host: Host): void => {
  const millis = world.chance.restart.wait(world.plan.options.electionTimeoutMillis)
  Worlds.plan(world, world.now + millis, { _tag: "Restart", host: host.number })
}
