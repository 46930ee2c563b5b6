/**
 * Changing the cluster itself, as those who use a replica ask for it: changes of its members and its
 * version, and handing over. The core refuses what it cannot do at this very moment; what a moment's patience
 * mends is waited out here, so that nobody sees a new leader's first instants.
 */
import { Effect } from "effect"
import * as Amending from "../raft/Amending.ts"
import type { Amendment } from "../raft/Amendment.ts"
import type { Configuration } from "../raft/Configuration.ts"
import * as Configurations from "../raft/Configuration.ts"
import type { Instant, ReplicaId } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import { leaderOf, type ServerState } from "../raft/ServerState.ts"
import { leave } from "../raft/Amendment.ts"
import * as Membership from "./Membership.ts"
import { objections } from "./Refusals.ts"
import { AmendmentRefused, type RequestError, RequestTimeout, Unavailable } from "./RequestError.ts"

export type MembersAmendment = Extract<Amendment, { readonly _tag: "Members" }>

export interface Plan {
  readonly before: Strength
  readonly after: Strength
  /** Why it would be refused, in a word and a sentence; `undefined` if it would not be. */
  readonly refusal: { readonly reason: string; readonly message: string; readonly forcible: boolean } | undefined
}

/** What a cluster can stand. */
export interface Strength {
  readonly voters: ReadonlyArray<ReplicaId>
  readonly learners: ReadonlyArray<ReplicaId>
  readonly quorum: number
  /** So many voters may fail. */
  readonly tolerates: number
  /** Of the voters. */
  readonly inReach: ReadonlyArray<ReplicaId>
}

export interface AmendmentsOptions {
  readonly state: () => ServerState<unknown, unknown, unknown>
  readonly now: () => Instant
  readonly options: Options
  readonly addresses: Membership.Addresses
  readonly submit: (amendment: Amendment) => Effect.Effect<void, RequestError>
  readonly requestTransfer: (to: ReplicaId | undefined) => void
  readonly hasEnded: () => boolean
  /** Who is connected just now: one that has stopped is not missed by the core before an election timeout is over. */
  readonly connected: () => ReadonlySet<ReplicaId>
}

/** So many election timeouts may a change wait for the one before it, or for a leader to be ready. */
const patience = 6
const pauseMillis = 25
const lookMillis = 2

/** Refusals that mean no more than that it is too early. */
const passing = new Set(["NotReady", "ChangePending"])

