/**
 * Sends snapshots to followers that are too far behind for the log, in the background: a chunk is
 * read from the disk when the core asks for it, and nothing waits for that but the follower.
 */
import { Clock, Effect, Latch } from "effect"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import { type Snapshot, same } from "../raft/Snapshot.ts"
import type { SnapshotStore } from "../storage/Storage.ts"
import type { Transport } from "../transport/Transport.ts"
import { Headway, percent } from "./Headway.ts"
import { describe } from "./SnapshotLoading.ts"

export type SendChunk = Extract<RaftEffect<never, never, never>, { readonly _tag: "SendChunk" }>

export interface SendingNews {
  readonly _tag: "SnapshotMissing"
  readonly snapshot: Snapshot
}

export interface SnapshotSending {
  readonly send: (chunk: SendChunk) => void
  /** Runs until interrupted. */
  readonly run: Effect.Effect<never>
}

interface Transfer {
  readonly snapshot: Snapshot
  readonly headway: Headway
}

export const make = (
  store: Pick<SnapshotStore, "read">,
  transport: Pick<Transport["Service"], "send">,
  report: (news: SendingNews) => void
): SnapshotSending => {
  /** The latest wish for each peer: an earlier one that is not carried out yet is out of date. */
  const wishes = new Map<ReplicaId, SendChunk>()
  const transfers = new Map<ReplicaId, Transfer>()
  const filled = Latch.makeUnsafe(false)

  const transferOf = ({ to, snapshot }: SendChunk, at: number): Transfer => {
    const known = transfers.get(to)
    if (known !== undefined && same(known.snapshot, snapshot)) return known
    const fresh: Transfer = { snapshot, headway: new Headway(at) }
    transfers.set(to, fresh)
    return fresh
  }

  const sendOne = Effect.fnUntraced(function* (chunk: SendChunk) {
    const { to, term, snapshot, offset, length } = chunk
    const wanted = Math.min(length, snapshot.bytes - offset)
    const bytes = yield* store
      .read(snapshot, offset, length)
      .pipe(Effect.catch(({ message }) => Effect.as(Effect.logWarning(message), undefined)))
    if (bytes === undefined || bytes.length < wanted) {
      yield* Effect.logWarning(`the ${describe(snapshot)} cannot be read at byte ${offset}, so ${to} is not sent it`)
      transfers.delete(to)
      return report({ _tag: "SnapshotMissing", snapshot })
    }
    transport.send(to, [{ _tag: "InstallSnapshot", term, snapshot, offset, bytes }])
    const at = yield* Clock.currentTimeMillis
    const { headway } = transferOf(chunk, at)
    const isLast = offset + bytes.length === snapshot.bytes
    const what = `the ${describe(snapshot)} to ${to}`
    if (isLast) {
      transfers.delete(to)
      if (headway.wasTold) yield* Effect.logInfo(`sent ${what} in ${headway.millis(at)} ms`)
    } else if (headway.isDue(at)) {
      yield* Effect.logInfo(`sending ${what}: ${percent(offset + bytes.length, snapshot.bytes)} %`)
    }
  })

  const next = Effect.gen(function* () {
    if (wishes.size === 0) yield* filled.await
    // Opening the latch resumes this fiber at once, inside the `send` that opened it.
    yield* Effect.yieldNow
    const [to, chunk] = wishes.entries().next().value!
    wishes.delete(to)
    if (wishes.size === 0) filled.closeUnsafe()
    yield* sendOne(chunk)
  })

  return {
    send: (chunk) => {
      // At the end, so that one peer's chunks do not keep another's waiting.
      wishes.delete(chunk.to)
      wishes.set(chunk.to, chunk)
      filled.openUnsafe()
    },
    run: Effect.forever(next)
  }
}
