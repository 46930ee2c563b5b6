/**
 * What the course's network carries, as the network itself and the replicas in it take it: one JSON object to a datagram. The network
 * reads four fields of every message, and six of what clients and replicas say to each other; all others are between replicas.
 */
export interface CourseMessage {
  readonly src: string
  readonly dst: string
  /** Who leads for all that the sender knows; `nobody` when it knows none. */
  readonly leader: string
  readonly type: string
  readonly MID?: string
  readonly key?: string
  readonly value?: string
  readonly [field: string]: unknown
}

/** As `dst` all other replicas, as `leader` none that is known. */
export const everybody = "FFFF"
export const nobody = everybody

/** The largest payload of a datagram over IPv4. */
export const maxDatagramBytes = 65_507

export const isId = (value: unknown): value is string => typeof value === "string" && /^[0-9A-Fa-f]{4}$/.test(value)
