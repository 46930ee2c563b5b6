/**
 * What happens to a world, one thing at a time. Here a host does what the runtime will do:
 * take some of what waits, reduce it, carry out the effects from left to right.
 *
 * Long because: a step, its effects and all that may cut it short are read beside each other.
 */
import * as Durability from "../raft/Durability.ts"
import { Instant } from "../raft/LogEntry.ts"
import * as Agendas from "./Agenda.ts"
import * as Attendance from "./Attendance.ts"
import * as Background from "./Background.ts"
import * as Clients from "./Clients.ts"
import * as Desks from "./Desk.ts"
import { replicaNumber } from "./Disk.ts"
import * as Disks from "./Disk.ts"
import * as Faults from "./Faults.ts"
import type { Host } from "./Host.ts"
import * as Hosts from "./Host.ts"
import * as Lives from "./Life.ts"
import * as Links from "./Links.ts"
import * as Marks from "./Marks.ts"
import * as Meanwhile from "./Meanwhile.ts"
import * as Oracles from "./Oracle.ts"
import * as Promises from "./Promises.ts"
import * as Recordings from "./Recording.ts"
import type { AnyEffect, AnyEvent, AnyMessage, State } from "./Subject.ts"
import { checkDisturbed } from "./StepRules.ts"
import * as Times from "./TimeRules.ts"
import * as Traces from "./Trace.ts"
import { require } from "./Violation.ts"
import type { Happening, World } from "./World.ts"
import * as Worlds from "./World.ts"

/** False when nothing will ever happen again. */
export const step = (world: World): boolean => {
  const item = Agendas.next(world.agenda)
  if (item === undefined) return false
  world.now = item.at
  // Whoever watches takes nothing of a run's length.
  if (item.what._tag !== "Attend") world.steps++
  happen(world, item.what)
  return true
}

const happen = (world: World, what: Happening): void => {
  switch (what._tag) {
    case "Arrive":
      if (Links.isCut(world.links, what, what.message._tag) || what.wipes < world.hosts[what.to]!.wipes) return
      if (world.calm && isGivenUp(world, what.message)) return
      Worlds.deliver(world, world.hosts[what.to]!, {
        _tag: "MessageReceived",
        from: world.hosts[what.from]!.id,
        message: what.message
      })
      return Meanwhile.hear(world, world.hosts[what.to]!, stepping)
    case "Wake":
      return onWake(world, world.hosts[what.host]!)
    case "Continue": {
      const host = world.hosts[what.host]!
      if (host.life !== what.life) return
      return carryOn(world, host)
    }
    case "Restart":
      return Lives.start(world, world.hosts[what.host]!)
    case "Background": {
      const host = world.hosts[what.host]!
      return host.life === what.life ? Background.done(world, host, what.work) : undefined
    }
    case "Ask":
      return Clients.ask(world, what.client)
    case "Visit":
      return Clients.visit(world, world.hosts[what.host]!, what.query)
    case "Attend":
      return Attendance.attend(world, what.watcher)
    case "GiveUp": {
      const { operation } = what
      const host = world.hosts[replicaNumber(operation.replica)]!
      // A healthy cluster owes everybody an answer.
      if (operation.ending !== undefined || (world.calm && !host.impaired)) return
      Marks.hit(world.marks, "a client gave up")
      Desks.forget(host.desk, operation)
      return Worlds.resolve(world, operation, "Unknown", "GaveUp")
    }
    case "Strike":
      return world.calm ? undefined : Faults.strike(world, what.strike)
    case "Mend":
      return world.calm ? undefined : what.mend(world)
  }
}

/** Nobody waits for it any more: with the faults ends what was asked for under them. */
const isGivenUp = ({ hosts }: World, message: AnyMessage): boolean => {
  if (message._tag !== "ForwardAmendment") return false
  const { replica, incarnation, sequence } = message.request
  const { desk } = hosts[replicaNumber(replica)]!
  return desk.incarnation !== incarnation || !desk.waiting.has(sequence)
}

const onWake = (world: World, host: Host): void => {
  if (host.wakeAt > world.now) return
  host.wakeAt = Number.POSITIVE_INFINITY
  if (host.state === undefined || !Hosts.isFree(host)) return
  if (host.frozenUntil > world.now) return Worlds.wake(world, host, host.frozenUntil)
  const events = gather(world, host, host.state)
  if (events.length > 0) reduce(world, host, host.state, events)
  if (Hosts.isFree(host)) rest(world, host)
}

