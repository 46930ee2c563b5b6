/**
 * Everything that can happen within a small scope: a few replicas, terms and commands, a
 * crash or two. Breadth first, each situation once, every rule checked on every step; so a
 * failure comes with the shortest way that leads to it.
 *
 * Most bugs show in small scopes, and here none that does can hide behind a seed.
 */
import * as Logs from "../raft/Log.ts"
import type { Machine } from "../raft/Machine.ts"
import { defaults } from "../raft/Options.ts"
import * as Replica from "../raft/Replica.ts"
import { replicaName } from "./Disk.ts"
import * as Fingerprints from "./Fingerprint.ts"
import * as Moves from "./Move.ts"
import * as Narration from "./Narration.ts"
import { mix, text } from "./Random.ts"
import type { Rig } from "./Reaction.ts"
import type { Scope } from "./Scope.ts"
import type { Situation } from "./Situation.ts"
import * as Situations from "./Situation.ts"
import type { AnyReplica } from "./Subject.ts"
import { inWords } from "./Subject.ts"
import { Violation } from "./Violation.ts"
import * as Visits from "./Visited.ts"

export interface Settings extends Scope {
  readonly rules: Rig["rules"]
  /** Stops after so many situations, or so deep. */
  readonly maxSituations: number
  readonly maxDepth: number
  /** A change of the replica, to see that it is found. */
  readonly alter?: (replica: AnyReplica) => AnyReplica
  /** Told after each depth. */
  readonly progress?: (so: Progress) => void
}

export interface Progress {
  readonly situations: number
  readonly steps: number
  readonly depth: number
}

export interface Verdict extends Progress {
  /** All within the scope was seen. */
  readonly complete: boolean
  /** New situations at each depth. */
  readonly widths: ReadonlyArray<number>
  readonly failure: Failure | undefined
}

export interface Failure {
  readonly rule: string
  readonly detail: string
  /** The way to it in words. */
  readonly path: ReadonlyArray<string>
}

/** A list of words: everything that ever took effect, in order. */
const machine: Machine<ReadonlyArray<string>, string, number, string, ReadonlyArray<string>> = {
  initial: [],
  apply: (state, command) => [[...state, command], state.length + 1],
  query: (state) => state,
  sizeOf: () => 1,
  digest: (command, place) => mix(text(command), place)
}

const replicaOf = (scope: Settings): AnyReplica => {
  const { alter } = scope
  const replica = Replica.make(machine, {
    ...defaults,
    electionTimeoutMillis: Moves.times.electionTimeout,
    heartbeatMillis: Moves.times.moment,
    roundPatienceMillis: 0,
    readRetryMillis: Moves.times.moment,
    maxAppendEntries: 1,
    snapshotLogEntries: scope.snapshotEntries,
    snapshotRetryMillis: Moves.times.moment,
    snapshotPatienceMillis: 0
  }) as unknown as AnyReplica
  return alter === undefined ? replica : alter(replica)
}

/** How each situation was reached: from which, by which of its moves, and which of what comes of it. */
interface Origin {
  readonly from: number
  readonly move: number
  readonly end: number
}

interface Search {
  readonly scope: Settings
  readonly memory: Situations.Memory
  readonly visited: Visits.Visited
  readonly first: Situation
  readonly parents: Array<number>
  readonly choices: Array<number>
  steps: number
}

interface Found {
  readonly number: number
  readonly situation: Situation
  readonly seen: Visits.Seen
}

export const explore = (scope: Settings): Verdict => {
  const search = begin(scope)
  const widths: Array<number> = []
  let frontier: ReadonlyArray<Found> = [{ number: 0, situation: search.first, seen: search.visited.add(search.first)! }]
  const verdict = (complete: boolean, failure?: Failure): Verdict => ({
    situations: search.visited.size(),
    steps: search.steps,
    depth: widths.length - 1,
    complete,
    widths,
    failure
  })
  while (frontier.length > 0) {
    widths.push(frontier.length)
    if (widths.length > scope.maxDepth) return verdict(false)
    const next: Array<Found> = []
    for (const found of frontier) {
      if (found.seen.covered) continue
      const failure = expand(search, found, next)
      if (failure !== undefined) return verdict(false, failure)
      if (search.visited.size() > scope.maxSituations) return verdict(false)
    }
    frontier = next
    scope.progress?.({ situations: search.visited.size(), steps: search.steps, depth: widths.length })
  }
  return verdict(true)
}