export const make = ({
  state,
  now,
  options,
  addresses,
  submit,
  requestTransfer,
  hasEnded,
  connected
}: AmendmentsOptions): {
  readonly amend: (amendment: Amendment) => Effect.Effect<void, RequestError>
  readonly plan: (amendment: MembersAmendment) => Effect.Effect<Plan, RequestError>
  readonly transferLeadership: (to?: ReplicaId) => Effect.Effect<ReplicaId, RequestError>
} => {
  const outcomeOf = (amendment: Amendment): Effect.Effect<AmendmentRefused | undefined, RequestError> =>
    submit(amendment).pipe(
      Effect.as(undefined),
      Effect.catchTag("AmendmentRefused", (refused) => Effect.succeed(refused))
    )

  const amend = Effect.fnUntraced(function* (amendment: Amendment): Effect.fn.Return<void, RequestError> {
    const deadline = now() + patience * options.electionTimeoutMillis
    while (true) {
      const complete = Membership.complete(amendment, state().configuration, addresses)
      const first = yield* outcomeOf(complete)
      // One that has been away may know of members that are none any more, and say where they are.
      const refused = first?.reason === "NotAMember" && complete !== amendment ? yield* outcomeOf(amendment) : first
      if (refused === undefined) return
      if (!passing.has(refused.reason) || now() >= deadline) return yield* refused
      yield* Effect.sleep(pauseMillis)
    }
  })

  const plan = (amendment: MembersAmendment): Effect.Effect<Plan, RequestError> =>
    Effect.suspend((): Effect.Effect<Plan, RequestError> => {
      const known = state()
      if (known._tag !== "Leader") return Effect.fail(elsewhere(leaderOf(known)))
      const at = now()
      const complete = Membership.complete(amendment, known.configuration, addresses) as MembersAmendment
      const planned = Amending.plan(options, known, complete, at)
      const strength = (configuration: Configuration): Strength =>
        strengthOf(configuration, (id) => Amending.isInReach(options, known, id, at))
      const before = strength(known.configuration)
      if (planned._tag === "Objection") {
        const reason = planned.objection
        return Effect.succeed({
          before,
          after: before,
          refusal: { reason, message: objections[reason], forcible: false }
        })
      }
      const { configuration, warning } = planned
      return Effect.succeed({
        before,
        after: strength(leave(configuration)),
        refusal: warning && { reason: warning, message: objections[warning], forcible: true }
      })
    })

  const transferLeadership = Effect.fnUntraced(function* (to?: ReplicaId): Effect.fn.Return<ReplicaId, RequestError> {
    const { configuration } = state()
    const first = leaderOf(state())
    if (to !== undefined && !configuration.voters.includes(to)) return yield* notAVoter(to)
    if (to === undefined && configuration.voters.length < 2) return yield* nobodyElse()
    if (to !== undefined && first === to) return to
    const began = now()
    let askedAt: number | undefined
    // The one who leads gives up after an election timeout, and asking may take as long as a message does.
    while (now() < began + 2 * options.electionTimeoutMillis && !hasEnded()) {
      const leader = leaderOf(state())
      if (leader !== undefined && (to === undefined ? first !== undefined && leader !== first : leader === to))
        return leader
      const isDue = askedAt === undefined || now() >= askedAt + options.electionTimeoutMillis
      if (leader !== undefined && isDue) {
        requestTransfer(to ?? bestOf(state(), options, connected(), now()))
        askedAt = now()
      }
      yield* Effect.sleep(lookMillis)
    }
    const leader = leaderOf(state())
    return yield* leader === undefined ? noLeader() : notHandedOver(leader, to)
  })

  return { amend, plan, transferLeadership }
}

/** Of the voters that are there the one that holds most; `undefined` leaves it to the core. */
const bestOf = (
  state: ServerState<unknown, unknown, unknown>,
  options: Options,
  connected: ReadonlySet<ReplicaId>,
  at: Instant
): ReplicaId | undefined => {
  if (state._tag !== "Leader") return undefined
  const candidates = state.configuration.voters.filter(
    (id) => connected.has(id) && Amending.isInReach(options, state, id, at)
  )
  const matchIndex = (id: ReplicaId): number => state.progress.get(id)?.matchIndex ?? -1
  return candidates.toSorted((one, other) => matchIndex(other) - matchIndex(one))[0]
}

const strengthOf = (configuration: Configuration, isInReach: (id: ReplicaId) => boolean): Strength => {
  const { voters, learners } = configuration
  const quorum = Configurations.majority(voters.length)
  return {
    voters: voters.toSorted(),
    learners: learners.map(({ id }) => id).toSorted(),
    quorum,
    tolerates: voters.length - quorum,
    inReach: voters.filter(isInReach).toSorted()
  }
}

const elsewhere = (leader: ReplicaId | undefined): Unavailable =>
  new Unavailable({
    message: leader === undefined ? "no leader is known here" : `only the leader can tell: ask ${leader}`,
    outcomeUnknown: false
  })

const notAVoter = (id: ReplicaId): AmendmentRefused =>
  new AmendmentRefused({
    outcomeUnknown: false,
    reason: "NotAVoter",
    message: `${id} is not a voter, so it cannot lead; see: balsa member list`
  })

const nobodyElse = (): AmendmentRefused =>
  new AmendmentRefused({
    outcomeUnknown: false,
    reason: "NotHandedOver",
    message: "there is no other voter to hand over to"
  })

const noLeader = (): RequestTimeout =>
  new RequestTimeout({
    message: "no replica leads just now; see: balsa status",
    timeoutMillis: 0,
    outcomeUnknown: false
  })

const notHandedOver = (leader: ReplicaId, to: ReplicaId | undefined): AmendmentRefused =>
  new AmendmentRefused({
    outcomeUnknown: false,
    reason: "NotHandedOver",
    message: `${leader} still leads: ${to ?? "no other voter"} could not take over within an election timeout; see: balsa member list`
  })
