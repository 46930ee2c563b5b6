/** What a step meant for the cluster itself, as lines for a replica's log: its members, its leadership, its version. */
import type { Configuration } from "../raft/Configuration.ts"
import * as Configurations from "../raft/Configuration.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import { leaderOf, type ServerState } from "../raft/ServerState.ts"
import * as Succession from "../raft/Succession.ts"
import type { Notice } from "./Notices.ts"

type State = ServerState<unknown, unknown, unknown>

export const describe = (before: State, after: State): ReadonlyArray<Notice> => {
  if (before === after) return []
  const info = (text: string): Notice => ({ level: "Info", text })
  const notices: Array<Notice> = []
  if (before.configuration !== after.configuration) notices.push(info(describeMembers(before, after)))
  for (const id of newlyCaughtUp(before, after)) notices.push(info(`learner ${id} has caught up`))
  notices.push(...describeTransfer(before, after).map(info))
  if (!isGone(before) && isGone(after)) notices.push({ level: "Warn", text: removed })
  if (isGone(before) && !isGone(after)) notices.push(info("is a member of the cluster again"))
  const { outdated } = after.stateMachine
  if (before.stateMachine.outdated === undefined && outdated !== undefined) {
    notices.push({ level: "Error", text: outdatedBy(outdated) })
  }
  return notices
}

/** It was told so, or its own log says so and that is committed. One that has yet to be added is not gone. */
const isGone = ({ removedAt, configuration, configurations, id, stateMachine }: State): boolean =>
  removedAt !== undefined ||
  (configurations.length === 1 &&
    Succession.last(configurations).index > 0 &&
    Succession.last(configurations).index <= stateMachine.lastApplied &&
    !Configurations.isMember(configuration, id))

const describeMembers = (before: State, after: State): string => {
  const { configuration } = after
  const { index } = Succession.last(after.configurations)
  const learners = configuration.learners.map(({ id, promote }) => (promote ? `${id} (to be promoted)` : id))
  const who = [
    `voters ${list(configuration.voters)}`,
    ...(learners.length === 0 ? [] : [`learners ${list(learners)}`])
  ].join(", ")
  const joint = Configurations.isJoint(configuration)
    ? `, together with the voters before: ${list(configuration.outgoing)}`
    : ""
  return `members as of entry ${index}: ${who}${joint}${changes(before.configuration, configuration)}`
}

const changes = (before: Configuration, after: Configuration): string => {
  const was = Configurations.members(before)
  const is = Configurations.members(after)
  const all = [
    ...is.filter((id) => !was.includes(id)).map((id) => `${id} is new`),
    ...was.filter((id) => !is.includes(id)).map((id) => `${id} is gone`),
    ...after.voters.filter((id) => Configurations.isLearner(before, id)).map((id) => `${id} is promoted`)
  ]
  return all.length === 0 ? "" : ` (${all.join(", ")})`
}

const list = (ids: ReadonlyArray<string>): string => (ids.length === 0 ? "none" : ids.toSorted().join(", "))

const newlyCaughtUp = (before: State, after: State): ReadonlyArray<ReplicaId> => {
  if (after._tag !== "Leader" || (before._tag === "Leader" && before.catchUps === after.catchUps)) return []
  const known = before._tag === "Leader" ? before.catchUps : undefined
  return [...after.catchUps].filter(([id, { done }]) => done && known?.get(id)?.done !== true).map(([id]) => id)
}

const describeTransfer = (before: State, after: State): ReadonlyArray<string> => {
  const was = before._tag === "Leader" ? before.transfer : undefined
  const is = after._tag === "Leader" ? after.transfer : undefined
  if (was?.to === is?.to) return []
  if (is !== undefined) return [`hands over the leadership to ${is.to}`]
  if (after._tag === "Leader") return [`still leads: ${was!.to} did not take over within an election timeout`]
  const leader = leaderOf(after)
  return [leader === undefined ? `has handed over: ${was!.to} was told to stand` : `has handed over to ${leader}`]
}

const removed =
  "was removed from the cluster and serves nobody any more. Stop it; to bring it back, start it in an empty data " +
  "directory with --join"

const outdatedBy = (version: number): string =>
  `the cluster has agreed on version ${version} of its commands, which this program does not understand: it applies nothing ` +
  "more and serves nobody. Start a newer version of Balsa here"
