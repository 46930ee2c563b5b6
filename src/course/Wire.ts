/**
 * What travels in the course's network: one JSON object a datagram, with who sends, to whom, and who leads for all that the
 * sender knows. Of what arrives nothing is believed before it is looked at; whatever is not understood is told apart
 * by a tag, so that it can be counted, and changes nothing.
 */
import { ReplicaId } from "../raft/LogEntry.ts"
import { type CourseMessage, everybody, isId, nobody } from "./CourseMessage.ts"

/** What a client wants. On any answer it believes the answer's leader. */
export type ClientRequest = {
  readonly client: string
  readonly mid: string
  readonly key: string
} & ({ readonly _tag: "Get" } | { readonly _tag: "Put"; readonly value: string })

export type Arrived =
  | { readonly _tag: "Request"; readonly request: ClientRequest }
  /** Of a peer: its payload, and how far it knew that things are committed. */
  | {
      readonly _tag: "Peer"
      readonly from: ReplicaId
      readonly payload: string | undefined
      readonly commitIndex: number
    }
  /** Somebody waits for an answer, and what it wants cannot be understood. */
  | { readonly _tag: "Unusable"; readonly client: string; readonly mid: string; readonly why: string }
  | { readonly _tag: "Unknown"; readonly why: string }

const unknown = (why: string): Arrived => ({ _tag: "Unknown", why })

export const parse = (bytes: Uint8Array): Arrived => {
  let object: unknown
  try {
    object = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch {
    return unknown("a datagram must be one JSON object in UTF-8")
  }
  return read(object)
}

/** The same of an object that is one already. */
export const read = (object: unknown): Arrived => {
  if (typeof object !== "object" || object === null) return unknown("a datagram must be one JSON object")
  const { src, type, MID: mid, key, value, raft, commit } = object as Partial<Record<string, unknown>>
  if (!isId(src)) return unknown("`src` must be 4 hexadecimal digits")
  if (type === "raft") {
    const isSound = (raft === undefined || typeof raft === "string") && Number.isSafeInteger(commit)
    return isSound
      ? { _tag: "Peer", from: ReplicaId(src), payload: raft, commitIndex: commit as number }
      : unknown("a peer's message must have `commit`, and `raft` as text")
  }
  if (type !== "get" && type !== "put") return unknown("`type` is none that a replica is sent")
  if (typeof mid !== "string") return unknown("a request must have a `MID`")
  if (typeof key !== "string") return { _tag: "Unusable", client: src, mid, why: "`key` must be text" }
  const asked = { client: src, mid, key }
  if (type === "get") return { _tag: "Request", request: { _tag: "Get", ...asked } }
  if (typeof value !== "string") return { _tag: "Unusable", client: src, mid, why: "`value` must be text" }
  if (key.length + value.length > maxPutLength) {
    return { _tag: "Unusable", client: src, mid, why: `key and value must be at most ${maxPutLength} long together` }
  }
  return { _tag: "Request", request: { _tag: "Put", ...asked, value } }
}

/** In the worst case every unit of text takes six bytes (an escape); a put must fit into one append. */
export const maxPutLength = 4096

export interface Envelope {
  readonly id: string
  readonly leader: string | undefined
}

const addressed = ({ id, leader }: Envelope, dst: string) => ({ src: id, dst, leader: leader ?? nobody })

/** The first message of all: the network learns from it where this replica is. */
export const hello = (id: string): CourseMessage => ({
  ...addressed({ id, leader: undefined }, everybody),
  type: "hello"
})

export const peer = (from: Envelope, to: string, payload: string | undefined, commitIndex: number): CourseMessage =>
  payload === undefined
    ? { ...addressed(from, to), type: "raft", commit: commitIndex }
    : { ...addressed(from, to), type: "raft", raft: payload, commit: commitIndex }

export const ok = (
  from: Envelope,
  { client, mid, value }: { readonly client: string; readonly mid: string; readonly value?: string }
): CourseMessage =>
  value === undefined
    ? { ...addressed(from, client), type: "ok", MID: mid }
    : { ...addressed(from, client), type: "ok", MID: mid, value }

export const redirect = (from: Envelope, { client, mid }: Pick<ClientRequest, "client" | "mid">): CourseMessage => ({
  ...addressed(from, client),
  type: "redirect",
  MID: mid
})

export const fail = (from: Envelope, { client, mid }: Pick<ClientRequest, "client" | "mid">): CourseMessage => ({
  ...addressed(from, client),
  type: "fail",
  MID: mid
})
