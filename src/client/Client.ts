/**
 * All services of a client over one connection, and the same for those who do not use Effect:
 *
 *     program.pipe(Effect.provide(Client.layer({ endpoints: ["127.0.0.1:7401"] })))
 */
import { Layer } from "effect"
import { type ClientOptions, Connection, type InvalidClientOptions } from "./Connection.ts"
import { Election } from "./Election.ts"
import { Kv } from "./Kv.ts"
import { Lease } from "./Lease.ts"
import { Lock } from "./Lock.ts"
import { Watch } from "./Watch.ts"

export type Services = Connection | Kv | Watch | Lease | Lock | Election

export const layer = (options: ClientOptions): Layer.Layer<Services, InvalidClientOptions> =>
  Layer.mergeAll(Kv.layer, Watch.layer, Lease.layer, Lock.layer, Election.layer).pipe(
    Layer.provideMerge(Connection.layer(options))
  )
