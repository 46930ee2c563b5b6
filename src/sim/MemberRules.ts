/**
 * The oracle's rules about who the members are, and about the version that they agree on; who counts is judged by the
 * configurations in logs (Standings.ts).
 */
import * as Logs from "../raft/Log.ts"
import type { LogEntry } from "../raft/LogEntry.ts"
import type { Host, Oracle } from "./Oracle.ts"
import * as Standings from "./Standings.ts"
import { inWords, type State } from "./Subject.ts"
import { require } from "./Violation.ts"

/** It goes by the last one in its log; before there is one, by what it was told at its first start. */
export const checkConfiguration = (oracle: Oracle, host: Host, { configuration }: State): void => {
  const expected = standingOf(oracle, host)
  if (expected.index === 0) return
  require(inWords(configuration) ===
    inWords(expected.configuration), "the last configuration in the log is in force (I11)", () =>
    `${host.id} has ${inWords(configuration)}, not that at ${expected.index}`)
}

export const standingOf = ({ standings, chains }: Oracle, { number }: Host): Standings.Standing =>
  Standings.at(standings, chains[number]!.at(-1)!)

/** It commits, as a sole voter, what it has just logged: nobody but its disk will have it, and that has not got it yet. */
export const isAhead = (before: State, after: State): boolean =>
  after.stateMachine.commitIndex > Logs.lastIndex(before.stateMachine.log)

/** All members understand what the cluster agrees on. */
export const checkVersion = ({ standings, hosts }: Oracle, { payload, index }: LogEntry<unknown>): void => {
  if (payload._tag !== "Version") return
  const members = Standings.allMembers([standings.committed.configuration])
  const behind = hosts.find(({ id, version }) => members.has(id) && version < payload.version)
  require(behind === undefined, "all members understand the version that is agreed on", () =>
    `version ${payload.version} at ${index}, and ${behind?.id} understands ${behind?.version}`)
}
