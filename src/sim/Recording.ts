/**
 * A run as it happens, to be written down as a golden script: which replica took in what, at
 * which of its instants. The reducer is a function, so these lines alone bring back every
 * state; the network, the clocks and the faults that led to them are no longer needed.
 */
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import type { Host } from "./Host.ts"
import type { Operation } from "./Operation.ts"
import { type AnyEvent, type AnyMessage, inWords } from "./Subject.ts"

export interface Recording {
  readonly lines: Array<string>
  /** Which message of its link one is, counted from 1. One object may go to several. */
  readonly numbers: Map<AnyMessage, Map<ReplicaId, number>>
  readonly sent: Map<string, number>
  /** The place of a replica's last step: where its crash must be ordered. */
  readonly last: Map<ReplicaId, number>
  readonly operations: Map<unknown, number>
}

export const begin = (): Recording => ({
  lines: [],
  numbers: new Map(),
  sent: new Map(),
  last: new Map(),
  operations: new Map()
})

export const onStart = (recording: Recording, host: Host, seed: number, at: number): void => {
  const { id, version, founders } = host
  recording.lines.push(`restart ${id} seed ${seed} at ${at} version ${version} founders ${founders.join(" ")}`)
}

export const onAsk = (recording: Recording, { number, replica, kind, input }: Operation): void => {
  recording.operations.set(input, number)
  recording.lines.push(`ask ${number} ${replica} ${kind} ${inWords(input)}`)
}

export const onStep = (recording: Recording, { id }: Host, at: number, events: ReadonlyArray<AnyEvent>): void => {
  recording.last.set(id, recording.lines.length)
  recording.lines.push(`step ${id} at ${at}: ${events.map((event) => taken(recording, id, event)).join(", ")}`)
}

/** A snapshot that it had taken is on its disk. */
export const onStored = (recording: Recording, { id }: Host, snapshot: Snapshot): void => {
  recording.lines.push(`stores ${id} ${inWords(snapshot)}`)
}

/** A snapshot that it was sent is whole, and on its disk. */
export const onReceived = (recording: Recording, { id }: Host, snapshot: Snapshot): void => {
  recording.lines.push(`receives ${id} ${inWords(snapshot)}`)
}

/** A chunk that was asked for earlier leaves, behind what was sent meanwhile. */
export const onChunk = (recording: Recording, from: ReplicaId, to: ReplicaId, chunk: AnyMessage): void => {
  recording.lines.push(`sends ${from} ${to} ${inWords(chunk)}`)
  onSend(recording, from, to, chunk)
}

export const onWipe = (recording: Recording, { id }: Host): void => {
  recording.lines.push(`wipe ${id}`)
}

/** It is no member. */
export const onRetire = (recording: Recording, { id }: Host): void => {
  recording.lines.push(`retire ${id}`)
}

export const onRot = (recording: Recording, { id }: Host): void => {
  recording.lines.push(`damage ${id}`)
}

export const onAlter = (recording: Recording, { id }: Host, seed: number): void => {
  recording.lines.push(`alter ${id} seed ${seed}`)
}

const taken = (recording: Recording, id: ReplicaId, event: AnyEvent): string => {
  switch (event._tag) {
    case "DeadlineReached":
      return "deadline"
    case "MessageReceived":
      return `${event.from}#${recording.numbers.get(event.message)?.get(id)}`
    case "CommandSubmitted":
      return `${recording.operations.get(event.command)} as ${event.request.incarnation}.${event.request.sequence}`
    case "QuerySubmitted":
      return `${recording.operations.get(event.query)} as ${event.request.incarnation}.${event.request.sequence}`
    case "AmendmentSubmitted":
      return `${recording.operations.get(event.amendment)} as ${event.request.incarnation}.${event.request.sequence}`
    case "TransferRequested":
      return `transfer ${event.to ?? "away"}`
    case "SnapshotStored":
    case "SnapshotReceived":
    case "SnapshotSpoiled":
    case "SnapshotMissing":
      return `${event._tag} ${inWords(event.snapshot)}`
    case "SnapshotFailed":
      return `${event._tag} ${inWords(event.last)}`
    case "DiskSpaceChanged":
      return event.full ? "full" : "room"
  }
}

export const onSend = (recording: Recording, from: ReplicaId, to: ReplicaId, message: AnyMessage): void => {
  const number = (recording.sent.get(`${from}${to}`) ?? 0) + 1
  recording.sent.set(`${from}${to}`, number)
  const numbers = recording.numbers.get(message) ?? new Map<ReplicaId, number>()
  recording.numbers.set(message, numbers.set(to, number))
}

/** `carried` effects of its last step were carried out; `kept` if the next one, a record, was found on disk. */
export const onCrash = (recording: Recording, { id, effects, carried }: Host, kept: boolean): void => {
  const place = recording.last.get(id)
  if (place === undefined || carried === effects.length) {
    recording.lines.push(`crash ${id}`)
    return
  }
  // In the script effects take no time, so it dies in the step itself.
  const step = recording.lines[place]!
  recording.lines[place] = `crash ${id} after ${carried + (kept ? 1 : 0)} effects\n${step}`
}

/** The commands of a script; running it fills in what they lead to. */
export const script = (
  recording: Recording,
  cluster: {
    readonly hosts: ReadonlyArray<Host>
    readonly founders: number
    readonly options: Options
    readonly machine: string
  }
): string => {
  const options = Object.entries(cluster.options).map(([name, value]) => `${name}=${value}`)
  const ids = cluster.hosts.map(({ id }) => id)
  const names = [...ids.slice(0, cluster.founders), "|", ...ids.slice(cluster.founders)]
  return [`cluster ${[...names, cluster.machine, ...options].join(" ")}`, ...recording.lines].join("\n\n")
}
