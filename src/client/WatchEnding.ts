/** Why a server has ended a watch, and whether another connection, now or a while later, may go on with it. */
import type { ClientError } from "./ClientError.ts"
import type { Endpoint } from "./Endpoint.ts"
import * as Refusal from "./Refusal.ts"
import { judgeError } from "./Verdict.ts"
import type { WatchResponse } from "./WatchResponse.ts"

/** Another connection may do. */
export interface Broken {
  readonly _tag: "Broken"
  readonly reason: string
  /** What it is to who has not begun yet: the server has as much to do as it may have. Later, or elsewhere, there may be room. */
  readonly refusal?: Refusal.RequestRefused
}

/** As of a range; in a watch the server only gives the number. */
const compacted = "etcdserver: mvcc: required revision has been compacted"

export const ofCancellation = (
  endpoint: Endpoint,
  { compactRevision, reason }: Extract<WatchResponse, { readonly _tag: "Canceled" }>
): Broken | ClientError => {
  if (compactRevision !== undefined) return new Refusal.Compacted({ endpoint, reason: compacted, compactRevision })
  const known = Refusal.ofText({ endpoint, reason }, reason)
  if (known !== undefined) return known
  if (withoutServer.test(reason)) return { _tag: "Broken", reason }
  const refused = (kind: Refusal.RequestRefused["kind"]) =>
    new Refusal.RequestRefused({ endpoint, reason, status: 0, kind })
  return isFull.test(reason) ? { _tag: "Broken", reason, refusal: refused("Exhausted") } : refused("Other")
}

/** A cancellation has a text and no code. */
const withoutServer = /no leader|server stopped/
/** Balsa names the limit that is reached. */
const isFull = /too many requests|\(max\w+\)$/

/** google.rpc.Code of a stream that ended without a fault of its own, as when a server stops: Cancelled, Unknown, Internal. */
const passing: ReadonlySet<unknown> = new Set([1, 2, 13])

export const ofFailure = (
  endpoint: Endpoint,
  { error }: Extract<WatchResponse, { readonly _tag: "Failed" }>
): Broken | ClientError => {
  const verdict = judgeError(endpoint, 0, error, false)
  if (verdict._tag !== "Stop") return ended
  const refusal = verdict.error
  if (refusal._tag !== "RequestRefused") return refusal
  if (passing.has(error["grpc_code"] ?? error["code"])) return ended
  // What is too large is refused with the same code, and for good.
  return refusal.kind === "Exhausted" && error["http_code"] !== 413
    ? { _tag: "Broken", reason: refusal.reason, refusal }
    : refusal
}

const ended: Broken = { _tag: "Broken", reason: "the server ended it" }
