/** The members, as a table for people or as data for scripts. */
import type { Member, Members } from "../client/Members.ts"
import type { OutputFormat } from "./ClientOptions.ts"
import * as Table from "./Table.ts"

const header = ["ID", "ROLE", "ADDRESS", "REACH", "LAG", "NOTE"]

export const render = (members: Members, format: OutputFormat): string => {
  switch (format) {
    case "json":
      return `${JSON.stringify(toJson(members))}\n`
    case "jsonl":
      return toJson(members)
        .members.map((member) => `${JSON.stringify(member)}\n`)
        .join("")
    case "plain":
      return members.members.map((member) => `${cellsOf(members, member).join("\t")}\n`).join("")
    case "table":
      return Table.render(
        header,
        members.members.map((member) => cellsOf(members, member))
      )
  }
}

const cellsOf = (members: Members, member: Member): ReadonlyArray<string> => {
  const { id, role, address, progress } = member
  const leads = members.leader === id
  return [
    id,
    leads ? `${role}, leads` : role,
    address ?? "-",
    progress === undefined ? "?" : progress.inReach ? "yes" : "no",
    progress === undefined ? "?" : String(progress.lag),
    noteOn(members, member)
  ]
}

const noteOn = ({ joint, committed, leader }: Members, { role, promote, progress, address }: Member): string => {
  const notes: Array<string> = []
  if (role === "leaving") notes.push("votes until the change under way is done")
  if (joint && role === "voter") notes.push("a change is under way")
  if (!joint && !committed) notes.push("not committed yet")
  if (role === "learner" && promote) {
    const round = progress?.catchUpRound
    notes.push(
      progress?.caughtUp === true
        ? "about to be promoted"
        : `catches up${round === undefined ? "" : `, round ${round}`}`
    )
  }
  if (progress !== undefined && !progress.inReach) notes.push("not in reach of the leader")
  if (progress !== undefined && progress.inReach && !progress.admitted) notes.push("not admitted")
  if (address === undefined) notes.push("its address is not in the log")
  if (leader === undefined) notes.push("no leader is known")
  return notes.length === 0 ? "ok" : notes.join("; ")
}

const toJson = ({ cluster, leader, term, index, committed, joint, members }: Members) => ({
  cluster,
  leader: leader ?? null,
  term,
  index,
  committed,
  joint,
  members: members.map(({ id, role, promote, address, progress }) => ({
    id,
    role,
    promote,
    address: address ?? null,
    in_reach: progress?.inReach ?? null,
    admitted: progress?.admitted ?? null,
    match_index: progress?.matchIndex ?? null,
    lag: progress?.lag ?? null,
    caught_up: progress?.caughtUp ?? null,
    version: progress?.version ?? null
  }))
})
