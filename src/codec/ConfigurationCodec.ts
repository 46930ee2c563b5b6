/**
 * Configurations and amendments as bytes. A configuration: voters, outgoing, whether it is left by itself (1), learners with whether
 * they are promoted (1), addresses; each list with its length (4) and in the order of the names, so that
 * equal configurations give equal bytes. Reading refuses what is not in that order.
 */
import type { Amendment, MemberChange } from "../raft/Amendment.ts"
import type { Configuration } from "../raft/Configuration.ts"
import { ReplicaId } from "../raft/LogEntry.ts"
import type { Reader, Writer } from "./Bytes.ts"
import { readBoolean, readOptional, writeBoolean, writeOptional } from "./Fields.ts"

export const writeConfiguration = (to: Writer, configuration: Configuration): void => {
  const { voters, outgoing, autoLeave, learners, addresses } = configuration
  writeIds(to, voters)
  writeIds(to, outgoing)
  writeBoolean(to, autoLeave)
  writeById(to, learners, ({ promote }) => writeBoolean(to, promote))
  writeById(to, addresses, ({ address }) => to.utf8(address))
}

export const readConfiguration = (from: Reader): Configuration => ({
  voters: readIds(from),
  outgoing: readIds(from),
  autoLeave: readBoolean(from),
  learners: readById(from, (id) => ({ id, promote: readBoolean(from) })),
  addresses: readById(from, (id) => ({ id, address: from.utf8() }))
})

export const writeIds = (to: Writer, ids: ReadonlyArray<ReplicaId>): void =>
  writeById(
    to,
    ids.map((id) => ({ id })),
    () => {}
  )

export const readIds = (from: Reader): ReadonlyArray<ReplicaId> => readById(from, (id) => id)

const writeById = <A extends { readonly id: ReplicaId }>(
  to: Writer,
  list: ReadonlyArray<A>,
  write: (one: A) => void
): void => {
  to.u32(list.length)
  for (const one of list.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    to.utf8(one.id)
    write(one)
  }
}

const readById = <A>(from: Reader, read: (id: ReplicaId) => A): ReadonlyArray<A> => {
  const count = from.u32()
  const list: Array<A> = []
  let before: string | undefined
  for (let i = 0; i < count && !from.failed; i++) {
    const id = ReplicaId(from.utf8())
    if (before !== undefined && !(before < id)) from.fail()
    before = id
    list.push(read(id))
  }
  return list
}

/** Never reused. */
const kinds = { Add: 1, Promote: 2, Demote: 3, Remove: 4, Move: 5, Leave: 6 } as const satisfies Record<
  MemberChange["_tag"],
  number
>

/** Kind (1: 1 Members, 2 Version) and what it has. */
export const writeAmendment = (to: Writer, amendment: Amendment): void => {
  switch (amendment._tag) {
    case "Members":
      to.u8(1)
      writeBoolean(to, amendment.autoLeave)
      writeBoolean(to, amendment.force)
      to.u32(amendment.changes.length)
      for (const change of amendment.changes) writeChange(to, change)
      return
    case "Version":
      to.u8(2)
      return writeOptional(to, amendment.ceiling, (ceiling) => to.safe(ceiling))
  }
}

export const readAmendment = (from: Reader): Amendment => {
  switch (from.u8()) {
    case 1: {
      const autoLeave = readBoolean(from)
      const force = readBoolean(from)
      const count = from.u32()
      const changes: Array<MemberChange> = []
      for (let i = 0; i < count && !from.failed; i++) changes.push(readChange(from))
      return { _tag: "Members", changes, autoLeave, force }
    }
    case 2:
      return { _tag: "Version", ceiling: readOptional(from, () => from.safe()) }
    default:
      from.fail()
      return { _tag: "Version", ceiling: undefined }
  }
}

const writeChange = (to: Writer, change: MemberChange): void => {
  to.u8(kinds[change._tag])
  if (change._tag === "Leave") return
  to.utf8(change.id)
  if (change._tag === "Add") {
    writeOptional(to, change.address, (address) => to.utf8(address))
    writeBoolean(to, change.promote)
  } else if (change._tag === "Move") to.utf8(change.address)
}

const readChange = (from: Reader): MemberChange => {
  const kind = from.u8()
  if (kind === kinds.Leave) return { _tag: "Leave" }
  const id = ReplicaId(from.utf8())
  switch (kind) {
    case kinds.Add:
      return { _tag: "Add", id, address: readOptional(from, () => from.utf8()), promote: readBoolean(from) }
    case kinds.Promote:
      return { _tag: "Promote", id }
    case kinds.Demote:
      return { _tag: "Demote", id }
    case kinds.Remove:
      return { _tag: "Remove", id }
    case kinds.Move:
      return { _tag: "Move", id, address: from.utf8() }
    default:
      from.fail()
      return { _tag: "Leave" }
  }
}
