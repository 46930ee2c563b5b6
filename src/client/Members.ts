/** The cluster's members: who they are and how far, as its leader knows it best; and changing them. */
import { Effect } from "effect"
import { type ClientError, ClusterUnavailable } from "./ClientError.ts"
import type { Endpoint } from "./Endpoint.ts"
import { ask, type Cluster } from "./Gateway.ts"
import * as Json from "./GatewayJson.ts"
import { exchange } from "./HttpExchange.ts"
import { judge } from "./Verdict.ts"

export interface Members {
  /** Who told this. */
  readonly from: Endpoint
  readonly cluster: string
  readonly leader: string | undefined
  readonly term: number
  /** Of the entry that says who they are, and whether it is committed. */
  readonly index: number
  readonly committed: boolean
  readonly joint: boolean
  readonly members: ReadonlyArray<Member>
}

export interface Member {
  readonly id: string
  readonly role: string
  readonly promote: boolean
  readonly address: string | undefined
  /** What only the leader knows. */
  readonly progress: Progress | undefined
}

export interface Progress {
  readonly inReach: boolean
  readonly admitted: boolean
  readonly matchIndex: number
  readonly lag: number
  readonly catchUpRound: number | undefined
  readonly caughtUp: boolean
  readonly version: number
}

export type Change =
  | { readonly type: "add"; readonly name: string; readonly address: string | undefined; readonly promote: boolean }
  | { readonly type: "promote" | "demote" | "remove"; readonly name: string }
  | { readonly type: "move"; readonly name: string; readonly address: string }

export interface Strength {
  readonly voters: ReadonlyArray<string>
  readonly learners: ReadonlyArray<string>
  readonly quorum: number
  readonly tolerates: number
  readonly inReach: ReadonlyArray<string>
}

export interface Plan {
  readonly before: Strength
  readonly after: Strength
  readonly refusal: { readonly reason: string; readonly message: string; readonly forcible: boolean } | undefined
}

type Body = NonNullable<ReturnType<typeof Json.parse>>

/** The leader's answer, if one of the endpoints leads; otherwise the first. */
export const membersOf = Effect.fnUntraced(function* (cluster: Cluster): Effect.fn.Return<Members, ClientError> {
  const { endpoints, timeoutMillis } = cluster
  const answers = yield* Effect.forEach(
    endpoints,
    (endpoint) =>
      Effect.map(
        exchange({
          endpoint,
          method: "POST",
          path: "/balsa/v1/members",
          body: "{}",
          connectMillis: timeoutMillis,
          totalMillis: timeoutMillis
        }),
        (answer) => ({ endpoint, verdict: judge(endpoint, answer, false) })
      ),
    { concurrency: "unbounded" }
  )
  const good = answers.flatMap(({ endpoint, verdict }) =>
    verdict._tag === "Done" ? [{ endpoint, body: verdict.body }] : []
  )
  const best =
    good.find(({ body }) => body["role"] === "Leader") ?? good.find(({ body }) => body["outside"] !== true) ?? good[0]
  if (best !== undefined) return decodeMembers(best.endpoint, best.body)
  for (const { verdict } of answers) if (verdict._tag === "Stop") return yield* verdict.error
  const attempts = answers.flatMap(({ verdict }) => (verdict._tag === "GoOn" ? [verdict.attempt] : []))
  return yield* new ClusterUnavailable({ write: false, attempts })
})

export const amend = (
  cluster: Cluster,
  changes: ReadonlyArray<Change>,
  force: boolean
): Effect.Effect<Members, ClientError> =>
  Effect.map(ask(cluster, { path: "/balsa/v1/members/amend", body: { changes, force }, write: true }), ({ body }) =>
    decodeMembers(cluster.endpoints[0]!, body)
  )

/** Only the leader can tell, so the endpoints are asked until one is. */
export const plan = (cluster: Cluster, changes: ReadonlyArray<Change>): Effect.Effect<Plan, ClientError> =>
  Effect.map(ask(cluster, { path: "/balsa/v1/members/plan", body: { changes }, write: false }), ({ body }) => {
    const refusal = Json.isJson(body["refusal"]) ? body["refusal"] : undefined
    return {
      before: decodeStrength(body["before"]),
      after: decodeStrength(body["after"]),
      refusal: refusal && {
        reason: Json.text(refusal["reason"], ""),
        message: Json.text(refusal["message"], ""),
        forcible: refusal["forcible"] === true
      }
    }
  })

/** Gives who leads then. */
export const transfer = (cluster: Cluster, to: string | undefined): Effect.Effect<string, ClientError> =>
  Effect.map(
    ask(cluster, {
      path: "/v3/maintenance/transfer-leadership",
      body: to === undefined ? {} : { name: to },
      write: true
    }),
    ({ body }) => (Json.isJson(body["balsa"]) ? Json.text(body["balsa"]["leader"], "?") : "?")
  )

const decodeMembers = (from: Endpoint, body: Body): Members => {
  const configuration = Json.isJson(body["configuration"]) ? body["configuration"] : {}
  const members = Array.isArray(body["members"]) ? body["members"].filter(Json.isJson) : []
  return {
    from,
    cluster: Json.text(body["cluster"], "?"),
    leader: optionalText(body["leader"]),
    term: Json.integer(body["term"]),
    index: Json.integer(configuration["index"]),
    committed: configuration["committed"] === true,
    joint: configuration["joint"] === true,
    members: members.map(decodeMember)
  }
}

const decodeMember = (body: Body): Member => {
  const progress = Json.isJson(body["progress"]) ? body["progress"] : undefined
  return {
    id: Json.text(body["id"], "?"),
    role: Json.text(body["role"], "?"),
    promote: body["promote"] === true,
    address: optionalText(body["address"]),
    progress: progress && {
      inReach: progress["inReach"] === true,
      admitted: progress["admitted"] === true,
      matchIndex: Json.integer(progress["matchIndex"]),
      lag: Json.integer(progress["lag"]),
      catchUpRound: typeof progress["catchUpRound"] === "number" ? progress["catchUpRound"] : undefined,
      caughtUp: progress["caughtUp"] === true,
      version: Json.integer(progress["version"])
    }
  }
}

const optionalText = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const decodeStrength = (value: unknown): Strength => {
  const body = Json.isJson(value) ? value : {}
  const names = (name: string): ReadonlyArray<string> => (Array.isArray(body[name]) ? body[name].map(String) : [])
  return {
    voters: names("voters"),
    learners: names("learners"),
    quorum: Json.integer(body["quorum"]),
    tolerates: Json.integer(body["tolerates"]),
    inReach: names("inReach")
  }
}
