/**
 * Is it well? `/health` asks as etcd does, with a linearizable read: false while the cluster
 * cannot answer. `/livez` and `/readyz` are for Kubernetes: a replica that has lost its majority
 * is not ready, but alive, since restarting it would help nobody.
 */
import { Effect } from "effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { KvQuery } from "../kv/KvQuery.ts"
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

export const health = (
  replica: KvReplica,
  timeoutMillis: number
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  replica.query(smallestQuery).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => Effect.fail({ message: `a linearizable read took longer than ${timeoutMillis} ms` })
    }),
    Effect.match({
      onSuccess: () => json(`{"health":"true"}`),
      onFailure: ({ message }) => json(JSON.stringify({ health: "false", reason: message }), 503)
    })
  )

export interface Check {
  readonly name: string
  /** `undefined` is well. */
  readonly problem: string | undefined
}

/** Never depends on the other replicas. */
export const live = (replica: KvReplica): ReadonlyArray<Check> => {
  replica.queryLocal(smallestQuery)
  return [{ name: "local_read", problem: undefined }]
}

/** A replica that has more than this to apply, as after a restart, sends its clients away for a while. */
const readyWithinEntries = 10_000

export const ready = (replica: KvReplica): ReadonlyArray<Check> => {
  const { leader, available, commitIndex, lastApplied } = replica.status()
  return [
    ...live(replica),
    { name: "leader", problem: leader === undefined ? "no leader is known" : undefined },
    { name: "quorum", problem: available ? undefined : "no majority is in reach" },
    {
      name: "applied",
      problem:
        commitIndex - lastApplied > readyWithinEntries
          ? `${lastApplied} of ${commitIndex} entries are applied`
          : undefined
    }
  ]
}

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
