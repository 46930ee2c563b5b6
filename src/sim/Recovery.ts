/**
 * The second phase. A majority is healed, whatever ails the rest stays for ever, and within a
 * bounded time there must be a leader, one log, one state, an answer to everybody who waits, and
 * a place for fresh writes on every member of that majority. Changes of the members come to their end, and a
 * further one is made. Who is no member need not come to anything, but must not disturb the others.
 * A cluster that is merely never wrong would pass the first phase by doing nothing.
 */
import type { MemberChange } from "../raft/Amendment.ts"
import type { Configuration } from "../raft/Configuration.ts"
import * as Configurations from "../raft/Configuration.ts"
import * as Administrators from "./Administrator.ts"
import { submit } from "./Clients.ts"
import * as Canon from "./CanonicalLog.ts"
import * as Desks from "./Desk.ts"
import * as Disks from "./Disk.ts"
import { empty } from "./DiskFaults.ts"
import type { Host } from "./Host.ts"
import * as Hosts from "./Host.ts"
import { impair } from "./Impairment.ts"
import * as Lives from "./Life.ts"
import * as Links from "./Links.ts"
import type { Operation } from "./Operation.ts"
import { step } from "./Stepping.ts"
import { inWords } from "./Subject.ts"
import * as Traces from "./Trace.ts"
import { require } from "./Violation.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

export const recover = (world: World): void => {
  heal(world)
  const healthy = world.hosts.filter((host) => !host.lost && !host.impaired)
  conclude(world, healthy)
  converge(world, healthy)
  refuse(world)
  notice(world)
  if (healthy.length === world.hosts.length) {
    reform(world, healthy)
    rest(world)
  }
  if (!world.plan.recovery.lockstep) return
  allAtOnce(world, healthy)
  converge(world, healthy)
}

const present = ({ oracle }: World): Configuration => oracle.standings.committed.configuration

const isMember = (world: World, { id }: Host): boolean => Configurations.isMember(present(world), id)

/** What was asked for under faults is given up: nobody would ask for it in the state that they have left. */
const giveUp = (world: World): void => {
  for (const host of world.hosts) {
    host.inbox = host.inbox.filter(({ _tag }) => _tag !== "AmendmentSubmitted")
    for (const waiting of host.desk.waiting.values()) {
      const { operation } = waiting
      // Patience that grew under faults is no measure of what a healthy cluster owes.
      waiting.patience = 1
      if (operation.kind !== "Amendment") continue
      Desks.forget(host.desk, operation)
      Worlds.resolve(world, operation, "Unknown", "GaveUp")
    }
  }
}

/** A joint configuration that waits to be left explicitly is left. */
const conclude = (world: World, healthy: ReadonlyArray<Host>): void => {
  within(world, 60, "after faults somebody leads (I20)", () => disagreement(world, healthy, false))
  const { autoLeave } = present(world)
  if (!Configurations.isJoint(present(world)) || autoLeave) return
  change(world, healthy, [{ _tag: "Leave" }])
}

/** Another member, or one less: not all of a cluster's life is trouble. */
const reform = (world: World, healthy: ReadonlyArray<Host>): void => {
  if (world.oracle.suspect) return
  const outside = world.hosts.find((host) => !isMember(world, host))
  const { voters } = present(world)
  if (outside !== undefined) {
    const latest = Math.max(...world.hosts.map(({ version }) => version))
    if (outside.version < latest) Administrators.replaceProgram(world, outside, latest)
    change(world, healthy, [{ _tag: "Add", id: outside.id, address: undefined, promote: true }])
    within(world, 40, "a learner that is up becomes a voter (I20)", () =>
      present(world).voters.includes(outside.id) ? disagreement(world, healthy) : `${outside.id} does not vote`
    )
  } else if (voters.length > 1) {
    change(world, healthy, [{ _tag: "Remove", id: voters[0]! }])
    within(world, 40, "after a change the cluster converges (I20)", () => disagreement(world, healthy))
  }
}

