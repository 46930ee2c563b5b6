/** Requests about members, from JSON: etcd's by number or, as only Balsa has it, by name. */
import type { MemberChange } from "../raft/Amendment.ts"
import { ReplicaId } from "../raft/LogEntry.ts"
import type { MembersAmendment } from "../runtime/Amendments.ts"
import { parseAddress } from "../transport/Address.ts"
import { type GatewayError, invalid } from "./GatewayError.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"

/** One of the two is "". */
export interface Named {
  readonly _tag: "Named"
  /** etcd's number of it, in decimal. */
  readonly id: string
  readonly name: string
  readonly force: boolean
}

export interface Add {
  readonly _tag: "Add"
  readonly id: ReplicaId
  readonly address: string
  readonly isLearner: boolean
  readonly force: boolean
}

/** One change takes a few bytes, and all of them one entry. */
const maxChanges = 64
const nameShape = /^[A-Za-z0-9._-]{1,64}$/

export const named = (object: JsonObject): Named | GatewayError => namedBy(object, "ID")

/** Neither means whoever is best placed. */
export const transferee = (object: JsonObject): Named | GatewayError => {
  const absent = object["targetID"] === undefined && object["target_ID"] === undefined && object["name"] === undefined
  return absent ? { _tag: "Named", id: "", name: "", force: false } : namedBy(object, "targetID")
}

const namedBy = (object: JsonObject, field: string): Named | GatewayError => {
  const fields = new RequestFields(object)
  const id = fields.decimal(field)
  const name = fields.string("name")
  const force = fields.flag("force", "force")
  if (fields.problem !== undefined) return fields.problem
  if (id === "" && name === "") return invalid(`balsa: say which member: "${field}", or "name"`)
  return { _tag: "Named", id: name === "" ? id : "", name, force }
}

export const add = (object: JsonObject): Add | GatewayError => {
  const fields = new RequestFields(object)
  const name = fields.string("name")
  const isLearner = fields.flag("isLearner", "is_learner")
  const force = fields.flag("force", "force")
  if (fields.problem !== undefined) return fields.problem
  if (!nameShape.test(name)) {
    return invalid(
      'balsa: "name" must be the id with which the new replica is started: 1 to 64 letters, digits, ".", "_" or "-"'
    )
  }
  const place = addressOf(object)
  return place._tag === "GatewayError"
    ? place
    : { _tag: "Add", id: ReplicaId(name), address: place.address, isLearner, force }
}

/** Where peers reach a member: its only peer URL. */
export const addressOf = (
  object: JsonObject
): { readonly _tag: "Address"; readonly address: string } | GatewayError => {
  const fields = new RequestFields(object)
  const urls = fields.strings("peerURLs")
  if (fields.problem !== undefined) return fields.problem
  const address = urls[0]?.replace(/^https?:\/\//, "").replace(/\/$/, "")
  if (urls.length !== 1 || address === undefined) return invalid('balsa: "peerURLs" must have one address, and no more')
  return parseAddress(address) === undefined ? badAddress(address) : { _tag: "Address", address }
}

const badAddress = (text: string): GatewayError =>
  invalid(
    `balsa: ${JSON.stringify(text.slice(0, 100))} is not an address; write HOST:PORT, for example http://10.0.0.4:7504`
  )

const kinds = ["add", "promote", "demote", "remove", "move", "leave"] as const

/** `{"changes":[{"type":"add","name":"D","address":"10.0.0.4:7504","promote":true}],"force":false}` */
export const changes = (object: JsonObject): MembersAmendment | GatewayError => {
  const fields = new RequestFields(object)
  const force = fields.flag("force", "force")
  const list = fields.objects("changes")
  if (fields.problem !== undefined) return fields.problem
  if (list.length === 0 || list.length > maxChanges)
    return invalid(`balsa: "changes" must have 1 to ${maxChanges} changes`)
  const changes: Array<MemberChange> = []
  for (const one of list) {
    const change = changeOf(one)
    if (change._tag === "GatewayError") return change
    changes.push(change)
  }
  return { _tag: "Members", changes, autoLeave: true, force }
}

const changeOf = (object: JsonObject): MemberChange | GatewayError => {
  const fields = new RequestFields(object)
  const type = fields.string("type")
  const kind = kinds.find((one) => one === type)
  const name = fields.string("name")
  const address = fields.string("address")
  const promote = object["promote"] === undefined ? true : fields.flag("promote", "promote")
  if (fields.problem !== undefined) return fields.problem
  if (kind === undefined) return invalid(`balsa: "type" of a change must be one of ${kinds.join(", ")}`)
  if (kind === "leave") return { _tag: "Leave" }
  if (!nameShape.test(name)) return invalid('balsa: "name" of a change must be the id of a replica')
  if (address !== "" && parseAddress(address) === undefined) return badAddress(address)
  const id = ReplicaId(name)
  switch (kind) {
    case "add":
      return { _tag: "Add", id, address: address === "" ? undefined : address, promote }
    case "promote":
      return { _tag: "Promote", id }
    case "demote":
      return { _tag: "Demote", id }
    case "remove":
      return { _tag: "Remove", id }
    case "move":
      return address === ""
        ? invalid('balsa: a change of type "move" needs an "address"')
        : { _tag: "Move", id, address }
  }
}