const begin = (scope: Settings): Search => {
  const all = Array.from({ length: scope.replicas + scope.spares }, (_, number) => replicaName(number))
  const voters = all.slice(0, scope.replicas)
  const fingerprints = Fingerprints.make(all, { electionTimeoutMillis: Moves.times.electionTimeout })
  const memory = Situations.remember(
    { replica: replicaOf(scope), voters, all, rules: scope.rules, admitted: scope.blank ? undefined : true },
    fingerprints
  )
  const { elections, beats, commands, queries, resubmissions, crashes, amendments, transfers } = scope
  const asked = { commands, queries, resubmissions, amendments, transfers }
  const first = Situations.make(memory, scope.logs, { elections, beats, crashes, ...asked })
  const visited = Visits.make(fingerprints)
  return { scope, memory, visited, first, parents: [-1], choices: [-1], steps: 0 }
}

/** Adds what is new; the first rule that is broken ends it. */
const expand = (search: Search, found: Found, next: Array<Found>): Failure | undefined => {
  const { memory, scope, visited, parents, choices } = search
  const moves = Moves.enabled(found.situation, scope.terms)
  for (let move = 0; move < moves.length; move++) {
    try {
      const ends = Moves.play(memory, found.situation, moves[move]!)
      for (let end = 0; end < ends.length; end++) {
        search.steps++
        if (!within(ends[end]!, scope)) continue
        const situation = Situations.settled(memory, ends[end]!, found.situation)
        const seen = visited.add(situation)
        if (seen === undefined) continue
        next.push({ number: parents.length, situation, seen })
        parents.push(found.number)
        choices.push(move * 2 + end)
      }
    } catch (error) {
      return failureOf(search, { from: found.number, move, end: 0 }, error)
    }
  }
  return undefined
}

const within = ({ members }: Situation, { terms, entries, rounds }: Scope): boolean =>
  members.every(
    ({ state }) =>
      state.currentTerm <= terms &&
      Logs.lastIndex(state.stateMachine.log) <= entries &&
      (state._tag !== "Leader" || state.round <= rounds)
  )

const failureOf = (search: Search, last: Origin, error: unknown): Failure => {
  const [rule, detail] =
    error instanceof Violation
      ? [error.rule, error.detail]
      : ["the core throws nothing", error instanceof Error ? (error.stack ?? error.message) : String(error)]
  return { rule, detail, path: retell(search, last) }
}

/** The way from the start, played again. What is answered without a change is not told. */
const retell = ({ memory, scope, parents, choices, first }: Search, last: Origin): ReadonlyArray<string> => {
  const way: Array<Omit<Origin, "from">> = [last]
  for (let at = last.from; at > 0; at = parents[at]!) way.unshift({ move: choices[at]! >> 1, end: choices[at]! & 1 })
  const lines: Array<string> = []
  let situation = first
  for (const { move, end } of way) {
    const chosen = Moves.enabled(situation, scope.terms)[move]!
    lines.push(`${Moves.inOneLine(chosen)}${end === 1 ? ", and dies before its Persist is done" : ""}`)
    try {
      for (const { before, effects, reduced } of Moves.stagesOf(memory, situation, chosen)) {
        for (const line of Narration.step(before, reduced.state, effects, inWords)) lines.push(`    ${line}`)
      }
      situation = Situations.settled(memory, Moves.play(memory, situation, chosen)[end]!, situation)
    } catch {
      break
    }
  }
  return lines
}
