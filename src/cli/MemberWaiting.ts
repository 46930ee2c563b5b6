/** Waiting until a replica that was added votes, with a word now and then about how far it is. */
import { Clock, Effect } from "effect"
import type { ClientError } from "../client/ClientError.ts"
import type { Cluster } from "../client/Gateway.ts"
import * as Members from "../client/Members.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"
import type { Host } from "./Host.ts"
import * as Progress from "./Progress.ts"

const lookMillis = 100
/** Catching up may take long; standing still for so long means that somebody should look. */
const stillMillis = 60_000

export const untilVoter = Effect.fnUntraced(function* (
  cluster: Cluster,
  id: string,
  host: Host,
  /** For all of the waiting; as long as it comes forward if nothing is said. */
  maxMillis: number | undefined
): Effect.fn.Return<Members.Members, ClientError | Failure> {
  const progress = yield* Progress.make(host)
  let reached = -1
  const begun = yield* Clock.currentTimeMillis
  let reachedAt = begun
  const look = Effect.gen(function* () {
    while (true) {
      const members = yield* Members.membersOf(cluster)
      const member = members.members.find((one) => one.id === id)
      if (member === undefined) return yield* gone(id)
      if (member.role === "voter" && !members.joint && members.committed) return members
      const now = yield* Clock.currentTimeMillis
      const match = member.progress?.matchIndex ?? reached
      if (match > reached) {
        reached = match
        reachedAt = now
      } else if (now - reachedAt > stillMillis) return yield* still(id)
      if (maxMillis !== undefined && now - begun >= maxMillis) return yield* late(id, maxMillis)
      yield* progress.tell(() => describe(member))
      yield* Effect.sleep(lookMillis)
    }
  })
  return yield* look.pipe(Effect.ensuring(progress.clear))
})

const describe = ({ id, role, progress }: Members.Member): string => {
  if (role !== "learner") return `${id} is being promoted`
  if (progress === undefined) return `${id} catches up`
  if (!progress.inReach) return `${id} is not in reach of the leader`
  const round = progress.catchUpRound === undefined ? "" : `, round ${progress.catchUpRound}`
  return `${id} catches up: ${progress.lag} entries behind${round}`
}

const gone = (id: string): Failure =>
  new Failure({
    code: "BALSA_NOT_A_MEMBER",
    message: `${id} is not a member any more: somebody removed it meanwhile`,
    exitCode: ExitCode.failure
  })

const late = (id: string, maxMillis: number): Failure =>
  new Failure({
    code: "BALSA_STILL_A_LEARNER",
    message: `${id} was added, and does not vote yet after ${maxMillis / 1000} s. It becomes a voter by itself once it has caught up; see: balsa member list`,
    exitCode: ExitCode.outcomeUnknown
  })

const still = (id: string): Failure =>
  new Failure({
    code: "BALSA_STILL_A_LEARNER",
    message: `${id} was added, and has come no further for ${stillMillis / 1000} s. It becomes a voter by itself once it has caught up; look at its log, and at: balsa member list`,
    exitCode: ExitCode.failure
  })
