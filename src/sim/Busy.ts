/**
 * A plan in which much is written and little else is in the way: only so do logs grow beyond several
 * snapshots, and replicas that are away need one. What befalls such a cluster is mostly that.
 */
import type { FaultKind, Plan, Strike, Toggle } from "./Plan.ts"
import type { Random } from "./Random.ts"

const kinds = [
  "crash",
  "wipe",
  "rot",
  "full",
  "isolate",
  "depose",
  "hold",
  "freeze",
  "alter"
] as const satisfies ReadonlyArray<FaultKind>

export const busy = (plan: Plan, random: Random, off: ReadonlySet<Toggle>): Plan => {
  const { options } = plan
  const timeout = options.electionTimeoutMillis
  const main = random.pick(["lag", "lag", "amnesia"] as const)
  const some = (kind: FaultKind): ReadonlyArray<Strike> => {
    const everyMillis = timeout * random.pick([6, 12, 24])
    const lastMillis = timeout * random.pick([0.3, 1.5, 5])
    const chosen = kind === main || random.chance(0.3)
    return chosen && !off.has(kind) ? [{ kind, everyMillis, lastMillis }] : []
  }
  return {
    ...plan,
    options: {
      ...options,
      // What cannot be kept up with is submitted again and again.
      maxAppendEntries: Math.max(4, options.maxAppendEntries),
      maxAppendBytes: Math.max(1000, options.maxAppendBytes),
      maxUncommittedBytes: 1_000_000,
      maxApplyEntries: random.pick([2, 1024]),
      heartbeatMillis: timeout / 3,
      snapshotLogEntries: random.pick([4, 5, 6, 8]),
      snapshotPatienceMillis: timeout * random.pick([0.3, 1])
    },
    steps: plan.steps + 2000,
    clients: {
      ...plan.clients,
      count: 3 + random.below(4),
      thinkMillis: random.pick([0, timeout / 30]),
      queries: 0.1,
      patienceMillis: timeout * random.pick([1, 4])
    },
    snapshots: {
      ...plan.snapshots,
      takeMillis: timeout * random.pick([0, 0.05, 1]),
      finishMillis: timeout * random.pick([0, 0.1, 1, 3])
    },
    lateTimer: random.chance(0.3) ? plan.lateTimer : 0,
    strikes: (["lag", "amnesia", ...kinds] as const).flatMap(some)
  }
}
