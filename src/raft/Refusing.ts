/** Requests of which nothing will come, and why: whoever asked is told, so that nobody waits for an answer in vain. */
import { type Batch, send } from "./Core.ts"
import type { ReplicaId, RequestId } from "./LogEntry.ts"
import type { Refusal } from "./RaftEffect.ts"
import type { Leader } from "./ServerState.ts"

/** A client of this replica's own. */
export const here = <C, Q, R, A>(
  batch: Batch<C, Q, R, A>,
  { request }: { readonly request: RequestId },
  reason: Refusal
): void => {
  batch.said.push({ _tag: "Reply", request, outcome: { _tag: "Refused", reason } })
}

export interface Refused {
  readonly request: RequestId
  readonly reason: Refusal
}

/** A leader's own clients hear of it here, another replica's through that one: all of them in one message, with the first one's reason. */
export const anywhere = <S, C, R, Q, A>(
  state: Leader<S, C, Q>,
  refused: ReadonlyArray<Refused>,
  batch: Batch<C, Q, R, A>
): void => {
  const elsewhere = new Map<ReplicaId, Array<Refused>>()
  for (const one of refused) {
    const { request, reason } = one
    if (request.replica === state.id) here(batch, one, reason)
    else if (elsewhere.get(request.replica)?.push(one) === undefined) elsewhere.set(request.replica, [one])
  }
  for (const [to, ones] of elsewhere) {
    if (!state.progress.has(to)) continue
    const requests = ones.map(({ request }) => request)
    send(batch, to, { _tag: "ForwardRefused", term: state.currentTerm, requests, reason: ones[0]!.reason })
  }
}
