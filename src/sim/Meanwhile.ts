/** What a host does while its disk works, as the runtime does (see raft/Overtaking): acknowledgements are heard at once, as far as they may be. */
import { Instant } from "../raft/LogEntry.ts"
import * as Overtaking from "../raft/Overtaking.ts"
import type { Arrival, Host } from "./Host.ts"
import * as Hosts from "./Host.ts"
import * as Marks from "./Marks.ts"
import type { Step } from "./Stepping.ts"
import type { AnyEffect, AnyEvent } from "./Subject.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

/** What any step of a host leads to. */
export interface Stepping {
  readonly take: (world: World, host: Host, step: Step) => void
  readonly show: (world: World, host: Host) => void
  readonly carryOut: (world: World, host: Host, effect: AnyEffect) => void
}

/** Acknowledgements that have come. */
export const hear = (world: World, host: Host, stepping: Stepping): void => {
  const at = Instant(Hosts.localTime(host, world.now))
  const overtakes = (arrival: Arrival): boolean => Overtaking.mayOvertake({ ...arrival, at })
  const events = host.inbox.filter(overtakes).map((arrival): AnyEvent => ({ ...arrival, at }))
  const before = host.state?.stateMachine.commitIndex ?? 0
  if (events.length === 0 || !take(world, host, stepping, events)) return
  host.inbox = host.inbox.filter((arrival) => !overtakes(arrival))
  Marks.hit(world.marks, "acknowledgements heard while the disk works")
  if (host.state!.stateMachine.commitIndex > before) Marks.hit(world.marks, "a commit while the disk works")
}

/** What the step that is being written has left to be applied. */
export const apply = (world: World, host: Host, stepping: Stepping): void => {
  const { state } = host
  if (state === undefined || state.stateMachine.lastApplied === state.stateMachine.commitIndex) return
  const at = Instant(Hosts.localTime(host, world.now))
  if (take(world, host, stepping, [{ _tag: "DeadlineReached", at }])) {
    Marks.hit(world.marks, "applied while the disk works")
  }
}

const take = (world: World, host: Host, stepping: Stepping, events: ReadonlyArray<AnyEvent>): boolean => {
  const { state: before, effects, carried } = host
  const writing = effects[carried]
  if (before === undefined || !host.syncing || writing?._tag !== "Persist" || host.frozenUntil > world.now) return false
  const taken = Overtaking.attempt(Worlds.replicaOf(world, host), before, events, writing)
  if (taken === undefined) return false
  const [after, said] = taken
  stepping.take(world, host, { before, after, events, effects: said })
  stepping.show(world, host)
  for (const effect of said) stepping.carryOut(world, host, effect)
  return true
}
