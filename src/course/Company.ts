/**
 * Puts that share a round of appends: a leader keeps one for a while, until the next one comes. Only where answers often fail
 * to come, for there a round is dear; and the rarer puts are, the more of them, for there all of them together are few.
 */
import type { Held, PolicyOptions, PolicyState } from "./PolicyState.ts"
import type { ClientRequest } from "./Wire.ts"

/** A put has come; about how often they do is remembered. */
export const noted = (state: PolicyState, request: ClientRequest, at: number): PolicyState => {
  if (request._tag === "Get") return state
  const { lastPutAt, putGapMillis } = state
  if (lastPutAt === undefined) return { ...state, lastPutAt: at }
  const gap = at - lastPutAt
  const average = putGapMillis === undefined ? gap : putGapMillis + gapWeight * (gap - putGapMillis)
  return { ...state, lastPutAt: at, putGapMillis: average }
}

/** One put more counts for so much. */
const gapWeight = 1 / 16

/** What is left of a turn counts for the next; turns that are not taken are not kept. */
const maxCredit = 1.5

/** Which put waits for company: a single one whose turn it is, until another comes. */
export const letWait = (
  options: PolicyOptions,
  state: PolicyState,
  at: number
): { readonly state: PolicyState; readonly waiting: Held | undefined } => {
  const puts = state.held.filter(({ request }) => request._tag === "Put")
  const fresh = puts.filter(({ companyDeadline }) => companyDeadline === undefined).length
  const rareness = ((state.putGapMillis ?? 0) - options.companyFromMillis) / options.companySlopeMillis
  const share = Math.max(0, Math.min(options.companyShare, rareness))
  const companyCredit = Math.min(maxCredit, state.companyCredit + fresh * share)
  const [put] = puts
  if (puts.length !== 1 || put === undefined) return { state: { ...state, companyCredit }, waiting: undefined }
  if (put.companyDeadline !== undefined) return { state, waiting: at < put.companyDeadline ? put : undefined }
  if (companyCredit < 1 || state.standing.answerRate >= options.companyBelowRate) {
    return { state: { ...state, companyCredit }, waiting: undefined }
  }
  const waiting = { ...put, companyDeadline: at + options.companyMillis }
  return { state: { ...state, companyCredit: companyCredit - 1 }, waiting }
}
