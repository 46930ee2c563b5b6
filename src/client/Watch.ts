/**
 * What changes under keys, as a stream that outlives connections, endpoints and leaders: after each it goes on with the
 * first revision that it has not handed on, so nothing is missing and nothing comes twice. It reads as fast as it is
 * pulled; who is slow makes the server wait, which remembers a position and not the events.
 */
import { Context, Effect, Layer, type Scope, Stream } from "effect"
import * as Backoff from "./Backoff.ts"
import { type ClientError, expecting, type RequestError, UnexpectedAnswer } from "./ClientError.ts"
import { Connection } from "./Connection.ts"
import type { Endpoint } from "./Endpoint.ts"
import type { Cluster } from "./Gateway.ts"
import type { Keys } from "./KeyRange.ts"
import type { Compacted } from "./Refusal.ts"
import * as Cursor from "./WatchCursor.ts"
import { connect, type WatchConnection, type WatchOptions } from "./WatchConnection.ts"
import type { WatchEvent } from "./WatchResponse.ts"

/** `Compacted`: the revision to go on with is no longer kept; read everything again, and watch from there. */
export type WatchError = RequestError | Compacted

export interface WatchService {
  /** With the revisions, and what is no event: the start, and bookmarks. */
  readonly batches: (keys: Keys, options?: WatchOptions) => Stream.Stream<Cursor.WatchBatch, WatchError>
  readonly events: (keys: Keys, options?: WatchOptions) => Stream.Stream<WatchEvent, WatchError>
}

export class Watch extends Context.Service<Watch, WatchService>()("balsa/client/Watch") {
  static readonly layer: Layer.Layer<Watch, never, Connection> = Layer.effect(
    Watch,
    Effect.map(Connection, (cluster) => make(cluster))
  )
}

export const make = (cluster: Cluster): WatchService => {
  const batches: WatchService["batches"] = (keys, options = {}) => watch(cluster, keys, options)
  return {
    batches,
    events: (keys, options) =>
      Stream.flattenIterable(
        Stream.map(batches(keys, options), (batch) => (batch._tag === "Events" ? batch.events : []))
      )
  }
}

type Batches = [Cursor.WatchBatch, ...Array<Cursor.WatchBatch>]

const isSome = (batches: ReadonlyArray<Cursor.WatchBatch>): batches is Readonly<Batches> => batches.length > 0

const watch = (cluster: Cluster, keys: Keys, options: WatchOptions): Stream.Stream<Cursor.WatchBatch, WatchError> =>
  Stream.unwrap(
    Effect.map(Effect.scope, (scope) => {
      const session = makeSession(cluster, keys, options, scope)
      const pull = Effect.gen(function* () {
        while (true) {
          const batches = yield* session.turn
          if (isSome(batches)) return batches
        }
      })
      return Stream.fromPull(Effect.succeed(expecting("Compacted")(pull)))
    })
  )

interface Session {
  /** Connects if need be, reads what there is, and says what came of it. */
  readonly turn: Effect.Effect<ReadonlyArray<Cursor.WatchBatch>, ClientError>
}

const makeSession = (cluster: Cluster, keys: Keys, options: WatchOptions, scope: Scope.Scope): Session => {
  const { backoff = Backoff.defaults } = cluster
  const { notice = () => Effect.void } = options
  let cursor = Cursor.begin(options.startRevision)
  let connection: WatchConnection | undefined
  let avoid: Endpoint | undefined
  // Connections in a row that brought nothing.
  let failures = 0

  const broke = Effect.fnUntraced(function* (broken: WatchConnection, reason: string) {
    yield* broken.close
    yield* notice({ _tag: "Broken", endpoint: broken.endpoint, reason })
    connection = undefined
    avoid = broken.endpoint
    cursor = Cursor.disconnected(cursor)
    yield* Effect.sleep(yield* Backoff.pause(backoff, failures++))
  })

  const reconnect = Effect.gen(function* () {
    const { isStarted, nextRevision } = cursor
    const made = yield* connect(cluster, scope, { keys, options, nextRevision, isFirst: !isStarted, avoid })
    if (nextRevision !== undefined && isStarted) {
      yield* notice({ _tag: "Resumed", endpoint: made.endpoint, nextRevision })
    }
    return made
  })

  const turn = Effect.gen(function* () {
    connection ??= yield* reconnect
    const current = connection
    const responses = yield* current.next
    if (responses._tag === "Broken") {
      yield* broke(current, responses.reason)
      return []
    }
    const batches: Array<Cursor.WatchBatch> = []
    for (const response of responses.responses) {
      const [after, batch] = Cursor.step(cursor, response)
      cursor = after
      if (batch !== undefined) batches.push(batch)
    }
    if (cursor.held.length > maxHeldEvents) {
      const reason = `a revision of more than ${maxHeldEvents} events`
      return yield* new UnexpectedAnswer({ endpoint: current.endpoint, reason })
    }
    if (batches.some(({ _tag }) => _tag !== "Started")) failures = 0
    // What came before an end is handed on before the end is told.
    const { ended } = responses
    if (ended !== undefined) {
      connection = { ...current, next: ended._tag === "Broken" ? Effect.succeed(ended) : Effect.fail(ended) }
    }
    return batches
  })
  return { turn }
}

/** A transaction has 128 operations where nobody raised that; a delete of a range may have more. */
const maxHeldEvents = 1_000_000
