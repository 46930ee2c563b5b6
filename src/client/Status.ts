/**
 * What each endpoint says of itself. Nobody is asked on another's behalf: an endpoint that
 * does not answer is a result too, and its reason is part of it.
 */
import { Effect } from "effect"
import { type Endpoint, show } from "./Endpoint.ts"
import type { Cluster } from "./Gateway.ts"
import * as Json from "./GatewayJson.ts"
import { exchange } from "./HttpExchange.ts"

export type EndpointStatus =
  | {
      readonly _tag: "Reachable"
      readonly endpoint: Endpoint
      readonly id: string
      /** Made from the cluster's name. */
      readonly clusterId: string
      readonly role: "leader" | "follower" | "learner"
      readonly term: number
      /** The leader that it knows of. */
      readonly leader: string | undefined
      readonly revision: number
      readonly commitIndex: number
      readonly lastApplied: number
      /** How many committed entries the furthest replica knows of that this one has not applied. */
      readonly lag: number
      /** What is not as it should be, in words; empty where all is well. */
      readonly problems: ReadonlyArray<string>
      /** The latest snapshot on its disk. */
      readonly snapshot: { readonly index: number; readonly bytes: number } | undefined
      /** The log that is kept; `undefined` where a server does not tell. */
      readonly log: { readonly firstIndex: number; readonly bytes: number } | undefined
    }
  | {
      readonly _tag: "Unreachable"
      readonly endpoint: Endpoint
      /** When another replica knows who should answer there. */
      readonly id: string | undefined
      readonly reason: string
    }

type Body = NonNullable<ReturnType<typeof Json.parse>>

interface Answer {
  readonly endpoint: Endpoint
  readonly status: Body | string
  readonly members: ReadonlyArray<Body>
}

export const statusOf = (cluster: Cluster): Effect.Effect<ReadonlyArray<EndpointStatus>> =>
  Effect.map(
    Effect.forEach(cluster.endpoints, (endpoint) => askOne(endpoint, cluster.timeoutMillis), {
      concurrency: "unbounded"
    }),
    interpret
  )

const askOne = (endpoint: Endpoint, timeoutMillis: number): Effect.Effect<Answer> =>
  Effect.map(
    Effect.all(
      [
        post(endpoint, "/v3/maintenance/status", timeoutMillis),
        post(endpoint, "/v3/cluster/member/list", timeoutMillis)
      ],
      { concurrency: 2 }
    ),
    ([status, list]) => {
      const members = typeof list === "object" && Array.isArray(list["members"]) ? list["members"] : []
      return { endpoint, status, members: members.filter(Json.isJson) }
    }
  )

const post = (endpoint: Endpoint, path: string, timeoutMillis: number): Effect.Effect<Body | string> =>
  Effect.map(
    exchange({
      endpoint,
      method: "POST",
      path,
      body: "{}",
      connectMillis: timeoutMillis,
      totalMillis: timeoutMillis
    }),
    (answer) => {
      if (answer._tag !== "Answered") return answer.reason
      const body = answer.status === 200 ? Json.parse(answer.body) : undefined
      return body ?? `HTTP status ${answer.status}, and not a status`
    }
  )

const interpret = (answers: ReadonlyArray<Answer>): ReadonlyArray<EndpointStatus> => {
  const members = answers.flatMap((answer) => answer.members)
  const name = (memberId: string): string => {
    const found = members.find((member) => String(member["ID"]) === memberId)
    return typeof found?.["name"] === "string" ? found["name"] : memberId
  }
  const furthest = Math.max(
    0,
    ...answers.map(({ status }) => (typeof status === "string" ? 0 : Json.integer(status["raftIndex"])))
  )
  return answers.map(({ endpoint, status }): EndpointStatus => {
    if (typeof status === "string") {
      return { _tag: "Unreachable", endpoint, id: nameAt(members, endpoint), reason: status }
    }
    const header = Json.isJson(status["header"]) ? status["header"] : {}
    const memberId = Json.text(header["member_id"], "")
    // Zero is left out, and means that it knows of none.
    const leaderId = Json.text(status["leader"], "0")
    const lastApplied = Json.integer(status["raftAppliedIndex"])
    const own = Json.isJson(status["balsa"]) ? status["balsa"] : {}
    return {
      _tag: "Reachable",
      endpoint,
      id: Json.text(own["id"], name(memberId)),
      clusterId: Json.text(header["cluster_id"], ""),
      role: leaderId === memberId ? "leader" : own["member"] === "learner" ? "learner" : "follower",
      term: Json.integer(status["raftTerm"] ?? header["raft_term"]),
      leader: leaderId === "0" ? undefined : name(leaderId),
      revision: Json.revisionOf(status),
      commitIndex: Json.integer(status["raftIndex"]),
      lastApplied,
      lag: furthest - lastApplied,
      problems: problemsIn(own),
      snapshot: Json.isJson(own["snapshot"])
        ? { index: Json.integer(own["snapshot"]["index"]), bytes: Json.integer(own["snapshot"]["bytes"]) }
        : undefined,
      log: Json.isJson(own["log"])
        ? { firstIndex: Json.integer(own["log"]["firstIndex"]), bytes: Json.integer(own["log"]["bytes"]) }
        : undefined
    }
  })
}

/** The gravest first. A server that tells none of this has none of it. */
const problemsIn = (own: Body): ReadonlyArray<string> => {
  const { admitted, diskFull } = own
  const numberAt = (name: string): number | undefined => (own[name] === undefined ? undefined : Json.integer(own[name]))
  const divergedAt = numberAt("divergedAt")
  const receivingPercent = numberAt("receivingPercent")
  return [
    ...(divergedAt === undefined ? [] : [`differs from the others since entry ${divergedAt}, serves nobody`]),
    ...(own["outside"] === true ? ["no member of the cluster, serves nobody"] : []),
    ...(own["outdatedBy"] === undefined
      ? []
      : [`does not understand version ${Json.integer(own["outdatedBy"])}, serves nobody`]),
    ...(own["joint"] === true ? ["its voters are changing"] : []),
    ...(own["member"] === "leaving" ? ["votes until the change is done"] : []),
    ...(typeof own["handingOverTo"] === "string" ? [`hands over to ${own["handingOverTo"]}`] : []),
    ...(diskFull === true ? ["disk full, takes no writes"] : []),
    ...(admitted === false ? ["not admitted, does not vote"] : []),
    ...(receivingPercent === undefined ? [] : [`receiving a snapshot: ${receivingPercent} %`])
  ]
}

const nameAt = (members: ReadonlyArray<Body>, endpoint: Endpoint): string | undefined => {
  const address = show(endpoint)
  const found = members.find(
    (member) =>
      Array.isArray(member["clientURLs"]) &&
      member["clientURLs"].some(
        (url) =>
          String(url)
            .replace(/^https?:\/\//, "")
            .replace(/\/$/, "") === address
      )
  )
  return typeof found?.["name"] === "string" ? found["name"] : undefined
}

/**
 * The leader, if a majority of those who were asked follow one: a leader that was cut off may go
 * on believing in itself for a while, with a lower term.
 */
export const leaderOf = (statuses: ReadonlyArray<EndpointStatus>): { id: string; term: number } | undefined => {
  for (const status of statuses) {
    if (status._tag === "Unreachable" || status.role !== "leader") continue
    const followers = statuses.filter(
      (other) => other._tag === "Reachable" && other.leader === status.id && other.term === status.term
    )
    if (followers.length * 2 > statuses.length) return { id: status.id, term: status.term }
  }
  return undefined
}
