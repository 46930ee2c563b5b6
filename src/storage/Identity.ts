/**
 * Whose directory this is: the file `identity`, one line of JSON. It keeps a replica from
 * starting on another's promises (its votes) or among other voters than it counted its
 * majorities with, and numbers the starts.
 *
 * Incarnation 0 means that the directory was being set up when a crash came: the log may not
 * exist yet. From 1 on it must.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { crc32 } from "node:zlib"
import { ReplicaId } from "../raft/LogEntry.ts"
import { codeOf, corrupt, newerFormat } from "./DiskError.ts"
import * as DurableFile from "./DurableFile.ts"
import * as JsonLine from "./JsonLine.ts"
import { StorageError } from "./Storage.ts"

export interface Owner {
  readonly cluster: string
  readonly replica: ReplicaId
  /** Sorted, this replica included. */
  readonly voters: ReadonlyArray<ReplicaId>
}

export interface Identity extends Owner {
  readonly incarnation: number
}

const year2026 = Date.UTC(2026, 0)

/**
 * The number of the next start: above that of the last one, and about the milliseconds since
 * 2026 began. So a replica whose directory was lost does not use a number again, as long as
 * its clock is not behind what it was: requests of its former life may still be in logs.
 */
export const nextIncarnation = (found: Identity, wallMillis: number): number =>
  Math.max(found.incarnation + 1, Math.floor(wallMillis) - year2026)

export const formatVersion = 1
export const fileName = "identity"

/** `undefined` when there is no such file. Throws `StorageError` when it cannot be trusted. */
export const read = async (directory: string): Promise<Identity | undefined> => {
  const file = path.join(directory, fileName)
  const text = await fs.readFile(file, "utf8").catch((error) => {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  })
  return text === undefined ? undefined : decode(file, text)
}

export const write = async (
  directory: string,
  identity: Identity,
  names: DurableFile.Names = DurableFile.realNames
): Promise<void> => {
  const file = await DurableFile.create(directory, fileName, (handle) => handle.writeFile(encode(identity)), names)
  await file.close()
}

/** Throws `StorageError` when the directory is not this replica's. */
export const check = (directory: string, found: Identity, { cluster, replica, voters }: Owner): void => {
  if (found.cluster !== cluster) {
    throw new StorageError({
      reason: "WrongCluster",
      message: `${directory} belongs to cluster "${found.cluster}", and this replica is of cluster "${cluster}". Choose the data directory of this cluster, or an empty one.`
    })
  }
  if (found.replica !== replica) {
    throw new StorageError({
      reason: "WrongReplica",
      message: `${directory} belongs to replica "${found.replica}", and this is replica "${replica}". Two replicas never share a directory: choose this replica's own, or an empty one.`
    })
  }
  if (found.voters.join() !== voters.join()) {
    throw new StorageError({
      reason: "WrongCluster",
      message: `${directory} belongs to a cluster of ${found.voters.join(", ")}, and this replica was started in one of ${voters.join(", ")}. Members cannot be changed yet: start it with the same --peers as before, or choose an empty data directory.`
    })
  }
}

const checksumOf = ({ cluster, replica, voters, incarnation }: Identity): number =>
  crc32(JSON.stringify([formatVersion, cluster, replica, voters, incarnation]))

const encode = (identity: Identity): string => {
  const { cluster, replica, voters, incarnation } = identity
  const checksum = checksumOf(identity)
  return `${JSON.stringify({ format: formatVersion, cluster, replica, voters, incarnation, checksum })}\n`
}

const decode = (file: string, text: string): Identity => {
  const found = JsonLine.parse(text)
  const { format, cluster, replica, voters, incarnation, checksum } = found ?? {}
  if (typeof format === "number" && format > formatVersion) throw newerFormat(file, format, formatVersion)
  if (format === formatVersion && typeof cluster === "string" && typeof replica === "string") {
    if (typeof incarnation === "number" && Number.isSafeInteger(incarnation) && incarnation >= 0) {
      const names = Array.isArray(voters) ? voters.map((voter) => ReplicaId(String(voter))) : []
      const identity: Identity = { cluster, replica: ReplicaId(replica), voters: names, incarnation }
      if (checksum === checksumOf(identity)) return identity
    }
  }
  throw corrupt(file, 0, "it is not the identity that Balsa wrote, or was edited since")
}
