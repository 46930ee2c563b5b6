/**
 * What may be changed about the cluster itself while it runs: its members, and what its commands may
 * mean. An amendment is asked for at any replica, checked by the leader, and then an entry in the log
 * like any command. Saying again what is so already is no error: whoever has not heard an answer may
 * ask again.
 */
import * as Configurations from "./Configuration.ts"
import type { Configuration, Learner, MemberAddress } from "./Configuration.ts"
import type { ReplicaId } from "./LogEntry.ts"

export type Amendment =
  | {
      readonly _tag: "Members"
      /** All of them or none; in one step, however many voters they change. */
      readonly changes: ReadonlyArray<MemberChange>
      /** False to stay in the joint configuration until it is left by a `Leave` (for tests of that, and drills). */
      readonly autoLeave: boolean
      /** Even if the voters that are in reach would not be a majority of those after the change. */
      readonly force: boolean
    }
  /** The version of commands may not rise beyond `ceiling`, and comes down to it; `undefined` for no such limit. */
  | { readonly _tag: "Version"; readonly ceiling: number | undefined }

export type MemberChange =
  /** As a learner; `promote` makes it a voter when it has caught up. */
  | { readonly _tag: "Add"; readonly id: ReplicaId; readonly address: string | undefined; readonly promote: boolean }
  /** A learner becomes a voter. */
  | { readonly _tag: "Promote"; readonly id: ReplicaId }
  /** A voter becomes a learner. */
  | { readonly _tag: "Demote"; readonly id: ReplicaId }
  | { readonly _tag: "Remove"; readonly id: ReplicaId }
  /** Peers reach it elsewhere. */
  | { readonly _tag: "Move"; readonly id: ReplicaId; readonly address: string }
  /** Ends a joint configuration that is not left by itself. */
  | { readonly _tag: "Leave" }

/** Why an amendment cannot be made, whoever leads. */
export type Objection =
  /** There is no such member to promote, demote or move. */
  | "NotAMember"
  /** Nobody would be left to vote. */
  | "LastVoter"
  /** Another one is under way. */
  | "ChangePending"
  /** Nothing to leave. */
  | "NotJoint"

export type Amended =
  | { readonly _tag: "Configuration"; readonly configuration: Configuration }
  | { readonly _tag: "Objection"; readonly objection: Objection }

interface Draft {
  voters: ReadonlyArray<ReplicaId>
  learners: ReadonlyArray<Learner>
  addresses: ReadonlyArray<MemberAddress>
}

const object = (objection: Objection): Amended => ({ _tag: "Objection", objection })

/**
 * The configuration that comes next. Where voters change it is joint, and `leave` gives the one after.
 * What is so already gives the present one.
 */
export const amend = (
  before: Configuration,
  { changes, autoLeave }: Extract<Amendment, { readonly _tag: "Members" }>
): Amended => {
  if (Configurations.isJoint(before)) {
    const isLeave = changes.length === 1 && changes[0]!._tag === "Leave"
    return isLeave ? { _tag: "Configuration", configuration: leave(before) } : object("ChangePending")
  }
  const draft: Draft = { voters: before.voters, learners: before.learners, addresses: before.addresses }
  for (const change of changes) {
    const objection = change._tag === "Leave" ? "NotJoint" : apply(draft, change)
    if (objection !== undefined) return object(objection)
  }
  if (draft.voters.length === 0) return object("LastVoter")
  const same = draft.voters.length === before.voters.length && draft.voters.every((id) => before.voters.includes(id))
  if (same) return { _tag: "Configuration", configuration: { ...before, ...draft, voters: before.voters } }
  // Those who go are reached until they have gone.
  const known = new Set(draft.addresses.map(({ id }) => id))
  const leaving = before.addresses.filter(({ id }) => before.voters.includes(id) && !known.has(id))
  const addresses = [...draft.addresses, ...leaving]
  return { _tag: "Configuration", configuration: { ...draft, outgoing: before.voters, autoLeave, addresses } }
}

/** What follows a joint configuration. */
export const leave = (joint: Configuration): Configuration => {
  const after = { ...joint, outgoing: [], autoLeave: false }
  return { ...after, addresses: joint.addresses.filter(({ id }) => Configurations.isMember(after, id)) }
}

/** What a member is called while nothing is known of where it is. */
const withAddress = (
  addresses: ReadonlyArray<MemberAddress>,
  id: ReplicaId,
  address: string | undefined
): ReadonlyArray<MemberAddress> => {
  const others = addresses.filter((member) => member.id !== id)
  return address === undefined ? others : [...others, { id, address }]
}

const apply = (draft: Draft, change: Exclude<MemberChange, { readonly _tag: "Leave" }>): Objection | undefined => {
  const { id } = change
  const votes = draft.voters.includes(id)
  const learner = draft.learners.find((one) => one.id === id)
  const others = draft.learners.filter((one) => one.id !== id)
  switch (change._tag) {
    case "Add": {
      draft.addresses = withAddress(draft.addresses, id, change.address ?? addressIn(draft, id))
      if (votes) return undefined
      const promote = change.promote || learner?.promote === true
      if (learner?.promote !== promote) draft.learners = [...others, { id, promote }]
      return undefined
    }
    case "Promote":
      if (votes) return undefined
      if (learner === undefined) return "NotAMember"
      draft.learners = others
      draft.voters = [...draft.voters, id]
      return undefined
    case "Demote":
      if (!votes) return learner === undefined ? "NotAMember" : undefined
      draft.voters = draft.voters.filter((voter) => voter !== id)
      draft.learners = [...others, { id, promote: false }]
      return undefined
    case "Remove":
      draft.voters = votes ? draft.voters.filter((voter) => voter !== id) : draft.voters
      draft.learners = others
      draft.addresses = withAddress(draft.addresses, id, undefined)
      return undefined
    case "Move":
      if (!votes && learner === undefined) return "NotAMember"
      draft.addresses = withAddress(draft.addresses, id, change.address)
      return undefined
  }
}

const addressIn = ({ addresses }: Draft, id: ReplicaId): string | undefined =>
  addresses.find((member) => member.id === id)?.address
