/**
 * Leases: keys that go when their owner does. One that is held in a scope is kept alive while the scope is open, is revoked
 * with it, and says when it is lost.
 */
import { randomBytes } from "node:crypto"
import { Context, Effect, Layer, type Scope } from "effect"
import { expecting, type RequestError } from "./ClientError.ts"
import { Connection } from "./Connection.ts"
import { ask, type Cluster } from "./Gateway.ts"
import * as Json from "./GatewayJson.ts"
import { type Granted, type HeldLease, hold } from "./HeldLease.ts"
import * as LeaseId from "./LeaseId.ts"
import { flag } from "./RangeRequest.ts"
import { type LeaseExists, LeaseNotFound } from "./Refusal.ts"

export interface GrantOptions {
  /** How long it lives without being renewed, in whole seconds; the server may make it longer. */
  readonly ttlSeconds: number
  /** By chance if nothing is said. */
  readonly id?: LeaseId.LeaseId | undefined
}

export interface TimeToLive {
  readonly grantedSeconds: number
  readonly remainingSeconds: number
  /** Those that go with it, if they were asked for. */
  readonly keys: ReadonlyArray<Uint8Array>
}

export interface LeaseService {
  /** Lives until it runs out; with an id of its own it fails with `LeaseExists` when there is one. */
  readonly grant: (options: GrantOptions) => Effect.Effect<Granted, RequestError | LeaseExists>
  /** Its keys are deleted. Sent again after an answer that was lost, so `LeaseNotFound` may mean that the first one had worked. */
  readonly revoke: (id: LeaseId.LeaseId) => Effect.Effect<void, RequestError | LeaseNotFound>
  /** Once; gives how many seconds it has again. */
  readonly keepAlive: (id: LeaseId.LeaseId) => Effect.Effect<number, RequestError | LeaseNotFound>
  readonly timeToLive: (
    id: LeaseId.LeaseId,
    options?: { readonly keys?: boolean | undefined }
  ) => Effect.Effect<TimeToLive, RequestError | LeaseNotFound>
  readonly list: Effect.Effect<ReadonlyArray<LeaseId.LeaseId>, RequestError>
  /** Granted now, kept alive in the background, revoked when the scope closes. */
  readonly make: (options: GrantOptions) => Effect.Effect<HeldLease, RequestError | LeaseExists, Scope.Scope>
}

export class Lease extends Context.Service<Lease, LeaseService>()("balsa/client/Lease") {
  static readonly layer: Layer.Layer<Lease, never, Connection> = Layer.effect(
    Lease,
    Effect.map(Connection, (cluster) => make(cluster))
  )
}

export const make = (cluster: Cluster): LeaseService => {
  const grant = (options: GrantOptions) => grantIn(cluster, options)
  const revoke = (id: LeaseId.LeaseId) => revokeIn(cluster, id)
  return {
    grant,
    revoke,
    keepAlive: (id) => keepAliveIn(cluster, id),
    timeToLive: (id, options = {}) =>
      ask(cluster, {
        path: "/v3/lease/timetolive",
        body: { ID: String(id), ...flag("keys", options.keys) },
        write: false
      }).pipe(
        Effect.flatMap(({ body, endpoint }) => {
          const remainingSeconds = Json.integer(body["TTL"])
          if (remainingSeconds < 0) return new LeaseNotFound({ endpoint, reason: notFound })
          const keys = Array.isArray(body["keys"]) ? body["keys"].map(Json.fromBase64) : []
          return Effect.succeed({ grantedSeconds: Json.integer(body["grantedTTL"]), remainingSeconds, keys })
        }),
        expecting("LeaseNotFound")
      ),
    list: ask(cluster, { path: "/v3/lease/leases", body: {}, write: false }).pipe(
      Effect.map(({ body }) => (Array.isArray(body["leases"]) ? body["leases"].flatMap(idIn) : [])),
      expecting<never>()
    ),
    make: (options) =>
      hold({
        grant: grant(options),
        keepAlive: (id, timeoutMillis) => keepAliveIn({ ...cluster, timeoutMillis }, id),
        revoke: (id) => revokeIn({ ...cluster, timeoutMillis: Math.min(cluster.timeoutMillis, maxRevokeMillis) }, id),
        requestMillis: cluster.timeoutMillis
      })
  }
}

/** A scope that closes does not wait longer for the cluster; the lease then runs out by itself. */
const maxRevokeMillis = 2000

const notFound = "etcdserver: requested lease not found"

/** Under an id of its own a grant that was repeated is recognised. */
const grantIn = Effect.fnUntraced(function* (
  cluster: Cluster,
  options: GrantOptions
): Effect.fn.Return<Granted, RequestError | LeaseExists> {
  const id = options.id ?? (yield* uniqueId)
  const asked = ask(cluster, {
    path: "/v3/lease/grant",
    body: { ID: String(id), TTL: String(options.ttlSeconds) },
    write: true,
    repeatable: options.id === undefined
  }).pipe(
    Effect.map(({ body }): Granted => ({ id, ttlSeconds: Json.integer(body["TTL"]) })),
    expecting("LeaseExists")
  )
  if (options.id !== undefined) return yield* asked
  return yield* Effect.catchTag(asked, "LeaseExists", () => Effect.succeed({ id, ttlSeconds: options.ttlSeconds }))
})

/** Not from a seed: two clients with the same would share a lease. */
const uniqueId: Effect.Effect<LeaseId.LeaseId> = Effect.sync(() => {
  const bytes = randomBytes(8)
  return LeaseId.ofRandom(bytes.readUInt32BE(0), bytes.readUInt32BE(4))
})

const revokeIn = (cluster: Cluster, id: LeaseId.LeaseId): Effect.Effect<void, RequestError | LeaseNotFound> =>
  ask(cluster, { path: "/v3/lease/revoke", body: { ID: String(id) }, write: true, repeatable: true }).pipe(
    Effect.asVoid,
    expecting("LeaseNotFound")
  )

const keepAliveIn = (cluster: Cluster, id: LeaseId.LeaseId): Effect.Effect<number, RequestError | LeaseNotFound> =>
  ask(cluster, { path: "/v3/lease/keepalive", body: { ID: String(id) }, write: false }).pipe(
    Effect.flatMap(({ body, endpoint }) => {
      // Without time it has run out.
      const ttlSeconds = Json.isJson(body["result"]) ? Json.integer(body["result"]["TTL"]) : 0
      return ttlSeconds > 0 ? Effect.succeed(ttlSeconds) : new LeaseNotFound({ endpoint, reason: notFound })
    }),
    expecting("LeaseNotFound")
  )

const idIn = (value: unknown): ReadonlyArray<LeaseId.LeaseId> => {
  const id = Json.isJson(value) ? LeaseId.ofJson(value["ID"]) : undefined
  return id === undefined ? [] : [id]
}
