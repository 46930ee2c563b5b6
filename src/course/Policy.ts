/**
 * What becomes of a client's request in the course's network: it is held, handed to the core, redirected or answered. Pure
 * like the core: events with their time in, actions out; so real processes and runs in virtual time do the same.
 *
 * The rules, for a client that never asks twice under one MID and takes whatever it hears for final:
 *
 * - A put that is in this replica's log gets no answer but `ok`, until it is certain that it can never be committed: then,
 *   and only then, a redirect. (An entry is lost for good once something of a later term is committed that excludes it.)
 * - `ok` for a put is the leader's to say, when it has applied it, in the order of the log. A leader answers the puts of its
 *   own term; and of what it inherited those beyond all that was known to be committed, here and by whoever has spoken to
 *   this replica, when it was elected: the others were answered by their leader.
 * - A get is the core's to answer (see Reads): after the puts before it, and never from a deposed leader.
 * - Who knows no leader holds what it is asked. Who knows one redirects, but not the same client again until that leader has
 *   spoken: one that comes back has found it dead, and would be sent in circles until the replicas notice.
 * - Where answers often fail to come, a round of appends is dear: then a leader keeps some puts until the next one
 *   comes, and both share a round. Less than half of what is asked waits for that, so the median does not.
 * - Where answers do come, a leader that has answered puts tells one follower how far it has come, unless an append says so
 *   at once: if it dies now, its successor need not answer those again.
 * - Who cannot reach a majority redirects after a while, for others may; at once would be a storm of redirects.
 */
import type { Put } from "./CourseMachine.ts"
import type { Applied, Observation, Standing } from "./Observation.ts"
import * as Company from "./Company.ts"
import * as Notices from "./Notices.ts"
import type { Decided, Held, PolicyAction, PolicyEvent, PolicyOptions, PolicyState, Sent } from "./PolicyState.ts"
import type { ClientRequest } from "./Wire.ts"

export const decide = (options: PolicyOptions, state: PolicyState, event: PolicyEvent): Decided => {
  switch (event._tag) {
    case "RequestArrived":
      return isOpen(state, event.request) ? [state, []] : serve(options, hold(state, event.request, event.at), event.at)
    case "PeerHeard":
      return event.commitIndex > state.heardCommit ? [{ ...state, heardCommit: event.commitIndex }, []] : [state, []]
    case "Stepped":
      return onStep(options, state, event.observation)
    case "DeadlineReached": {
      const [noticed, actions] = Notices.give(state, event.at)
      const [served, further] = serve(options, noticed, event.at)
      return [served, [...actions, ...further]]
    }
  }
}

const hold = (state: PolicyState, request: ClientRequest, at: number): PolicyState => ({
  ...Company.noted(state, request, at),
  held: [...state.held, { request, since: at }]
})

/** How far things are committed, by all that is known here. */
export const knownCommit = ({ heardCommit, standing }: PolicyState): number =>
  Math.max(heardCommit, standing.commitIndex)

/** When something is due of which no event will tell. */
export const nextDeadline = (options: PolicyOptions, state: PolicyState): number =>
  Math.min(state.notice?.deadline ?? Number.POSITIVE_INFINITY, heldDeadline(options, state))

const heldDeadline = (options: PolicyOptions, { held, standing }: PolicyState): number => {
  const [first] = held
  if (first === undefined) return Number.POSITIVE_INFINITY
  if (standing.leads) return first.companyDeadline ?? Number.POSITIVE_INFINITY
  return standing.quorumLost ? first.since + options.redirectMillis : Number.POSITIVE_INFINITY
}

/** A doubled datagram is one request. */
const isOpen = ({ held, submitted, logged }: PolicyState, { client, mid }: ClientRequest): boolean => {
  const isSame = (one: Pick<ClientRequest, "client" | "mid">): boolean => one.client === client && one.mid === mid
  if (held.some(({ request }) => isSame(request))) return true
  for (const one of submitted.values()) if (isSame(one)) return true
  for (const one of logged.values()) if (isSame(one)) return true
  return false
}

/** What can be done with the requests that are held, oldest first. */
const serve = (options: PolicyOptions, state: PolicyState, at: number): Decided => {
  if (state.held.length === 0) return [state, []]
  return state.standing.leads ? submitAll(options, state, at) : redirectAll(options, state, at)
}

const submitAll = (options: PolicyOptions, state: PolicyState, at: number): Decided => {
  const { state: next, waiting } = Company.letWait(options, state, at)
  const submitted = new Map(state.submitted)
  let { sequence } = state
  const actions: Array<PolicyAction> = []
  for (const one of state.held) {
    if (one.request === waiting?.request) continue
    submitted.set(++sequence, one.request)
    actions.push({ _tag: "Submit", sequence, request: one.request })
  }
  return [{ ...next, held: waiting === undefined ? [] : [waiting], submitted, sequence }, actions]
}

