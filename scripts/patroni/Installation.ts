/**
 * Where PostgreSQL and Patroni are on this machine, and as whom they can run: PostgreSQL refuses to
 * be root. What is missing is told all at once, with the command that gets it.
 */
import { execFileSync } from "node:child_process"
import { accessSync, constants, readdirSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { program } from "../../test/process/RealCluster.ts"

export interface Installation {
  /** The folder with `postgres`, `psql` and the rest. */
  readonly postgresBin: string
  /** Nobody else than we, unless we are root. */
  readonly account: { readonly uid: number; readonly gid: number } | undefined
  readonly versions: { readonly patroni: string; readonly postgres: string; readonly store: string }
}

export type StoreKind = "balsa" | "etcd"

const postgresPrograms = ["postgres", "initdb", "psql", "pg_ctl", "pg_basebackup", "pg_rewind", "pg_controldata"]

/** The installation, or what it lacks in words. */
export const find = (store: StoreKind, user: string): Installation | { readonly lacks: ReadonlyArray<string> } => {
  const lacks: Array<string> = []
  if (process.platform !== "linux") lacks.push("Linux: processes are found in /proc")
  const postgresBin = postgresFolders().find((folder) =>
    postgresPrograms.every((name) => runs(path.join(folder, name)))
  )
  if (postgresBin === undefined) lacks.push(`PostgreSQL (${postgresPrograms.join(", ")}): ${toGet("postgresql")}`)
  const patroni = versionOf("patroni")
  // It refuses to tell its version without psycopg.
  if (patroni === undefined || versionOf("patronictl", "version") === undefined)
    lacks.push(`Patroni: ${toGet("patroni python3-psycopg2")}`)
  const storeVersion = store === "etcd" ? versionOf("etcd") : outputOf(process.execPath, program, "--version")
  if (storeVersion === undefined)
    lacks.push(store === "etcd" ? `etcd: ${toGet("etcd-server")}` : `${program}: npm run build`)
  const isRoot = process.getuid?.() === 0
  const account = isRoot ? accountOf(user) : undefined
  if (isRoot && account === undefined)
    lacks.push(`a user "${user}", for PostgreSQL does not run as root; name another with --user`)
  if (postgresBin === undefined || patroni === undefined || lacks.length > 0) return { lacks }
  const postgres = versionOf(path.join(postgresBin, "postgres")) ?? "?"
  return { postgresBin, account, versions: { patroni, postgres, store: storeVersion ?? "" } }
}

const toGet = (packages: string): string => `apt-get install --no-install-recommends ${packages}`

/** Debian keeps the programs of each version out of the way; the newest comes first. */
const postgresFolders = (): ReadonlyArray<string> => {
  const debian = "/usr/lib/postgresql"
  const newestFirst = entries(debian).sort((one, other) => Number(other) - Number(one))
  return [...newestFirst.map((version) => path.join(debian, version, "bin")), ...(process.env["PATH"] ?? "").split(":")]
}

const entries = (folder: string): Array<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const runs = (program: string): boolean => {
  try {
    accessSync(program, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const versionOf = (program: string, argument = "--version"): string | undefined =>
  outputOf(program, argument)?.split("\n")[0]

const accountOf = (user: string): Installation["account"] => {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n")
  const [, , uid, gid] = lines.map((line) => line.split(":")).find(([name]) => name === user) ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

const outputOf = (program: string, ...args: ReadonlyArray<string>): string | undefined => {
  try {
    return execFileSync(program, args, { stdio: ["ignore", "pipe", "ignore"], timeout: 20_000 })
      .toString()
      .trim()
  } catch {
    return undefined
  }
}
