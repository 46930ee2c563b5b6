/**
 * What all services of a client share: the endpoints, connections that are kept, and who answered last. It ends with its
 * scope; what is under way then fails, and so does what is asked later, with `ClientClosed`.
 */
import { Context, Effect, Layer, Ref, Schema } from "effect"
import * as Http from "node:http"
import * as Backoff from "./Backoff.ts"
import * as Endpoint from "./Endpoint.ts"
import type { Cluster } from "./Gateway.ts"

export interface ClientOptions {
  /** HOST:PORT of each replica, in order of preference; `http://` in front is taken, too. */
  readonly endpoints: ReadonlyArray<string>
  /** For a whole request, all endpoints and repetitions together; 5 s if nothing is said. */
  readonly timeoutMillis?: number | undefined
  /** Between two rounds through all endpoints; from 50 ms to 1 s if nothing is said. */
  readonly backoff?: Backoff.Backoff | undefined
  /** From `/v3/auth/authenticate`; sent with every request. */
  readonly token?: string | undefined
  /** All endpoints are Balsa's: puts and deletes get a name each, and are repeated until their outcome is known. */
  readonly idempotencyKeys?: boolean | undefined
}

/** Options that nothing can be made of; the message says which and why. */
export class InvalidClientOptions extends Schema.TaggedError<InvalidClientOptions>()("InvalidClientOptions", {
  message: Schema.String
}) {}

export class Connection extends Context.Service<Connection, Cluster>()("balsa/client/Connection") {
  static readonly layer = (options: ClientOptions): Layer.Layer<Connection, InvalidClientOptions> =>
    Layer.effect(
      Connection,
      Effect.gen(function* () {
        const endpoints = yield* endpointsOf(options.endpoints)
        const { timeoutMillis = 5000, backoff = Backoff.defaults, token, idempotencyKeys } = options
        if (!(timeoutMillis > 0)) {
          return yield* new InvalidClientOptions({ message: `timeoutMillis: ${timeoutMillis} is not above zero` })
        }
        if (token !== undefined && !/^[!-~]+$/.test(token)) {
          return yield* new InvalidClientOptions({ message: "token: it has characters that no header carries" })
        }
        let isClosed = false
        const agent = yield* Effect.acquireRelease(
          Effect.sync(() => new Http.Agent({ keepAlive: true, timeout: idleMillis, maxSockets: maxConnections })),
          (agent) =>
            Effect.sync(() => {
              // An agent that is destroyed would connect anew.
              isClosed = true
              agent.destroy()
            })
        )
        const preferred = yield* Ref.make<Endpoint.Endpoint | undefined>(undefined)
        const headers = token === undefined ? undefined : { authorization: token }
        const shared = { endpoints, timeoutMillis, backoff, preferred, agent, headers, idempotencyKeys }
        return { ...shared, isClosed: () => isClosed }
      })
    )
}

/** To each endpoint; more requests at once wait for one. Watches have connections of their own. */
const maxConnections = 256

/** A connection that nobody used for so long is closed, before the server does it while a request is on its way. */
const idleMillis = 4000

const endpointsOf = (
  texts: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Endpoint.Endpoint>, InvalidClientOptions> =>
  texts.length === 0
    ? Effect.fail(new InvalidClientOptions({ message: "endpoints: name at least one, for example 127.0.0.1:7401" }))
    : Effect.forEach(texts, (text) =>
        Effect.mapError(
          Effect.fromResult(Endpoint.parseUrl(text)),
          (why) => new InvalidClientOptions({ message: `endpoints: "${text}" ${why}` })
        )
      )
