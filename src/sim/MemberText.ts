/** Members, and what is to become of them, in words: for traces and golden scripts. */
import type { Amendment, MemberChange } from "../raft/Amendment.ts"
import { ReplicaId } from "../raft/LogEntry.ts"
import type { Configuration } from "../raft/Configuration.ts"

/** Voters; those that are leaving in a joint configuration; learners, with + where they are to be voters. */
export const configuration = ({ voters, outgoing, autoLeave, learners }: Configuration): string => {
  const joint = outgoing.length === 0 ? "" : ` from ${outgoing.join(" ")}${autoLeave ? "" : " until told"}`
  const also = learners.map(({ id, promote }) => (promote ? `${id}+` : id))
  return `voters ${voters.join(" ")}${joint}${also.length === 0 ? "" : `, learners ${also.join(" ")}`}`
}

export const amendment = (amendment: Amendment): string => {
  if (amendment._tag === "Version") {
    return amendment.ceiling === undefined ? "any version" : `at most version ${amendment.ceiling}`
  }
  const how = `${amendment.autoLeave ? "" : ", stay joint"}${amendment.force ? ", by force" : ""}`
  return `${amendment.changes.map(change).join(", ")}${how}`
}

const change = (one: MemberChange): string => {
  switch (one._tag) {
    case "Add":
      return `add ${one.id}${one.promote ? "+" : ""}`
    case "Promote":
      return `promote ${one.id}`
    case "Demote":
      return `demote ${one.id}`
    case "Remove":
      return `remove ${one.id}`
    case "Move":
      return `move ${one.id} to ${one.address}`
    case "Leave":
      return "leave"
  }
}

/** The inverse. */
export const readAmendment = (words: string): Amendment => {
  if (words === "any version") return { _tag: "Version", ceiling: undefined }
  const ceiling = /^at most version (\d+)$/.exec(words)?.[1]
  if (ceiling !== undefined) return { _tag: "Version", ceiling: Number(ceiling) }
  const parts = words.split(", ")
  const changes = parts.filter((part) => part !== "stay joint" && part !== "by force").map(readChange)
  const read: Amendment = {
    _tag: "Members",
    changes,
    autoLeave: !parts.includes("stay joint"),
    force: parts.includes("by force")
  }
  if (amendment(read) !== words) throw new Error(`no amendment: ${words} (understood: ${amendment(read)})`)
  return read
}

const readChange = (words: string): MemberChange => {
  const [verb, name = "", , address = ""] = words.split(" ")
  const id = ReplicaId(name.replace("+", ""))
  switch (verb) {
    case "add":
      return { _tag: "Add", id, address: undefined, promote: name.endsWith("+") }
    case "promote":
      return { _tag: "Promote", id }
    case "demote":
      return { _tag: "Demote", id }
    case "remove":
      return { _tag: "Remove", id }
    case "move":
      return { _tag: "Move", id, address }
    case "leave":
      return { _tag: "Leave" }
    default:
      throw new Error(`no change of members: ${words}`)
  }
}
