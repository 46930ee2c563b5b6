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
  /** With whom the cluster began, sorted: replicas of other founders are of another cluster. */
  readonly voters: ReadonlyArray<ReplicaId>
  /** It was added to a cluster that there was: it need not be one of `voters`, and begins no cluster. */
  readonly joined?: Joined | undefined
  /** Which cluster it is that somebody forced on from what was left of an earlier one; see Forcing. */
  readonly recovery?: string | undefined
}

/** Where one that joined listens unless it is told otherwise: another start may not find out the same again. */
export interface Joined {
  readonly client: string
  readonly peer: string
}

export interface Identity extends Owner {
  readonly incarnation: number
}

/**
 * The cluster's name between replicas. Who counted other majorities from the beginning is of another cluster, and so is
 * whoever was given up when this one was forced on.
 */
export const clusterBetweenReplicas = ({ cluster, voters, recovery }: Owner): string =>
  `${cluster} (${voters.join(", ")})${recovery === undefined ? "" : `, forced on as ${recovery}`}`

const year2026 = Date.UTC(2026, 0)

/**
 * The number of the next start: above that of the last one, and about the milliseconds since
 * 2026 began. So a replica whose directory was lost does not use a number again, as long as
 * its clock is not behind what it was: requests of its former life may still be in logs.
 */
export const nextIncarnation = (found: Identity, wallMillis: number): number =>
  Math.max(found.incarnation + 1, Math.floor(wallMillis) - year2026)

export const formatVersion = 2
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

/** What is to be done where the voters are not those with whom the cluster began. */
export const sameVoters =
  "Start it with the same --peers as before (members are changed with: balsa member), or choose an empty data directory."

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
      message: `${directory} belongs to a cluster of ${found.voters.join(", ")}, and this replica was started in one of ${voters.join(", ")}. ${sameVoters}`
    })
  }
}

/** Format 1 knew of neither joining nor forcing on. */
const checksumOf = (format: number, { cluster, replica, voters, incarnation, joined, recovery }: Identity): number =>
  crc32(
    JSON.stringify([
      format,
      cluster,
      replica,
      voters,
      incarnation,
      ...(format === 1 ? [] : [joined === undefined ? null : [joined.client, joined.peer], recovery ?? null])
    ])
  )

const encode = (identity: Identity): string => {
  const { cluster, replica, voters, incarnation, joined = null, recovery = null } = identity
  const checksum = checksumOf(formatVersion, identity)
  const fields = { format: formatVersion, cluster, replica, voters, incarnation, joined, recovery, checksum }
  return `${JSON.stringify(fields)}\n`
}

const joinedIn = (value: unknown): Joined | undefined => {
  const { client, peer } = (value ?? {}) as Readonly<Record<string, unknown>>
  return typeof client === "string" && typeof peer === "string" ? { client, peer } : undefined
}

const decode = (file: string, text: string): Identity => {
  const found = JsonLine.parse(text)
  const { format, cluster, replica, voters, incarnation, checksum } = found ?? {}
  if (typeof format === "number" && format > formatVersion) throw newerFormat(file, format, formatVersion)
  const isKnown = format === 1 || format === formatVersion
  // A name of a field that is not what it was must not make its value a missing one.
  const isWhole = format === 1 || (found?.["joined"] !== undefined && found["recovery"] !== undefined)
  if (isKnown && isWhole && typeof cluster === "string" && typeof replica === "string") {
    if (typeof incarnation === "number" && Number.isSafeInteger(incarnation) && incarnation >= 0) {
      const joined = joinedIn(found?.["joined"])
      const names = Array.isArray(voters) ? voters.map((voter) => ReplicaId(String(voter))) : []
      const identity: Identity = {
        cluster,
        replica: ReplicaId(replica),
        voters: names,
        incarnation,
        ...(joined === undefined ? {} : { joined }),
        ...(typeof found?.["recovery"] === "string" ? { recovery: found["recovery"] } : {})
      }
      if (checksum === checksumOf(format, identity)) return identity
    }
  }
  throw corrupt(file, 0, "it is not the identity that Balsa wrote, or was edited since")
}
