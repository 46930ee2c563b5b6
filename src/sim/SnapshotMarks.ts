/** Marks about snapshots, about who may vote and who differs: how a log becomes short, and a replica whole again. */
import * as Logs from "../raft/Log.ts"
import { same } from "../raft/Snapshot.ts"
import type { AnyEvent, State } from "./Subject.ts"
import type { Taken } from "./Taken.ts"

export const marks = [
  "a log compacted",
  "a log kept for a follower",
  "a snapshot begun to be sent",
  "a chunk sent again",
  "a chunk that came twice",
  "a transfer begun anew under another leader",
  "a newer snapshot in the middle of a transfer",
  "an install",
  "an install that keeps a suffix",
  "an install that drops a conflicting tail",
  "a snapshot of what is committed already",
  "a snapshot that came too late",
  "an append overtakes a snapshot",
  "a snapshot stored after a newer one came",
  "a leader keeps nothing of an earlier life",
  "admitted by a first vote",
  "admitted after it has caught up",
  "not admitted, and nobody leads",
  "called different",
  "a leader finds that it differs"
] as const

/**
 * Too rare for a few hundred seeds: each needs a replica that catches up by the log and is sent a snapshot at once.
 * Golden scripts show them, and a longer search counts them.
 */
export const rare = [
  "a transfer begun anew under another leader",
  "an install that keeps a suffix",
  "an install that drops a conflicting tail",
  "a snapshot that came too late",
  "a snapshot stored after a newer one came"
] as const satisfies ReadonlyArray<(typeof marks)[number]>

type Marker = (name: (typeof marks)[number]) => void

export const onStep = (step: Taken, mark: Marker): void => {
  const { before, after, events } = step
  if (events.length === 1) onEvent(step, events[0]!, mark)
  if (before === after) return
  const { log } = before.stateMachine
  const { base } = after.stateMachine.log
  const installed = step.effects.some((effect) => effect._tag === "SnapshotInstalled")
  if (installed) onInstall(before, after, mark)
  else if (base.index > log.base.index) {
    mark("a log compacted")
    if (base.index < (after.snapshots.previous?.last.index ?? 0)) mark("a log kept for a follower")
  }
  if (after.diverged !== undefined && before.diverged === undefined) {
    mark(before._tag === "Leader" ? "a leader finds that it differs" : "called different")
  }
  onAdmission(step, mark)
  onLeader(before, after, mark)
}

const onInstall = (before: State, after: State, mark: Marker): void => {
  mark("an install")
  const { log } = before.stateMachine
  const { base, length } = after.stateMachine.log
  if (Logs.holds(log, base)) return length > 0 ? mark("an install that keeps a suffix") : undefined
  if (Logs.lastIndex(log) >= base.index) mark("an install that drops a conflicting tail")
}

const onAdmission = ({ before, after, effects }: Taken, mark: Marker): void => {
  if (after.admitted && !before.admitted) {
    const voted = after.votedFor !== before.votedFor
    mark(voted ? "admitted by a first vote" : "admitted after it has caught up")
  }
  const asks = effects.some((effect) => effect._tag === "Send" && effect.message._tag === "Introduce")
  if (asks && after._tag === "Follower" && after.leader === undefined) mark("not admitted, and nobody leads")
}

const onLeader = (before: State, after: State, mark: Marker): void => {
  if (before._tag !== "Leader" || after._tag !== "Leader" || before.progress === after.progress) return
  for (const [peer, is] of after.progress) {
    const was = before.progress.get(peer)
    if (was === undefined || was === is) continue
    if (is.incarnation > was.incarnation && was.matchIndex > 0) mark("a leader keeps nothing of an earlier life")
    if (is._tag !== "Snapshot") {
      if (was._tag === "Snapshot" && is._tag === "Replicate" && was.offset < was.snapshot.bytes) {
        mark("an append overtakes a snapshot")
      }
      continue
    }
    if (was._tag !== "Snapshot") {
      mark("a snapshot begun to be sent")
      continue
    }
    if (!same(was.snapshot, is.snapshot)) mark("a newer snapshot in the middle of a transfer")
    else if (was.offset === is.offset && was.askedAt !== undefined && is.askedAt !== was.askedAt)
      mark("a chunk sent again")
  }
}

const onEvent = ({ before, after, effects }: Taken, event: AnyEvent, mark: Marker): void => {
  const installs = effects.some((effect) => effect._tag === "SnapshotInstalled")
  if (event._tag === "SnapshotReceived" && !installs) mark("a snapshot that came too late")
  if (event._tag === "SnapshotStored" && after.snapshots.latest === before.snapshots.latest) {
    mark("a snapshot stored after a newer one came")
  }
  if (event._tag !== "MessageReceived" || event.message._tag !== "InstallSnapshot") return
  const { snapshot, offset, term } = event.message
  if (term !== after.currentTerm || after._tag === "Leader") return
  const { incoming } = before
  if (after.incoming === undefined) mark("a snapshot of what is committed already")
  else if (incoming !== undefined && same(incoming.snapshot, snapshot)) {
    if (offset < incoming.held) mark("a chunk that came twice")
    // A leader never goes back to an older one.
  } else if (incoming !== undefined && snapshot.last.index <= incoming.snapshot.last.index) {
    mark("a transfer begun anew under another leader")
  }
}
