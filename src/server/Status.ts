/**
 * What etcd tells of itself: `/version`, the status of the replica that is asked, and the list
 * of members. Other than everywhere else, names of fields are in camelCase here, as in etcd.
 */
import type { ReplicaId } from "../raft/LogEntry.ts"
import * as GatewayJson from "./GatewayJson.ts"
import { smallestQuery } from "./Health.ts"
import { memberIdOf } from "./Ids.ts"
import type { KvReplica } from "./KvReplica.ts"

/** The version of etcd whose gateway this one resembles. Clients choose their paths and features by it. */
export const etcdVersion = "3.4.0"

export interface Member {
  readonly name: ReplicaId
  /** Addresses such as `http://127.0.0.1:7501`. */
  readonly peerUrls: ReadonlyArray<string>
  readonly clientUrls: ReadonlyArray<string>
}

export const version = (balsaVersion: string | undefined): string =>
  JSON.stringify({ etcdserver: etcdVersion, etcdcluster: etcdVersion, balsa: balsaVersion })

export const status = (
  replica: KvReplica,
  cluster: string,
  dbSizeBytes: number,
  headerAt: (revision: number) => GatewayJson.Header
): string => {
  const { leader, term, commitIndex, lastApplied } = replica.status()
  const head = GatewayJson.openWithHeader(headerAt(replica.queryLocal(smallestQuery).revision))
  const leaderId = leader === undefined ? "" : `,"leader":"${memberIdOf(cluster, leader)}"`
  const errors = leader === undefined ? `,"errors":["etcdserver: no leader"]` : ""
  return [
    `${head},"version":"${etcdVersion}"`,
    GatewayJson.int64Field("dbSize", dbSizeBytes),
    leaderId,
    GatewayJson.int64Field("raftIndex", commitIndex),
    GatewayJson.int64Field("raftTerm", term),
    GatewayJson.int64Field("raftAppliedIndex", lastApplied),
    errors,
    GatewayJson.int64Field("dbSizeInUse", dbSizeBytes),
    "}"
  ].join("")
}

export const memberList = (members: ReadonlyArray<Member>, cluster: string, header: GatewayJson.Header): string => {
  const list = members.map(({ name, peerUrls, clientUrls }) => ({
    ID: memberIdOf(cluster, name),
    name,
    ...(peerUrls.length === 0 ? {} : { peerURLs: peerUrls }),
    ...(clientUrls.length === 0 ? {} : { clientURLs: clientUrls })
  }))
  const open = GatewayJson.openWithHeader({ ...header, revision: 0 })
  return list.length === 0 ? `${open}}` : `${open},"members":${JSON.stringify(list)}}`
}
