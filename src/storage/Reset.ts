/**
 * Beginning a log anew where the old one cannot be trusted. What was there is set aside in a folder
 * of the directory, and the new log keeps only the highest term that could still be read, with the vote
 * in it: the replica is not admitted, so it promises nothing until its peers have sent it everything.
 *
 * The file `reset` is the decision. From the moment it has its name, whoever opens the directory
 * carries it out before anything else, as often as it takes; before that moment nothing has changed.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { crc32 } from "node:zlib"
import { Effect } from "effect"
import { origin, ReplicaId, Term } from "../raft/LogEntry.ts"
import type { HardState } from "../raft/RaftEffect.ts"
import * as DirectoryLock from "./DirectoryLock.ts"
import { attempt, codeOf, corrupt, newerFormat } from "./DiskError.ts"
import * as DurableFile from "./DurableFile.ts"
import * as Identity from "./Identity.ts"
import * as JsonLine from "./JsonLine.ts"
import * as LogRecord from "./LogRecord.ts"
import * as Salvage from "./Salvage.ts"
import * as Segment from "./Segment.ts"
import { StorageError } from "./Storage.ts"

export const fileName = "reset"
const formatVersion = 1

/** What is to be done: `lastNumber` is that of the last segment to be set aside. */
interface Decision {
  readonly folder: string
  readonly lastNumber: number
  readonly hardState: HardState
  readonly reason: string
}

export interface Done {
  /** Where the damaged files are now. */
  readonly folder: string
  readonly hardState: HardState
}

/** The directory must not be in use. `reason` is kept beside what is set aside, for people. */
export const reset = (
  directory: string,
  reason: string,
  now: Date = new Date(),
  names: DurableFile.Names = DurableFile.realNames
): Effect.Effect<Done, StorageError> =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* DirectoryLock.hold(directory)
      return yield* attempt(`reset ${directory}`, "WriteFailed", async () => {
        const identity = await Identity.read(directory)
        if (identity === undefined) throw nobodys(directory)
        const owner = Segment.ownerOf(identity.cluster, identity.replica)
        const interrupted = await complete(directory, owner, names)
        if (interrupted !== undefined) return interrupted
        const hardState = Salvage.hardStateIn(directory, owner)
        const numbers = await segmentNumbers(directory)
        const folder = folderAt(now)
        await decide(directory, { folder, lastNumber: Math.max(0, ...numbers), hardState, reason }, names)
        return (await complete(directory, owner, names))!
      })
    })
  )

const folderAt = (now: Date): string => `damaged-${now.toISOString().replaceAll(/[:.]/g, "-")}`

/** The same files under second names: they stay when the log lets go of them. */
export const setAsideCopies = (
  directory: string,
  now: Date,
  names: DurableFile.Names
): Effect.Effect<string, StorageError> =>
  attempt(`set the log in ${directory} aside`, "WriteFailed", async () => {
    const folder = path.join(directory, folderAt(now))
    await fs.mkdir(folder, { mode: 0o700 })
    for (const name of await fs.readdir(directory)) {
      if (Segment.numberOf(name) !== undefined) await fs.link(path.join(directory, name), path.join(folder, name))
    }
    await names.sync(folder)
    await names.sync(directory)
    return folder
  })

/** Carries out what was decided, if anything was. */
export const complete = async (
  directory: string,
  owner: number,
  names: DurableFile.Names
): Promise<Done | undefined> => {
  const file = path.join(directory, fileName)
  const text = await fs.readFile(file, "utf8").catch((error) => {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  })
  if (text === undefined) return undefined
  const { folder, lastNumber, hardState } = decode(file, text)
  await setAside(directory, path.join(directory, folder), lastNumber, names)
  const number = lastNumber + 1
  if (!(await segmentNumbers(directory)).includes(number)) {
    const beginning = { hardState, admitted: false, base: origin, last: origin }
    const header = { number, firstSequence: 1, mark: LogRecord.newMark(), owner, beginning }
    await (await Segment.create(directory, header, 0, names)).file.close()
  }
  await names.rename(file, path.join(directory, folder, fileName))
  await names.sync(path.join(directory, folder))
  await names.sync(directory)
  return { folder: path.join(directory, folder), hardState }
}

/** A name is first in both directories or in either, as the disk has it; it is looked for in both. */
const setAside = async (
  directory: string,
  folder: string,
  lastNumber: number,
  names: DurableFile.Names
): Promise<void> => {
  await fs.mkdir(folder, { mode: 0o700 }).catch((error) => {
    if (codeOf(error) !== "EEXIST") throw error
  })
  await names.sync(directory)
  const old = (await fs.readdir(directory)).filter((name) => {
    const number = Segment.numberOf(name)
    return number === undefined ? isSnapshot(name) : number <= lastNumber
  })
  for (const name of old.toSorted()) await names.rename(path.join(directory, name), path.join(folder, name))
  await names.sync(folder)
  await names.sync(directory)
}

const isSnapshot = (name: string): boolean => name.startsWith("snapshot-")

const segmentNumbers = async (directory: string): Promise<ReadonlyArray<number>> =>
  (await fs.readdir(directory)).flatMap((name) => Segment.numberOf(name) ?? [])

const nobodys = (directory: string): StorageError =>
  new StorageError({
    reason: "Unreadable",
    message: `${directory} holds no replica: there is no file ${Identity.fileName} in it. Choose the data directory of a replica.`
  })

const decide = async (directory: string, decision: Decision, names: DurableFile.Names): Promise<void> => {
  const line = `${JSON.stringify({ format: formatVersion, ...decision, checksum: checksumOf(decision) })}\n`
  const file = await DurableFile.create(directory, fileName, (handle) => handle.writeFile(line), names)
  await file.close()
}

const checksumOf = ({ folder, lastNumber, hardState: { currentTerm, votedFor }, reason }: Decision): number =>
  crc32(JSON.stringify([formatVersion, folder, lastNumber, currentTerm, votedFor ?? null, reason]))

const decode = (file: string, text: string): Decision => {
  const found = JsonLine.parse(text)
  if (typeof found?.format === "number" && found.format > formatVersion) {
    throw newerFormat(file, found.format, formatVersion)
  }
  const { folder, lastNumber, hardState, reason, checksum } = found ?? {}
  if (typeof folder === "string" && typeof lastNumber === "number" && typeof reason === "string") {
    const { currentTerm, votedFor } = { ...(hardState as { currentTerm?: unknown; votedFor?: unknown } | undefined) }
    const vote = typeof votedFor === "string" ? ReplicaId(votedFor) : undefined
    const kept = { currentTerm: Term(Number(currentTerm)), votedFor: vote }
    const decision: Decision = { folder, lastNumber, hardState: kept, reason }
    if (checksum === checksumOf(decision)) return decision
  }
  throw corrupt(file, 0, "it is not what Balsa wrote when the log was to be begun anew")
}
