/** What the lease commands print: a sentence for people, the bare facts for scripts. Ids are in hexadecimal. */
import type { Granted } from "../client/HeldLease.ts"
import type { TimeToLive } from "../client/Lease.ts"
import * as LeaseId from "../client/LeaseId.ts"
import type { OutputFormat } from "./ClientOptions.ts"
import * as Facts from "./Facts.ts"
import * as Table from "./Table.ts"

/** `json` as one line; `table` and `plain` as they are given. */
const form = (format: OutputFormat, json: object, table: string, plain: string): string => {
  switch (format) {
    case "json":
    case "jsonl":
      return `${JSON.stringify(json)}\n`
    case "table":
      return `${table}\n`
    case "plain":
      return `${plain}\n`
  }
}

export const granted = ({ id, ttlSeconds }: Granted, format: OutputFormat): string => {
  const hex = LeaseId.toHex(id)
  return form(format, { id: hex, ttl: ttlSeconds }, `lease ${hex} granted for ${ttlSeconds} s`, hex)
}

export const revoked = (id: LeaseId.LeaseId, format: OutputFormat): string => {
  const hex = LeaseId.toHex(id)
  return form(format, { id: hex, revoked: true }, `lease ${hex} revoked`, `${hex} revoked`)
}

export const renewed = (id: LeaseId.LeaseId, ttlSeconds: number, format: OutputFormat): string => {
  const hex = LeaseId.toHex(id)
  return form(format, { id: hex, ttl: ttlSeconds }, `lease ${hex} renewed for ${ttlSeconds} s`, `${hex}\t${ttlSeconds}`)
}

export const timeToLive = (
  id: LeaseId.LeaseId,
  { grantedSeconds, remainingSeconds }: TimeToLive,
  keys: ReadonlyArray<string> | undefined,
  format: OutputFormat
): string =>
  Facts.render(
    [
      ["id", LeaseId.toHex(id)],
      ["granted_ttl", grantedSeconds],
      ["remaining_ttl", remainingSeconds],
      ...(keys === undefined ? [] : [["keys", keys] as const])
    ],
    format
  )

export const list = (ids: ReadonlyArray<LeaseId.LeaseId>, format: OutputFormat): string => {
  const hex = ids.map(LeaseId.toHex)
  switch (format) {
    case "json":
      return `${JSON.stringify({ leases: hex })}\n`
    case "jsonl":
      return hex.map((id) => `${JSON.stringify({ id })}\n`).join("")
    case "table":
    case "plain":
      return hex.map((id) => `${id}\n`).join("")
  }
}

export const listTable = (
  leases: ReadonlyArray<{ readonly id: LeaseId.LeaseId; readonly left: TimeToLive }>
): string =>
  leases.length === 0
    ? "no leases\n"
    : Table.render(
        ["LEASE", "GRANTED", "REMAINING", "KEYS"],
        leases.map(({ id, left }) => [
          LeaseId.toHex(id),
          `${left.grantedSeconds} s`,
          `${left.remainingSeconds} s`,
          String(left.keys.length)
        ])
      )
