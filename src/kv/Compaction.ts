/**
 * Compaction: a revision before which nothing can be read is a number, and takes effect at once. What that makes useless is done
 * away with in small bits, at each later command: nothing ever waits for it.
 */
import * as History from "./History.ts"
import { initial, type KvState } from "./KvState.ts"
import * as OrderedMap from "./OrderedMap.ts"
import { weighChange } from "./Writing.ts"

/** `revision` is after `compacted` and not after the store's. */
export const compact = (state: KvState, revision: number): KvState => ({ ...state, compacted: revision })

/** Without any history, as a cluster that has agreed on none has it: the present can be read, and nothing else. */
export const forget = (state: KvState): KvState => {
  const { revision, compacted, history } = state
  // Where nothing has changed yet, nothing is to be forgotten, and a snapshot of pairs alone says as much.
  if (revision === initial.revision) return compacted === 0 ? state : { ...initial, leases: state.leases }
  if (compacted === revision && history.first === revision + 1) return state
  return {
    ...state,
    compacted: revision,
    history: History.startingAt(revision + 1),
    trimmed: 0,
    deletions: OrderedMap.empty,
    historyBytes: 0
  }
}

/** So many changes go with each command, or twice as many as it makes: so it comes to an end, whatever the commands. */
export const trimAtOnce = 256

/** After a command that has made so many changes. */
export const trimAfter = (state: KvState, changes: number): KvState => trim(state, Math.max(trimAtOnce, 2 * changes))

/** Does away with at most so many changes of revisions before `compacted`. What reads and watchers see stays the same. */
export const trim = (state: KvState, limit = trimAtOnce): KvState => {
  const { compacted } = state
  if (state.history.first >= compacted) return state
  const owner = OrderedMap.owner()
  let { deletions, historyBytes, trimmed } = state
  let first = state.history.first
  for (let left = limit; left > 0 && first < compacted; left--) {
    const changes = History.at(state.history, first)?.changes ?? []
    const change = changes[trimmed]
    if (change !== undefined) {
      historyBytes -= weighChange(change)
      if (change._tag === "Delete" && OrderedMap.get(deletions, change.key) === change) {
        deletions = OrderedMap.remove(deletions, change.key, owner)
      }
      trimmed++
    }
    if (trimmed >= changes.length) {
      trimmed = 0
      first++
    }
  }
  const history = History.from(state.history, first)
  return { ...state, history, trimmed, deletions, historyBytes }
}
