/**
 * A leader that has answered puts says to one follower how far it has come, unless an append does so at once: if it dies
 * now, its successor hears of it and need not answer those puts again.
 */
import type { Observation } from "./Observation.ts"
import type { Decided, PolicyOptions, PolicyState } from "./PolicyState.ts"

/** Whatever said how far things are committed makes a notice of it needless. */
export const plan = (
  options: PolicyOptions,
  state: PolicyState,
  { at, standing, toldCommit }: Observation,
  hasAnswered: boolean
): PolicyState => {
  const isExposed = standing.leads && standing.term >= options.noticeFromTerm
  const isWorthIt = isExposed && standing.answerRate >= options.companyBelowRate
  if (isWorthIt && hasAnswered && toldCommit < standing.commitIndex) {
    return { ...state, notice: { index: standing.commitIndex, deadline: at + options.noticeMillis } }
  }
  const isTold = state.notice !== undefined && (!standing.leads || toldCommit >= state.notice.index)
  return isTold ? { ...state, notice: undefined } : state
}

/** One of those who hold all of it: one of them leads next, or hears from the other when it asks for its vote. */
export const give = (state: PolicyState, at: number): Decided => {
  if (state.notice === undefined || at < state.notice.deadline) return [state, []]
  const [to] = state.standing.holders
  return [{ ...state, notice: undefined }, to === undefined ? [] : [{ _tag: "Notice", to }]]
}
