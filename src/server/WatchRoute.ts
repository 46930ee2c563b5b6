/**
 * Watching, `/v3/watch`, as etcd's gateway serves it: a line of JSON for each thing that is to be told, for as long as the client
 * stays. What it asks for is read while it is answered, where the client can do that; etcd's own answers when the body has ended.
 *
 * A line is made when the client has taken the one before, out of what the store has anyway: one that reads slowly costs what
 * its socket holds and nothing else, and finds either all that it has missed or that it was compacted.
 */
import { Effect, Stream } from "effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { WatchHub } from "../kv/WatchHub.ts"
import type { HeaderAt } from "./AnswerJson.ts"
import * as ClientListener from "./ClientListener.ts"
import * as GatewayError from "./GatewayError.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import * as LeaderCheck from "./LeaderCheck.ts"
import * as StreamLine from "./StreamLine.ts"
import { WatchSession } from "./WatchSession.ts"

export interface WatchLimits {
  readonly maxStreams: number
  readonly maxWatchesPerStream: number
  readonly maxLineBytes: number
  /** One request of those on a stream. */
  readonly maxObjectBytes: number
  /** Of those that have not come as a whole, on all streams together. */
  readonly maxUnreadBytes: number
  /** How often a watch that wants to is told that nothing has happened. */
  readonly progressMillis: number
  /** How often it is looked whether there is a leader, for those who want one. */
  readonly leaderCheckMillis: number
}

export const defaultLimits: WatchLimits = {
  maxStreams: 10_000,
  maxWatchesPerStream: 10_000,
  // etcd's, about: a request and room for what is around it.
  maxLineBytes: 2 * 1024 * 1024,
  // Keys of the greatest length, in base64.
  maxObjectBytes: 4 * 1024 * 1024,
  maxUnreadBytes: 128 * 1024 * 1024,
  progressMillis: 10 * 60_000,
  leaderCheckMillis: 1000
}

export interface WatchRouteOptions {
  readonly hub: WatchHub
  readonly headerAt: HeaderAt
  readonly hasLeader: () => boolean
  readonly limits?: Partial<WatchLimits> | undefined
}

type Response = HttpServerResponse.HttpServerResponse

export const make = (options: WatchRouteOptions): ((request: HttpServerRequest) => Effect.Effect<Response>) => {
  const { hub, headerAt } = options
  const limits = { ...defaultLimits, ...options.limits }
  const leaderCheck = new LeaderCheck.LeaderCheck(options.hasLeader, limits.leaderCheckMillis)
  const unread = { bytes: 0, maxBytes: limits.maxUnreadBytes }
  let streams = 0

  const refusal = (wantsLeader: boolean): GatewayError.GatewayError | undefined => {
    if (hub.silence !== undefined) return GatewayError.stoppedBecause(hub.silence)
    if (wantsLeader && !leaderCheck.hasLeader) return LeaderCheck.noLeader
    return streams < limits.maxStreams
      ? undefined
      : GatewayError.tooManyRequests(`${streams} streams watch already (maxStreams)`)
  }

  return (request) =>
    Effect.suspend(() => {
      const incoming = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
      const outgoing = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
      const wantsLeader = incoming.headers[LeaderCheck.header] === "true"
      const refused = refusal(wantsLeader)
      if (refused !== undefined) return Effect.succeed(closing(GatewayResponse.ofError(refused)))
      streams++
      const session = new WatchSession({ hub, headerAt, limits, unread, incoming, outgoing })
      const forget = wantsLeader ? leaderCheck.add(() => session.fail(LeaderCheck.noLeader)) : () => {}
      // Until the client has gone or the answer is complete: both close it.
      outgoing.once("close", () => {
        streams--
        forget()
        session.close()
      })
      // The answer is over before the request is: nothing can follow it on this connection.
      outgoing.once("finish", () => {
        if (!incoming.complete) incoming.socket.destroySoon()
      })
      return Effect.map(next(session), (first) => {
        if (first._tag === "Bytes") {
          ClientListener.waitFor(incoming)
          return HttpServerResponse.stream(lines(session, first.bytes), { contentType: "application/json" })
        }
        const error = first._tag === "Failed" ? first.error : GatewayError.serverStopped
        return closing(GatewayResponse.ofError(error))
      })
    })
}

/** What has not been read of the body would be in the way of another request. */
const closing = (response: Response): Response => HttpServerResponse.setHeader(response, "connection", "close")

const lines = (session: WatchSession, first: Uint8Array): Stream.Stream<Uint8Array> =>
  Stream.concat(
    Stream.succeed(first),
    Stream.unfold(session, (session) =>
      Effect.map(next(session), (part) => {
        switch (part._tag) {
          case "Bytes":
            return [part.bytes, session] as const
          case "Failed":
            return [Buffer.from(StreamLine.ofError(part.error)), session] as const
          case "Over":
            return undefined
        }
      })
    )
  )

type Part = Exclude<ReturnType<WatchSession["next"]>, undefined>

/** Others get their turn after each part, even while the client takes them as fast as they come. */
const next = Effect.fnUntraced(function* (session: WatchSession): Effect.fn.Return<Part> {
  yield* Effect.yieldNow
  while (true) {
    const part = session.next()
    if (part !== undefined) return part
    yield* Effect.callback<void>((resume) => session.wait(() => resume(Effect.void)))
  }
})