/** Some of what waits, in order, and the deadline if it has passed. */
const gather = (world: World, host: Host, state: State): Array<AnyEvent> => {
  const at = Instant(Hosts.localTime(host, world.now))
  host.inbox.push(...Desks.overdue(host.desk, at, world.plan.options.electionTimeoutMillis))
  const { batch } = world.chance
  // Whatever the plan says, a crowd is not taken one by one for ever: a runtime takes all that is there.
  const most = Math.max(world.plan.batch.most, world.calm ? host.inbox.length / 4 : 0)
  const taken = host.inbox.splice(0, 1 + batch.below(most))
  const events: Array<AnyEvent> = []
  for (const arrival of taken) events.push({ ...arrival, at })
  const stuck = world.now < host.timerStuckUntil
  const overlooked = stuck || (taken.length > 0 && !world.calm && batch.chance(world.plan.lateTimer))
  if (!overlooked && at >= Worlds.replicaOf(world, host).nextDeadline(state)) {
    const deadline: AnyEvent = { _tag: "DeadlineReached", at }
    if (batch.chance(0.5)) events.push(deadline)
    else events.unshift(deadline)
  }
  return events
}

const reduce = (world: World, host: Host, before: State, events: ReadonlyArray<AnyEvent>): void => {
  const [after, effects] = Worlds.replicaOf(world, host).reduceAll(before, events)
  host.effects = effects
  host.carried = 0
  take(world, host, { before, after, events, effects })
  if (world.settled && after.currentTerm > before.currentTerm)
    checkDisturbed(world.oracle.standings.committed.configuration, host.id, events)
  // What comes behind it may bring another deadline, which has passed as well.
  const told = events.at(-1)?._tag === "DeadlineReached"
  const { log, lastApplied } = before.stateMachine
  const goesOn = after.stateMachine.lastApplied > lastApplied || after.stateMachine.log !== log
  require(!told ||
    goesOn ||
    Worlds.replicaOf(world, host).nextDeadline(after) > events[0]!.at, "a deadline that passed moves on", () =>
    `${host.id} (${after._tag}) would spin`)
  const { cutShort } = world.chance
  const dies = !world.calm && world.plan.cutShort > 0 && cutShort.chance(world.plan.cutShort)
  host.crashAt = dies ? cutShort.below(effects.length + 1) : Number.POSITIVE_INFINITY
  carryOut(world, host)
}

/** A step as all who watch must hear of it. */
const take = (world: World, host: Host, step: Step): void => {
  const { before, after, events, effects } = step
  world.events += events.length
  if (world.recording !== undefined) Recordings.onStep(world.recording, host, events[0]!.at, events)
  host.state = after
  Traces.step(world.trace, { at: world.now, host: host.number, before, after, events, effects })
  Oracles.onStep(world.oracle, host, { before, after, effects })
  Times.onStep(world)
  Marks.onStep(world.marks, { options: world.plan.options, before, after, events, effects })
}

export interface Step {
  readonly before: State
  readonly after: State
  readonly events: ReadonlyArray<AnyEvent>
  readonly effects: ReadonlyArray<AnyEffect>
}

/** Left to right. A Persist takes time, a frozen host goes on later, a crash cuts the rest off. */
const carryOut = (world: World, host: Host): void => {
  const { life } = host
  while (host.life === life && host.carried < host.effects.length) {
    if (host.carried === host.crashAt) return die(world, host)
    if (host.frozenUntil > world.now) return later(world, host, host.frozenUntil)
    const effect = host.effects[host.carried]!
    switch (effect._tag) {
      case "Persist": {
        const millis = host.syncing ? 0 : syncTime(world, host)
        if (!host.syncing) {
          host.syncing = true
          // While its disk works, whatever was on it before may be seen.
          if (host.state !== undefined && Durability.showsWhatIsDurable(effect, host.state)) show(world, host)
          if (millis > 0) Meanwhile.apply(world, host, stepping)
          if (millis > 0) return later(world, host, world.now + millis)
        }
        if (syncFails(world)) return failedSync(world, host)
        host.syncing = false
        Oracles.onSynced(world.oracle, host, effect)
        Oracles.onOwnSync(world.oracle, host, effect)
        show(world, host)
        break
      }
      default:
        carryOutOne(world, host, effect)
    }
    host.carried++
  }
  if (host.life !== life) return
  if (host.carried === host.crashAt) die(world, host)
  else show(world, host)
}

/** What it has applied is there to be seen. */
const show = (world: World, host: Host): void => {
  Promises.onShow(world.oracle, host)
  Attendance.advance(world, host)
}