const change = (world: World, healthy: ReadonlyArray<Host>, changes: ReadonlyArray<MemberChange>): void => {
  let told: string | undefined
  for (let tries = 0; told !== "Done" && tries < 10; tries++) {
    if (tries > 0) pass(world, 0.5)
    const host = healthy.find(({ state }) => state?._tag === "Leader") ?? healthy[0]!
    told = answer(
      world,
      host,
      Administrators.submit(world, host, { _tag: "Members", changes, autoLeave: true, force: false })
    )
  }
  // One that nobody was told of may have been the one that did it.
  const isLeft = changes[0]?._tag === "Leave" && !Configurations.isJoint(present(world))
  require(told === "Done" || isLeft, "a healthy cluster changes its members (I20)", () =>
    `${inWords(changes)}: ${told}`)
}

/** Nobody enters a later term for one that is no member any more, or not yet. */
const rest = (world: World): void => {
  pass(world, 3)
  world.settled = true
  pass(world, 8)
  world.settled = false
}

const heal = (world: World): void => {
  restartDiffering(world)
  world.calm = true
  Traces.note(world.trace, world.now, undefined, "all faults end")
  Links.heal(world.links)
  giveUp(world)
  impair(world)
  for (const host of world.hosts) {
    Hosts.mendClock(host, world.now)
    host.timerStuckUntil = 0
    host.slowUntil = 0
    host.frozenUntil = Math.min(host.frozenUntil, world.now)
    empty(world, host)
    if (host.state === undefined) Lives.start(world, host)
    else Worlds.wake(world, host, world.now)
  }
}

/** People look after who says that it differs; a start from its disk is what they try first. */
const restartDiffering = (world: World): boolean => {
  const differing = world.hosts.filter(({ state }) => state?.diverged !== undefined)
  for (const host of differing) {
    Lives.crash(world, host)
    Lives.start(world, host)
  }
  return differing.length > 0
}

const converge = (world: World, healthy: ReadonlyArray<Host>): void => {
  within(world, 60, "after faults the cluster converges (I20)", () => disagreement(world, healthy))
  fresh(world, healthy)
  within(world, 20, "after fresh writes the cluster converges (I20)", () => disagreement(world, healthy))
}

/** All lose power together, with equal logs, and start together: nothing but their seeds tells them apart. */
const allAtOnce = (world: World, healthy: ReadonlyArray<Host>): void => {
  world.lockstep = true
  Traces.note(world.trace, world.now, undefined, "all start at one instant")
  for (const host of healthy) Lives.crash(world, host)
  for (const host of healthy) Lives.start(world, host)
}

/**
 * Goes on until nothing is missing; too long is a violation. Limits may be so tiny that much has to be caught
 * up with one entry at a time: as long as more is applied, or the log that lags most grows, it may take longer, but not for
 * ever. (Of an earlier term a whole log has to be copied before anything of it can be committed, §5.4.2.)
 */
const within = (world: World, timeouts: number, rule: string, missing: () => string | undefined): void => {
  const patience = timeouts * world.plan.options.electionTimeoutMillis
  const end = world.now + 5 * patience
  let limit = world.now + patience
  let applied = -1
  let helped = false
  let lacks = missing()
  for (let steps = 1; lacks !== undefined; steps++) {
    if (world.now >= limit && !helped) {
      helped = true
      if (restartDiffering(world)) limit = world.now + patience
    }
    const goesOn = world.now < limit && step(world)
    if (!goesOn || steps % 8 === 0) lacks = missing()
    if (steps % 8 === 0) {
      const sum = world.hosts.reduce((so, { state }) => so + (state?.stateMachine.lastApplied ?? 0), shortest(world))
      if (sum > applied) limit = Math.min(end, world.now + patience)
      applied = sum
    }
    require(goesOn || lacks === undefined, rule, () => lacks ?? "")
  }
}

/** The last index of the log that lags most. */
const shortest = (world: World): number => {
  const members = world.hosts.filter((host) => host.state !== undefined && isMember(world, host))
  return members.length === 0 ? 0 : Math.min(...members.map(({ disk }) => Disks.lastIndex(disk)))
}

