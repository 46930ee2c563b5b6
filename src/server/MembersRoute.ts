/**
 * The cluster's members over HTTP: etcd's requests, and Balsa's own where etcd has none (several changes
 * in one step, what a change would come to, how far each member is). A replica is asked who it is before it
 * is added: a mistyped address would otherwise cost the cluster a vote that nobody can give.
 */
import { Effect } from "effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { MemberChange } from "../raft/Amendment.ts"
import { ReplicaId } from "../raft/LogEntry.ts"
import type { MembersAmendment, Plan } from "../runtime/Amendments.ts"
import type { RequestError } from "../runtime/RequestError.ts"
import * as GatewayError from "./GatewayError.ts"
import * as GatewayJson from "./GatewayJson.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import { smallestQuery } from "./Health.ts"
import { memberIdOf } from "./Ids.ts"
import type { KvReplica } from "./KvReplica.ts"
import * as MemberRequest from "./MemberRequest.ts"
import type { JsonObject } from "./RequestFields.ts"
import * as Status from "./Status.ts"

export interface Founding {
  /** With whom the cluster began, and which recovery it stems from: what one that joins has to know to be of it. */
  readonly voters: ReadonlyArray<ReplicaId>
  readonly recovery: string | undefined
}

export interface MembersRouteOptions {
  readonly replica: KvReplica
  readonly cluster: string
  readonly founding: Founding
  readonly members: () => ReadonlyArray<Status.Member>
  /** Why the replica cannot be reached at the address, in words; `undefined` if it is there, and of this cluster. */
  readonly probe: (id: ReplicaId, address: string) => Effect.Effect<string | undefined>
  readonly headerAt: (revision: number) => GatewayJson.Header
}

type Response = HttpServerResponse.HttpServerResponse
type Operation = (object: JsonObject) => Effect.Effect<Response>

