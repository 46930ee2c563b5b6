/**
 * Answers without what must differ between two servers: ids of clusters and members, terms, and how many revisions and
 * leases there were before. What is left must be the same.
 */
import type { Answer } from "./Side.ts"

/** What a server's answers are read with, in one run of one sequence. */
export interface Reader {
  /** The revision before the first change of the sequence. */
  readonly before: number
  /** By the id that the server gave. */
  readonly leaseNames: ReadonlyMap<string, string>
  /** What the server says it is; anything else stays as it is, and differs. */
  readonly clusterId: string
  readonly memberIds: ReadonlySet<string>
}

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }

export interface Normal {
  readonly status: number
  readonly contentType: string
  /** One for each line. */
  readonly lines: ReadonlyArray<Json>
}

export const normal = (answer: Answer, reader: Reader): Normal => ({
  status: answer.status,
  contentType: answer.contentType,
  lines: linesOf(answer.text).map((line) => normalLine(line, reader))
})

/** Whether the last line is ended matters only where lines are read one by one. */
const linesOf = (text: string): ReadonlyArray<string> => {
  const lines = text.split("\n")
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines
}

export const normalLine = (line: string, reader: Reader): Json => {
  let parsed: Json
  try {
    parsed = JSON.parse(line) as Json
  } catch {
    return `not JSON: ${line}`
  }
  return normalValue("", parsed, reader)
}

const normalValue = (name: string, value: Json, reader: Reader): Json => {
  if (isList(value)) {
    const items = value.map((one) => normalValue(name, one, reader))
    // What hangs on a lease is told in no particular order.
    return name === "keys" ? items.map((one) => JSON.stringify(one)).sort((a, b) => (a < b ? -1 : 1)) : items
  }
  if (typeof value === "object" && value !== null) {
    const remaining = "grantedTTL" in value
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [
        name,
        remaining && name === "TTL" ? `${JSON.stringify(inner)} s left` : normalValue(name, inner, reader)
      ])
    )
  }
  return typeof value === "string" ? normalString(name, value, reader) : value
}

const normalString = (name: string, value: string, { before, leaseNames, clusterId, memberIds }: Reader): string => {
  switch (name) {
    case "cluster_id":
      return value === clusterId ? "the cluster" : value
    case "member_id":
      return memberIds.has(value) ? "the member" : value
    case "raft_term":
      return /^[1-9]\d*$/.test(value) ? "a term" : value
    case "revision":
    case "create_revision":
    case "mod_revision":
    case "rev":
    case "compact_revision":
      return /^\d+$/.test(value) ? `revision ${Number(value) - before}` : value
    case "ID":
    case "lease":
      return leaseNames.get(value) ?? value
    default:
      return value
  }
}

export const isList = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)
