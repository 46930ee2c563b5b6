/**
 * Is it well? `/health` asks as etcd does, with a linearizable read: false while the cluster
 * cannot answer, or while its disk is full or its state differs, which etcd calls alarms. `/livez` and `/readyz` are for Kubernetes: a replica that has lost its majority
 * is not ready, but alive, since restarting it would help nobody.
 */
import { Effect } from "effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { KvQuery } from "../kv/KvQuery.ts"
import { outdatedMessage, outsideMessage } from "../runtime/Refusals.ts"
import type { ReplicaStatus } from "../runtime/ReplicaStatus.ts"
import { json } from "./GatewayResponse.ts"
import type { KvReplica } from "./KvReplica.ts"

/** How long `/health` waits for its read. etcd waits as long. */
export const defaultHealthTimeoutMillis = 1_000

/** Reads nothing; its answer tells the revision. */
export const smallestQuery: KvQuery = {
  _tag: "Range",
  key: "\0",
  rangeEnd: undefined,
  limit: 1,
  revision: 0,
  keysOnly: true,
  countOnly: true
}

/** What etcd would raise an alarm for: by its name there. They are not kept: what is so raises them, and clears them. */
export type Alarm = "NOSPACE" | "CORRUPT"

export const alarmsOf = ({ diskFull, divergedAt }: ReplicaStatus, quotaUsedUp: boolean): ReadonlyArray<Alarm> => [
  ...(diskFull || quotaUsedUp ? (["NOSPACE"] as const) : []),
  ...(divergedAt === undefined ? [] : (["CORRUPT"] as const))
]

export interface HealthOptions {
  readonly timeoutMillis: number
  /** Alarms that are not to count, as etcd's `/health?exclude=NOSPACE`. */
  readonly exclude: ReadonlyArray<string>
  readonly quotaUsedUp: boolean
}

export const health = (
  replica: KvReplica,
  { timeoutMillis, exclude, quotaUsedUp }: HealthOptions
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.suspend(() => {
    const alarm = alarmsOf(replica.status(), quotaUsedUp).find((name) => !exclude.includes(name))
    if (alarm !== undefined) return Effect.succeed(unhealthy(`ALARM ${alarm}`))
    return replica.query(smallestQuery).pipe(
      Effect.timeoutOrElse({
        duration: timeoutMillis,
        orElse: () => Effect.fail({ message: `a linearizable read took longer than ${timeoutMillis} ms` })
      }),
      Effect.match({
        onSuccess: () => json(`{"health":"true"}`),
        onFailure: ({ message }) => unhealthy(message)
      })
    )
  })

const unhealthy = (reason: string): HttpServerResponse.HttpServerResponse =>
  json(JSON.stringify({ health: "false", reason }), 503)

export interface Check {
  readonly name: string
  /** `undefined` is well. */
  readonly problem: string | undefined
}

/** Never depends on the other replicas. Refusing to answer is an answer: restarting would not help. */
export const live = (replica: KvReplica): Effect.Effect<ReadonlyArray<Check>> =>
  Effect.as(Effect.ignore(replica.queryLocal(smallestQuery)), [{ name: "local_read", problem: undefined }])

/** A replica that has more than this to apply, as after a restart, sends its clients away for a while. */
const readyWithinEntries = 10_000

export const ready = (replica: KvReplica): Effect.Effect<ReadonlyArray<Check>> =>
  Effect.map(live(replica), (checks) => {
    const status = replica.status()
    return [
      ...checks,
      { name: "data_corruption", problem: describeDivergence(status) },
      { name: "disk", problem: status.diskStuck ? "it is full, and a write waits for room" : undefined },
      { name: "admitted", problem: describeAdmission(status) },
      { name: "member", problem: status.outside ? outsideMessage : undefined },
      { name: "version", problem: status.outdatedBy === undefined ? undefined : outdatedMessage },
      { name: "leader", problem: status.leader === undefined ? "no leader is known" : undefined },
      { name: "quorum", problem: status.available ? undefined : "no majority is in reach" },
      { name: "applied", problem: describeLag(status) }
    ]
  })

const describeDivergence = ({ divergedAt }: ReplicaStatus): string | undefined =>
  divergedAt === undefined
    ? undefined
    : `this replica differs from the others since entry ${divergedAt} at the latest; the server's log says what to do`

const describeAdmission = ({ admitted, receivingPercent }: ReplicaStatus): string | undefined => {
  if (admitted) return undefined
  const how = receivingPercent === undefined ? "" : `; ${receivingPercent} % of the leader's snapshot has arrived`
  return `its disk was empty, or did not hold all that it had promised, and it has not caught up yet${how}`
}

const describeLag = ({ commitIndex, lastApplied }: ReplicaStatus): string | undefined =>
  commitIndex - lastApplied > readyWithinEntries ? `${lastApplied} of ${commitIndex} entries are applied` : undefined

/** As Kubernetes prints them: a failure always lists the checks, a success when asked `?verbose`. */
export const report = (
  probe: "livez" | "readyz",
  checks: ReadonlyArray<Check>,
  verbose: boolean
): HttpServerResponse.HttpServerResponse => {
  const passed = checks.every(({ problem }) => problem === undefined)
  if (passed && !verbose) return HttpServerResponse.text("ok\n")
  const lines = checks.map(({ name, problem }) =>
    problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`
  )
  return HttpServerResponse.text([...lines, `${probe} check ${passed ? "passed" : "failed"}`, ""].join("\n"), {
    status: passed ? 200 : 503
  })
}