export const make = (options: MembersRouteOptions): { readonly [path: string]: Operation } => {
  const { replica, cluster, members, headerAt, probe } = options
  const list = (): Response => GatewayResponse.json(Status.memberList(members(), cluster, headerAt(0)))

  const nameOf = (member: MemberRequest.Named): ReplicaId | GatewayError.GatewayError => {
    if (member.name !== "") return ReplicaId(member.name)
    return members().find(({ name }) => memberIdOf(cluster, name) === member.id)?.name ?? GatewayError.memberNotFound
  }

  /** What stands against it before anybody is asked. */
  const problemWith = Effect.fnUntraced(function* ({ changes, force }: MembersAmendment) {
    for (const change of changes) {
      if (change._tag !== "Add" && change._tag !== "Move") continue
      const { id, address } = change
      if (address === undefined) continue
      const known = replica.members().members
      if (known.some((member) => member.id !== id && member.address === address))
        return GatewayError.peerUrlExists(address)
      const before = known.find((member) => member.id === id)
      if (change._tag === "Add" && before?.address !== undefined) {
        if (before.address !== address) return GatewayError.memberExists(id, before.address)
        continue
      }
      const why = force ? undefined : yield* probe(id, address)
      if (why !== undefined) return GatewayError.memberUnreachable(id, why)
    }
    return undefined
  })

  const amend = Effect.fnUntraced(function* (amendment: MembersAmendment, answer: () => Response) {
    const problem = yield* problemWith(amendment)
    if (problem !== undefined) return GatewayResponse.ofError(problem)
    return yield* Effect.match(replica.amend(amendment), { onSuccess: answer, onFailure: ofError })
  })

  const one = (change: MemberChange, force = false): MembersAmendment => ({
    _tag: "Members",
    changes: [change],
    autoLeave: true,
    force
  })

  const onNamed =
    (change: (id: ReplicaId) => MemberChange): Operation =>
    (object) => {
      const request = MemberRequest.named(object)
      if (GatewayError.isGatewayError(request)) return Effect.succeed(GatewayResponse.ofError(request))
      const id = nameOf(request)
      if (typeof id !== "string") return Effect.succeed(GatewayResponse.ofError(id))
      // etcd tells of a member that is not there; asking twice to remove one is no error to Balsa's own clients.
      if (!members().some(({ name }) => name === id)) {
        return Effect.succeed(GatewayResponse.ofError(GatewayError.memberNotFound))
      }
      return amend(one(change(id), request.force), list)
    }

  const whole = (): Response => GatewayResponse.json(JSON.stringify(describe(options)))

  /** A replica that has been away does not know that members have changed; having read through the leader it does. */
  const confirmed =
    (answer: () => Response): Operation =>
    (object) =>
      object["linearizable"] === true
        ? Effect.match(replica.query(smallestQuery), { onSuccess: answer, onFailure: ofError })
        : Effect.sync(answer)

  return {
    "/v3/cluster/member/list": confirmed(list),
    "/v3/cluster/member/add": (object) => {
      const request = MemberRequest.add(object)
      if (GatewayError.isGatewayError(request)) return Effect.succeed(GatewayResponse.ofError(request))
      const { id, address, isLearner, force } = request
      return amend(one({ _tag: "Add", id, address, promote: !isLearner }, force), () =>
        GatewayResponse.json(Status.memberAdded(members(), id, cluster, headerAt(0)))
      )
    },
    "/v3/cluster/member/remove": onNamed((id) => ({ _tag: "Remove", id })),
    "/v3/cluster/member/promote": onNamed((id) => ({ _tag: "Promote", id })),
    "/v3/cluster/member/update": (object) => {
      const address = MemberRequest.addressOf(object)
      if (GatewayError.isGatewayError(address)) return Effect.succeed(GatewayResponse.ofError(address))
      return onNamed((id) => ({ _tag: "Move", id, address: address.address }))(object)
    },
    "/v3/maintenance/transfer-leadership": (object) => {
      const target = MemberRequest.transferee(object)
      if (GatewayError.isGatewayError(target)) return Effect.succeed(GatewayResponse.ofError(target))
      const id = target.name === "" && target.id === "" ? undefined : nameOf(target)
      if (typeof id === "object") return Effect.succeed(GatewayResponse.ofError(GatewayError.badTransferee()))
      return Effect.match(replica.transferLeadership(id), {
        onSuccess: (leader) =>
          GatewayResponse.json(
            `${GatewayJson.openWithHeader(headerAt(0))},"balsa":${JSON.stringify({ leader, ID: memberIdOf(cluster, leader) })}}`
          ),
        onFailure: ofError
      })
    },
    "/balsa/v1/members": confirmed(whole),
    "/balsa/v1/members/amend": (object) => {
      const amendment = MemberRequest.changes(object)
      if (GatewayError.isGatewayError(amendment)) return Effect.succeed(GatewayResponse.ofError(amendment))
      return amend(amendment, whole)
    },
    "/balsa/v1/members/plan": (object) => {
      const amendment = MemberRequest.changes(object)
      if (GatewayError.isGatewayError(amendment)) return Effect.succeed(GatewayResponse.ofError(amendment))
      return Effect.match(replica.plan(amendment), {
        onSuccess: (plan: Plan) => GatewayResponse.json(JSON.stringify(plan)),
        onFailure: ofError
      })
    }
  }
}

const ofError = (error: RequestError): Response => GatewayResponse.ofError(GatewayError.ofRequestError(error))

/** Indexes are numbers here: they are far from what a JavaScript number holds. */
const describe = ({ replica, cluster, founding }: MembersRouteOptions) => {
  const { id, leader, term, role, outside, handingOverTo } = replica.status()
  const { members, ...configuration } = replica.members()
  return {
    cluster,
    founders: founding.voters,
    recovery: founding.recovery ?? null,
    id,
    role,
    leader: leader ?? null,
    term,
    outside,
    handingOverTo: handingOverTo ?? null,
    configuration,
    members: members.map((member) => ({
      ID: memberIdOf(cluster, member.id),
      ...member,
      address: member.address ?? null,
      progress: member.progress ?? null
    }))
  }
}
