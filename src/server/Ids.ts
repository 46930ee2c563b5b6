/**
 * etcd names clusters and members by unsigned 64-bit numbers; Balsa by words. A number is the
 * first eight bytes of a hash of the word, so every replica tells the same one without asking
 * anybody. Written in decimal, because such numbers exceed what a JavaScript number holds.
 */
import { createHash } from "node:crypto"
import type { ReplicaId } from "../raft/LogEntry.ts"

export const clusterIdOf = (cluster: string): string => hash(`cluster/${cluster}`)

/** The cluster is part of it: equal names in two clusters are two members. */
export const memberIdOf = (cluster: string, replica: ReplicaId): string => hash(`member/${cluster}/${replica}`)

const hash = (text: string): string => createHash("sha256").update(text).digest().readBigUInt64BE(0).toString()
