/** What a host does while its disk works, as the runtime does (see raft/Overtaking): acknowledgements are heard at once, as far as they may be. */
import * as Durability from "../raft/Durability.ts"
import * as Logs from "../raft/Log.ts"
import { Index, Instant } from "../raft/LogEntry.ts"
import * as Overtaking from "../raft/Overtaking.ts"
import type { Host } from "./Host.ts"
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

export const hear = (world: World, host: Host, stepping: Stepping): void => {
  const { state: before, effects, carried, inbox } = host
  const writing = effects[carried]
  if (before === undefined || !host.syncing || writing?._tag !== "Persist" || host.frozenUntil > world.now) return
  if (!Durability.showsWhatIsDurable(writing, before)) return
  const at = Instant(Hosts.localTime(host, world.now))
  const events = inbox.map((arrival): AnyEvent => ({ ...arrival, at })).filter(Overtaking.mayOvertake)
  if (events.length === 0) return
  const durable = writing.log === undefined ? Logs.lastIndex(before.stateMachine.log) : Index(writing.log.from - 1)
  const taken = Overtaking.attempt(Worlds.replicaOf(world, host), before, events, durable)
  if (taken === undefined) return
  host.inbox = inbox.filter((arrival) => !Overtaking.mayOvertake({ ...arrival, at }))
  const [after, said] = taken
  stepping.take(world, host, { before, after, events, effects: said })
  Marks.hit(world.marks, "acknowledgements heard while the disk works")
  if (after.stateMachine.commitIndex > before.stateMachine.commitIndex) {
    Marks.hit(world.marks, "a commit while the disk works")
  }
  stepping.show(world, host)
  for (const effect of said) stepping.carryOut(world, host, effect)
}
