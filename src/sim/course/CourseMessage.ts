/**
 * What the course's network carries: one JSON object to a datagram. The network reads four
 * fields of every message, and six of what clients and replicas say to each other; all others
 * are between replicas.
 */
export interface CourseMessage {
  readonly src: string
  readonly dst: string
  /** Who the sender takes for the leader; `nobody` when it knows none. */
  readonly leader: string
  readonly type: string
  readonly MID?: string
  readonly key?: string
  readonly value?: string
  readonly [field: string]: unknown
}

/** As `dst` all other replicas, as `leader` none that is known. */
export const everyone = "FFFF"
export const nobody = everyone

/** The least that a datagram must be able to hold, and the most that it can. */
export const maximumDatagramBytes = 65_507

const isId = (value: unknown): value is string => typeof value === "string" && /^[0-9A-Fa-f]{4}$/.test(value)

/** The message, or why it is none. */
export const parse = (text: string): CourseMessage | string => {
  try {
    return validate(JSON.parse(text))
  } catch {
    return `no JSON: ${text.slice(0, 100)}`
  }
}

export const validate = (value: unknown): CourseMessage | string => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "no JSON object"
  const fields = value as Readonly<Record<string, unknown>>
  for (const field of ["src", "dst", "leader"]) {
    if (!isId(fields[field])) return `"${field}" must be four hexadecimal digits: ${shown(fields)}`
  }
  if (typeof fields["type"] !== "string") return `"type" must be a text: ${shown(fields)}`
  return value as CourseMessage
}

/** For complaints and traces. */
export const shown = (message: Readonly<Record<string, unknown>>): string => {
  const text = JSON.stringify(message)
  return text.length > 300 ? `${text.slice(0, 300)}...` : text
}