/** What is missing of a cluster that is well; `whole` asks for changes of the members to have come to their end. */
const disagreement = (world: World, healthy: ReadonlyArray<Host>, whole = true): string | undefined => {
  const leader = healthy.find((host) => host.state?._tag === "Leader")
  if (leader === undefined) return "nobody leads"
  if (whole) {
    const { learners } = present(world)
    if (Configurations.isJoint(present(world))) return "its configuration is joint"
    const waits = learners.find(({ promote }) => promote && healthy.length === world.hosts.length)
    if (waits !== undefined) return `${waits.id} does not vote yet`
    if (leader.state?._tag === "Leader" && leader.state.transfer !== undefined) return `${leader.id} hands over`
  }
  const last = Canon.lastIndex(world.ledger.canon)
  const chain = world.ledger.canon.entries[last]!.chain
  for (const host of healthy) {
    if (host.state === undefined) return `${host.id} is down`
    if (host.desk.waiting.size > 0) return `${host.desk.waiting.size} clients wait at ${host.id}`
    if (host.state.reads.waiting > 0) return `${host.state.reads.waiting} reads wait at ${host.id}`
    if (!isMember(world, host)) continue
    const { lastApplied } = host.state.stateMachine
    if (lastApplied !== last) return `${host.id} has applied ${lastApplied} of ${last}`
    if (Disks.lastIndex(host.disk) !== last || host.disk.chain[last] !== chain) return `${host.id} has another log`
    if (!host.state.admitted && healthy.length === world.hosts.length) return `${host.id} is not admitted`
  }
  const pending = world.ledger.operations.find((operation) => operation.ending === undefined)
  return pending === undefined ? undefined : `operation ${pending.number} has no answer`
}

/**
 * Every healthy replica takes a write and then shows it; one at a time, for limits may be
 * tiny. What is still under way from before may stand in the way of a few.
 */
const fresh = (world: World, healthy: ReadonlyArray<Host>): void => {
  for (const host of healthy) {
    if (differs(world, host) || !isMember(world, host)) continue
    for (const query of [false, true]) {
      let told: string | undefined
      for (let tries = 0; told !== "Done" && tries < 10; tries++) {
        if (tries > 0) pass(world, 0.5)
        told = attempt(world, host, query)
      }
      if (told !== "Done" && differs(world, host)) break
      require(told === "Done", "a healthy cluster refuses nothing (I20)", () => `${host.id} says ${told}`)
    }
  }
}

/** Whose value was altered, or who is called different because of one whose value was. */
const differs = ({ oracle }: World, { number, state }: Host): boolean =>
  oracle.altered.has(number) || (oracle.suspect && state?.diverged !== undefined)

/**
 * Whose value was altered serves nobody any more once what it applied gave something else than elsewhere. If
 * it has sent others a snapshot of that, nobody can tell who is right.
 */
const notice = (world: World): void => {
  if (world.oracle.altered.size !== 1) return
  const unnoticed = (): string | undefined =>
    world.hosts.find(({ number, state, impaired }) => {
      if (state === undefined || impaired || state.diverged !== undefined || !world.oracle.altered.has(number))
        return false
      const { lastApplied, hash } = state.stateMachine
      return hash !== world.ledger.canon.entries[lastApplied]!.hash
    })?.id
  within(world, 20, "who differs from the others serves nobody", unnoticed)
}

/** Who is cut off from everybody says so, instead of keeping its clients waiting. */
const refuse = (world: World): void => {
  for (const host of world.hosts) {
    const silent = world.hosts.every((other) => other === host || Links.isDead(world.links, other.number, host.number))
    if (!host.impaired || host.state === undefined || !silent) continue
    for (const query of [false, true]) {
      const told = attempt(world, host, query)
      require(told !== "Done", "who hears nobody answers nothing", () => host.id)
    }
  }
}

/** So many election timeouts go by. */
const pass = (world: World, timeouts: number): void => {
  const until = world.now + world.plan.options.electionTimeoutMillis * timeouts
  while (world.now < until && step(world)) {}
}

const attempt = (world: World, host: Host, query: boolean): string | undefined =>
  answer(world, host, submit(world, host, { client: Worlds.visitor, query }))

const answer = (world: World, host: Host, operation: Operation): string | undefined => {
  within(world, 20, "clients are answered within bounds (I20)", () =>
    operation.ending === undefined ? `${operation.kind} at ${host.id} has no answer` : undefined
  )
  return operation.ending?._tag
}