const redirectAll = (options: PolicyOptions, state: PolicyState, at: number): Decided => {
  const { leader } = state.standing
  const actions: Array<PolicyAction> = []
  const held: Array<Held> = []
  const sent = new Map(state.sent)
  const surplus = state.held.length - options.maxHeld
  for (const [position, one] of state.held.entries()) {
    const { client, mid } = one.request
    if (
      position >= surplus &&
      !isToRedirect(state.standing, sent.get(client), at >= one.since + options.redirectMillis)
    ) {
      held.push(one)
      continue
    }
    actions.push({ _tag: "Redirect", client, mid })
    if (leader === undefined) continue
    sent.delete(client)
    sent.set(client, { leader, at })
  }
  if (actions.length === 0) return [state, actions]
  for (const client of sent.keys()) if (sent.size > options.maxRemembered) sent.delete(client)
  return [{ ...state, held, sent }, actions]
}

const isToRedirect = (
  { leader, leaderHeardAt, quorumLost }: Standing,
  sent: Sent | undefined,
  isLate: boolean
): boolean => (leader === undefined ? quorumLost && isLate : sent?.leader !== leader || leaderHeardAt > sent.at)

const onStep = (options: PolicyOptions, before: PolicyState, observation: Observation): Decided => {
  const actions: Array<PolicyAction> = []
  const stood = stand(before, observation.standing)
  const applied = onApplied(onLogged(stood, observation), observation, actions)
  const replied = onReplies(Notices.plan(options, applied, observation, actions.length > 0), observation, actions)
  const [after, further] = serve(options, takeBack(replied, observation), observation.at)
  return [after, [...actions, ...further]]
}

/** A new leader remembers what was answered before its time. */
const stand = (state: PolicyState, standing: Standing): PolicyState => {
  const isNew = standing.leads && !(state.standing.leads && state.standing.term === standing.term)
  const answeredBefore = isNew ? Math.max(state.standing.commitIndex, state.heardCommit) : state.answeredBefore
  return { ...state, standing, answeredBefore }
}

const onLogged = (state: PolicyState, { logged: fresh }: Observation): PolicyState => {
  if (fresh.length === 0) return state
  const submitted = new Map(state.submitted)
  const logged = new Map(state.logged)
  for (const { sequence, index, term } of fresh) {
    const { client, mid } = submitted.get(sequence)!
    submitted.delete(sequence)
    logged.set(index, { client, mid, index, term })
  }
  return { ...state, submitted, logged }
}

const onApplied = (state: PolicyState, observation: Observation, actions: Array<PolicyAction>): PolicyState => {
  const { applied, committedTerm, standing } = observation
  for (const one of applied) if (one.put !== undefined && isToAnswer(state, one)) actions.push(okFor(one.put))
  if (state.logged.size === 0) return state
  const logged = new Map(state.logged)
  for (const { index, term } of applied) if (logged.get(index)?.term === term) logged.delete(index)
  for (const one of logged.values()) {
    if (one.term >= committedTerm) continue
    // Committed is what stands in its place, or before it in a later term: no leader's log will have it any more.
    const isExcluded = one.index > standing.commitIndex || applied.some(({ index }) => index === one.index)
    if (!isExcluded) continue
    logged.delete(one.index)
    actions.push({ _tag: "Redirect", client: one.client, mid: one.mid })
  }
  return logged.size === state.logged.size ? state : { ...state, logged }
}

const isToAnswer = ({ standing, answeredBefore }: PolicyState, { index, term }: Applied): boolean =>
  standing.leads && (term === standing.term || index > answeredBefore)

const okFor = ({ client, mid }: Put): PolicyAction => ({ _tag: "Ok", client, mid })

const onReplies = (
  state: PolicyState,
  { answered, refused }: Observation,
  actions: Array<PolicyAction>
): PolicyState => {
  if (answered.length === 0 && refused.length === 0) return state
  const submitted = new Map(state.submitted)
  for (const { sequence, value } of answered) {
    const request = submitted.get(sequence)
    // It was sent elsewhere when this replica ceased to lead.
    if (request === undefined) continue
    submitted.delete(sequence)
    actions.push({ _tag: "Ok", client: request.client, mid: request.mid, value })
  }
  for (const { sequence, isFull } of refused) {
    const request = submitted.get(sequence)
    if (request === undefined || !isFull) continue
    submitted.delete(sequence)
    actions.push({ _tag: "Fail", client: request.client, mid: request.mid })
  }
  return { ...state, submitted }
}

/**
 * What the core has taken and not logged it has dropped, for its network carries no forwarded commands; and what a replica
 * that does not lead has to read it reads too late. Both are held again, and sent on from there.
 */
const takeBack = (state: PolicyState, { at, taken, standing, refused }: Observation): PolicyState => {
  const gone = new Set(refused.map(({ sequence }) => sequence))
  for (const sequence of taken) {
    if (state.submitted.get(sequence)?._tag === "Put") gone.add(sequence)
  }
  const again: Array<Held> = []
  const submitted = new Map(state.submitted)
  for (const [sequence, request] of state.submitted) {
    const isLate = request._tag === "Get" && !standing.leads
    if (!isLate && !gone.has(sequence)) continue
    submitted.delete(sequence)
    again.push({ request, since: at })
  }
  return again.length === 0 ? state : { ...state, submitted, held: [...again, ...state.held] }
}
