/**
 * What etcd tells of itself: `/version`, the status of the replica that is asked, and the list
 * of members. Other than everywhere else, names of fields are in camelCase here, as in etcd.
 */
import { Effect } from "effect"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { ReplicaStatus } from "../runtime/ReplicaStatus.ts"
import * as GatewayJson from "./GatewayJson.ts"
import { alarmsOf, smallestQuery } from "./Health.ts"
import { memberIdOf } from "./Ids.ts"
import type { KvReplica } from "./KvReplica.ts"

/** The version of etcd whose gateway this one resembles. Clients choose their paths and features by it. */
export const etcdVersion = "3.4.0"

export interface Member {
  readonly name: ReplicaId
  /** Addresses such as `http://127.0.0.1:7501`. */
  readonly peerUrls: ReadonlyArray<string>
  readonly clientUrls: ReadonlyArray<string>
  readonly isLearner?: boolean
}

export const version = (balsaVersion: string | undefined): string =>
  JSON.stringify({ etcdserver: etcdVersion, etcdcluster: etcdVersion, balsa: balsaVersion })

export interface StoreSize {
  /** What keys and values take, with the history of them. */
  readonly bytes: number
  readonly liveBytes: number
  readonly quotaUsedUp: boolean
}

/** etcd's fields, and what only Balsa has in one of its own. */
export const status = (
  replica: KvReplica,
  cluster: string,
  { bytes, liveBytes, quotaUsedUp }: StoreSize,
  headerAt: (revision: number) => GatewayJson.Header
): Effect.Effect<string> =>
  replica.queryLocal(smallestQuery).pipe(
    Effect.match({ onSuccess: ({ revision }) => revision, onFailure: () => 0 }),
    Effect.map((revision) => {
      const own = replica.status()
      const { id, leader, term, commitIndex, lastApplied } = own
      const leaderId = leader === undefined ? "" : `,"leader":"${memberIdOf(cluster, leader)}"`
      const memberId = memberIdOf(cluster, id)
      const isLearner = replica.members().members.some((member) => member.id === id && member.role === "learner")
      const errors = [
        ...(leader === undefined ? ["etcdserver: no leader"] : []),
        ...alarmsOf(own, quotaUsedUp).map((alarm) => `memberID:${memberId} alarm:${alarm}`)
      ]
      return [
        `${GatewayJson.openWithHeader(headerAt(revision))},"version":"${etcdVersion}"`,
        GatewayJson.int64Field("dbSize", bytes),
        leaderId,
        GatewayJson.int64Field("raftIndex", commitIndex),
        GatewayJson.int64Field("raftTerm", term),
        GatewayJson.int64Field("raftAppliedIndex", lastApplied),
        errors.length === 0 ? "" : `,"errors":${JSON.stringify(errors)}`,
        GatewayJson.int64Field("dbSizeInUse", liveBytes),
        isLearner ? `,"isLearner":true` : "",
        `,"balsa":${JSON.stringify({ ...ownFields(own), ...membershipOf(replica) })}`,
        "}"
      ].join("")
    })
  )

/** Whether it votes, and whether that changes just now. */
const membershipOf = (replica: KvReplica) => {
  const { joint, members } = replica.members()
  return { joint, member: members.find(({ id }) => id === replica.status().id)?.role }
}

/** Indexes and bytes are numbers here: they are far from what a JavaScript number holds. */
const ownFields = ({
  id,
  admitted,
  divergedAt,
  diskFull,
  snapshot,
  log,
  receivingPercent,
  outside,
  outdatedBy,
  handingOverTo
}: ReplicaStatus) => ({
  id,
  outside,
  outdatedBy,
  handingOverTo,
  admitted,
  divergedAt,
  diskFull,
  snapshot,
  log,
  receivingPercent
})

export const memberList = (members: ReadonlyArray<Member>, cluster: string, header: GatewayJson.Header): string => {
  const list = members.map((member) => memberJson(member, cluster))
  const open = GatewayJson.openWithHeader({ ...header, revision: 0 })
  return list.length === 0 ? `${open}}` : `${open},"members":${JSON.stringify(list)}}`
}

/** As etcd answers to an addition: the new one by itself, and all of them. */
export const memberAdded = (
  members: ReadonlyArray<Member>,
  added: ReplicaId,
  cluster: string,
  header: GatewayJson.Header
): string => {
  const list = members.map((member) => memberJson(member, cluster))
  const member = list.find(({ name }) => name === added) ?? { ID: memberIdOf(cluster, added), name: added }
  const open = GatewayJson.openWithHeader({ ...header, revision: 0 })
  return `${open},"member":${JSON.stringify(member)},"members":${JSON.stringify(list)}}`
}

const memberJson = ({ name, peerUrls, clientUrls, isLearner }: Member, cluster: string) => ({
  ID: memberIdOf(cluster, name),
  name,
  ...(peerUrls.length === 0 ? {} : { peerURLs: peerUrls }),
  ...(clientUrls.length === 0 ? {} : { clientURLs: clientUrls }),
  ...(isLearner === true ? { isLearner: true } : {})
})