/** Anything that takes no time. */
const carryOutOne = (world: World, host: Host, effect: Host["effects"][number]): void => {
  switch (effect._tag) {
    case "Send":
      Promises.onSend(world.oracle, host, effect.to, effect.message)
      if (world.recording !== undefined) Recordings.onSend(world.recording, host.id, effect.to, effect.message)
      return Worlds.send(world, host.number, replicaNumber(effect.to), effect.message)
    case "TakeSnapshot":
    case "SendChunk":
    case "StoreChunk":
      return Background.begin(world, host, effect)
    default:
      return tell(world, host, effect)
  }
}

const stepping: Meanwhile.Stepping = { take, show, carryOut: carryOutOne }

const tell = (world: World, host: Host, effect: Host["effects"][number]): void => {
  const at = Hosts.localTime(host, world.now)
  if (effect._tag === "Reply") onReply(world, host, effect)
  const again = Desks.take(host.desk, effect, at, (operation, ending, detail) =>
    Worlds.resolve(world, operation, ending, detail)
  )
  for (const submission of again) host.inbox.push(submission)
}

const onReply = (world: World, host: Host, { request, outcome }: AnyEffect & { readonly _tag: "Reply" }): void => {
  if (outcome._tag !== "Applied" && outcome._tag !== "Answered" && outcome._tag !== "Amended") return
  const { sequence, incarnation } = request
  const waiting = incarnation === host.desk.incarnation ? host.desk.waiting.get(sequence) : undefined
  Promises.onAnswer(world.oracle, host, outcome._tag === "Applied" ? waiting?.operation.number : undefined)
  if (outcome._tag === "Applied") onApplied(world, waiting)
}

const onApplied = (world: World, waiting: Desks.Waiting | undefined): void => {
  if (waiting === undefined || waiting.submissions === 1) return
  Marks.hit(world.marks, "a request applied after it was submitted again")
  if (waiting.moved) Marks.hit(world.marks, "a request applied after a change of leader")
}

const die = (world: World, host: Host): void => {
  Lives.crash(world, host)
  Faults.restartSoon(world, host)
}

const later = (world: World, host: Host, at: number): void =>
  Worlds.plan(world, at, { _tag: "Continue", host: host.number, life: host.life })

/**
 * An fsync that fails ends the process, whatever it was about. Linux has dropped the data and would
 * report success if asked again; nobody asks. The next start may find the record or not.
 */
const syncFails = (world: World): boolean => {
  const { error } = world.plan.disk
  const fails = !world.calm && error > 0 && world.chance.syncError.chance(error)
  if (fails) Worlds.countFault(world, "syncError")
  return fails
}

const failedSync = (world: World, host: Host): void => {
  const { hardState, base } = host.disk
  const last = Disks.lastIndex(host.disk)
  die(world, host)
  const { disk } = host
  const there = Disks.lastIndex(disk) !== last || disk.hardState !== hardState || disk.base !== base
  Marks.hit(world.marks, "a failed sync ended the replica")
  Marks.hit(world.marks, there ? "a record found after a failed sync" : "a record lost after a failed sync")
}

const syncTime = (world: World, host: Host): number => {
  if (world.lockstep) return 0
  const { disk, options } = world.plan
  if (host.stuckUntil > world.now) return host.stuckUntil - world.now
  if (host.slowUntil > world.now) return options.electionTimeoutMillis
  const stalls = !world.calm && disk.stall > 0 && world.chance.disk.chance(disk.stall)
  if (stalls) Worlds.countFault(world, "stall")
  if (stalls) return disk.stallMillis
  return disk.syncMillis === 0 ? 0 : world.chance.disk.wait(disk.syncMillis)
}

const carryOn = (world: World, host: Host): void => {
  carryOut(world, host)
  if (host.state !== undefined && Hosts.isFree(host)) rest(world, host)
}

/** Until something arrives or the next deadline, a little late as timers are, or more so. */
const rest = (world: World, host: Host): void => {
  if (host.state === undefined) return
  if (host.inbox.length > 0) return Worlds.wake(world, host, world.now)
  const deadline = Hosts.worldTime(host, Worlds.replicaOf(world, host).nextDeadline(host.state))
  const { batch } = world.chance
  const late = !world.calm && batch.chance(world.plan.lateTimer)
  const by = late ? batch.wait(world.plan.options.electionTimeoutMillis * 2) : 0.01
  Worlds.wake(world, host, Math.max(world.now, deadline, host.timerStuckUntil) + by)
  if (host.desk.waiting.size > 0) Worlds.wake(world, host, world.now + world.plan.options.electionTimeoutMillis)
}
