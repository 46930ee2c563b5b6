/**
 * How routes change the store: every write of the gateway goes by here, so that what holds for all of them, the quota above all,
 * holds for each.
 */
import { Effect } from "effect"
import type { KvCommand, KvResult, Operation } from "../kv/KvCommand.ts"
import type { KvState } from "../kv/KvState.ts"
import * as Leases from "../kv/Leases.ts"
import type { StoreCommand, StoreResult } from "../sessions/Store.ts"
import * as GatewayError from "./GatewayError.ts"
import type { KvReplica } from "./KvReplica.ts"
import * as Quota from "./Quota.ts"
import * as StoreError from "./StoreError.ts"

/** etcd's: what keys, values and leases may take until only deletions are let in. */
export const defaultQuotaBytes = Quota.defaultBytes(Quota.heapLimit())

export interface WritesOptions {
  readonly replica: KvReplica
  /** What the replica has applied and carried out. */
  readonly store: () => KvState
  /** 0 is none. */
  readonly quotaBytes: number
}

/** What a command gives that the store carries out. */
export type Outcome<C extends KvCommand> = Extract<KvResult, { readonly _tag: C["_tag"] }>

export interface Writes {
  /** Why it is not let in, if it is not. */
  readonly refusal: (command: StoreCommand) => GatewayError.GatewayError | undefined
  readonly propose: (command: StoreCommand) => Effect.Effect<StoreResult, GatewayError.GatewayError>
  /** A refusal of the store is a failure here. */
  readonly carryOut: <C extends KvCommand>(command: C) => Effect.Effect<Outcome<C>, GatewayError.GatewayError>
}

export const isFull = ({ store, quotaBytes }: Pick<WritesOptions, "store" | "quotaBytes">): boolean =>
  quotaBytes > 0 && takenBy(store()) >= quotaBytes

/** What a lease takes beside its keys, about: an object, entries of three maps, and their share of nodes. */
const leaseBytes = 512

const takenBy = ({ liveBytes, leases }: KvState): number => liveBytes + leaseBytes * Leases.size(leases)

export const make = (options: WritesOptions): Writes => {
  const refusal = (command: StoreCommand): GatewayError.GatewayError | undefined =>
    isFull(options) && takesSpace(command) ? quotaExceeded(options.quotaBytes, "session" in command) : undefined

  const propose = (command: StoreCommand): Effect.Effect<StoreResult, GatewayError.GatewayError> =>
    Effect.suspend(() => {
      const refused = refusal(command)
      return refused === undefined
        ? Effect.mapError(options.replica.propose(command), GatewayError.ofRequestError)
        : Effect.fail(refused)
    })

  const carryOut = <C extends KvCommand>(command: C): Effect.Effect<Outcome<C>, GatewayError.GatewayError> =>
    Effect.flatMap(propose(command), (result) => {
      if (result._tag === "Rejected") return Effect.fail(StoreError.ofRejection(result.reason))
      if (result._tag === "UnknownCommand") return Effect.fail(GatewayError.unknownCommand)
      return Effect.succeed(result as Outcome<C>)
    })

  return { refusal, propose, carryOut }
}

export const fullText = (quotaBytes: number): string =>
  `keys, values and leases take more than the quota of ${quotaBytes} bytes; deletions are let in and make room at once`

/** One under an `Idempotency-Key` may have been carried out when there was room. */
const quotaExceeded = (quotaBytes: number, wasAskedBefore: boolean): GatewayError.GatewayError => ({
  ...GatewayError.noSpace(fullText(quotaBytes)),
  outcomeUnknown: wasAskedBefore
})

const takesSpace = (command: StoreCommand): boolean => {
  if ("command" in command) return takesSpaceByItself(command.command)
  return "_tag" in command && takesSpaceByItself(command)
}

/** Whether it is let in only where there is room. */
export const takesSpaceByItself = (command: KvCommand): boolean => {
  switch (command._tag) {
    case "Put":
    case "Merge":
    case "LeaseGrant":
      return true
    case "Txn":
      return [...command.success, ...command.failure].some(putsAnything)
    default:
      return false
  }
}

const putsAnything = (operation: Operation): boolean =>
  operation._tag === "Put" ||
  operation._tag === "Merge" ||
  (operation._tag === "Txn" && [...operation.success, ...operation.failure].some(putsAnything))
