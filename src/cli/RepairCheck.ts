/**
 * Whether the other replicas can give back what one is about to lose. What is set aside may have been
 * half of the majority behind an acknowledged write, so all of the others must be there and well.
 */
import { show } from "../client/Endpoint.ts"
import type { EndpointStatus } from "../client/Status.ts"

export interface Damaged {
  readonly id: string
  readonly voters: ReadonlyArray<string>
  /** As the others tell theirs. */
  readonly clusterId: string
  /** It is known to have been committed up to here. */
  readonly committed: number
}

type Reachable = Extract<EndpointStatus, { readonly _tag: "Reachable" }>

/** Why they cannot, or undefined when they can. */
export const objection = (statuses: ReadonlyArray<EndpointStatus>, damaged: Damaged): string | undefined => {
  const reachable = statuses.filter((status) => status._tag === "Reachable")
  const { id, clusterId, committed } = damaged
  const stranger = reachable.find((status) => status.clusterId !== clusterId)
  if (stranger !== undefined) return `${show(stranger.endpoint)} is of another cluster`
  const itself = reachable.find((status) => status.id === id)
  if (itself !== undefined) return `${id} itself answers at ${show(itself.endpoint)}: it runs, from another directory`
  const others: Array<Reachable> = []
  for (const voter of damaged.voters) {
    if (voter === id) continue
    const status = reachable.find((one) => one.id === voter)
    if (status === undefined) return `${voter} does not answer (${silence(statuses)})`
    others.push(status)
  }
  for (const other of others) {
    if (other.problems.length > 0) return `${other.id} is not well: ${other.problems.join(", ")}`
    if (other.leader === undefined) return `${other.id} knows no leader`
  }
  const leader = others.find(({ role }) => role === "leader")
  if (leader === undefined) return "none of the others leads"
  const astray = others.find((other) => other.leader !== leader.id || other.term !== leader.term)
  if (astray !== undefined) return `${astray.id} does not follow ${leader.id}, which leads`
  return leader.commitIndex < committed
    ? `${leader.id} knows of ${leader.commitIndex} committed entries, and ${id} of ${committed}: they have lost some, or are another cluster`
    : undefined
}

const silence = (statuses: ReadonlyArray<EndpointStatus>): string => {
  const silent = statuses.flatMap((status) =>
    status._tag === "Unreachable" ? [`${show(status.endpoint)} ${status.reason}`] : []
  )
  return silent.length === 0 ? "none of these endpoints is it" : silent.join("; ")
}
