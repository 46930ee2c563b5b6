/** How much room a directory's file system has. */
import * as fs from "node:fs/promises"
import { Effect } from "effect"

const mostReserveBytes = 64 * 1024 * 1024

/** For this user; undefined where the system does not tell. */
export const of = (directory: string): Effect.Effect<number | undefined> =>
  Effect.promise(() =>
    fs.statfs(directory).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => undefined
    )
  )

/** What a replica keeps free of commands: 64 MiB, and less on a small disk. */
export const defaultReserve = (directory: string): Effect.Effect<number> =>
  Effect.promise(() =>
    fs.statfs(directory).then(
      ({ blocks, bsize }) => Math.min(mostReserveBytes, Math.floor((blocks * bsize) / 16)),
      () => mostReserveBytes
    )
  )
