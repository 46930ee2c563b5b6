/** What a step meant for the replica beyond its role, as lines for its log. */
import type { ServerState } from "../raft/ServerState.ts"
import * as StateMachines from "../raft/StateMachine.ts"
import * as MemberNotices from "./MemberNotices.ts"

type State = ServerState<unknown, unknown, unknown>

export interface Notice {
  readonly level: "Info" | "Warn" | "Error"
  readonly text: string
}

export const describe = (before: State, after: State): ReadonlyArray<Notice> => {
  const admitted = before.admitted === after.admitted ? undefined : describeAdmission(after)
  const diverged = before.diverged !== undefined || after.diverged === undefined ? undefined : describeDivergence(after)
  const agreed = before.diverged === undefined || after.diverged !== undefined ? undefined : describeAgreement
  const late =
    before.pristine && !after.pristine && !after.admitted ? { ...notAdmitted, level: "Info" as const } : undefined
  const own = [admitted, late, diverged, agreed, describeVersion(before.stateMachine, after.stateMachine)].filter(
    (notice) => notice !== undefined
  )
  return [...own, ...MemberNotices.describe(before, after)]
}

/** Of a replica that finds a history, or starts with a disk that says so. */
export const notAdmitted: Notice = {
  level: "Warn",
  text:
    "not admitted: its disk is new, or was lost or given up, and the cluster has a history. It is sent everything, and neither votes " +
    "nor counts until it has caught up and every other voter has answered it"
}

/** Of a replica that joins. */
export const newHere =
  "begins with an empty disk: it is sent everything, and neither votes nor counts until it has caught up"

const describeAdmission = ({ admitted }: State): Notice =>
  admitted
    ? { level: "Info", text: "admitted: it holds all that it can have promised, votes, and counts" }
    : {
        level: "Warn",
        text:
          "no longer admitted: it once acknowledged entries that it does not hold, so its disk is not what it was. " +
          "It does not vote until it has caught up"
      }

const describeDivergence = ({ diverged, id, stateMachine }: State): Notice => {
  const { index, hash } = diverged!
  const own = StateMachines.hashAt(stateMachine, index)
  const others = own === hash ? "another" : hex(hash)
  return {
    level: "Error",
    text:
      `${id} has come to differ from the other replicas: after entry ${index} the hash of what was applied ` +
      `is ${own === undefined ? "unknown" : hex(own)} here, and ${others} there. It serves nobody until it is repaired. Stop it ` +
      'and run "balsa storage repair --from-peers --diverged"; look for faulty memory or a faulty disk'
  }
}

const describeAgreement: Notice = {
  level: "Info",
  text: "agrees with the other replicas again: the leader's snapshot has taken the place of what differed"
}

/** What commands may mean from now on. */
const describeVersion = (before: State["stateMachine"], after: State["stateMachine"]): Notice | undefined =>
  before.version === after.version
    ? undefined
    : { level: "Info", text: `commands are of version ${after.version} from now on, as all members understand it` }

const hex = (hash: number): string => hash.toString(16).padStart(8, "0")
