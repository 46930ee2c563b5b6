/**
 * A client of the course's simulator. It never times out and never sends anything twice: a request that
 * nobody answers stays open to the end. Its keys are its own, so it knows what a get must say: the value
 * of the last put that it got an `ok` for, at the moment when the answer arrives.
 */
import type { Random } from "../Random.ts"
import { type CourseMessage, nobody } from "../../course/CourseMessage.ts"
import { shown } from "./CourseMessage.ts"

export interface Client {
  readonly id: string
  /** Whom the last answer named. */
  leader: string
  /** What it has an `ok` for. */
  readonly items: Map<string, string>
  readonly open: Map<string, Request>
  /** Requests that are answered: whether with `ok`. */
  readonly closed: Map<string, boolean>
}

export interface Request {
  readonly kind: "get" | "put"
  readonly key: string
  /** What a put writes. */
  readonly value: string
  readonly askedAt: number
}

export type Answer =
  /** It is as it should be; `again` when the client has to ask anew. */
  | { readonly _tag: "Right"; readonly request: Request; readonly again: boolean }
  /** Yet another answer to what was answered with `ok`. */
  | { readonly _tag: "Duplicate" }
  | { readonly _tag: "Wrong"; readonly why: string }

export const make = (id: string): Client => ({
  id,
  leader: nobody,
  items: new Map(),
  open: new Map(),
  closed: new Map()
})

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

const word = (random: Random, length: number): string => {
  let made = ""
  while (made.length < length) made += letters[random.below(letters.length)]
  return made
}

/** A get of a key that it has; it must have one. */
export const drawGet = (client: Client, random: Random, now: number): Request => ({
  kind: "get",
  key: random.pick([...client.items.keys()]),
  value: "",
  askedAt: now
})

/** As often to a key that it has as to a new one. */
export const drawPut = (client: Client, random: Random, now: number): Request => {
  const known = client.items.size > 0 && random.chance(0.5)
  const key = known ? random.pick([...client.items.keys()]) : word(random, 32)
  return { kind: "put", key, value: word(random, 32), askedAt: now }
}

/** To the leader that it believes in if that is alive, else to anybody who is; undefined when nobody is. */
export const ask = (
  client: Client,
  request: Request,
  living: ReadonlyArray<string>,
  random: Random
): CourseMessage | undefined => {
  const id = word(random, 16)
  client.open.set(id, request)
  if (!living.includes(client.leader)) client.leader = nobody
  if (living.length === 0) return undefined
  const dst = client.leader === nobody ? random.pick(living) : client.leader
  const { kind: type, key, value } = request
  const message = { src: client.id, dst, leader: client.leader, type, MID: id, key }
  return type === "put" ? { ...message, value } : message
}

export const answered = (client: Client, message: CourseMessage): Answer => {
  const { MID: id, type } = message
  if (typeof id !== "string") return wrong("an answer without MID", message)
  if (type !== "ok" && type !== "fail" && type !== "redirect") return wrong(`an answer of type "${type}"`, message)
  const closed = client.closed.get(id)
  if (closed === true) return { _tag: "Duplicate" }
  if (closed === false) return wrong("a second answer, to what was refused", message)
  const request = client.open.get(id)
  if (request === undefined) return wrong("an answer to what was not asked", message)
  client.open.delete(id)
  client.closed.set(id, type === "ok")
  client.leader = message.leader
  if (type !== "ok") return { _tag: "Right", request, again: true }
  if (request.kind === "put") {
    client.items.set(request.key, request.value)
    return { _tag: "Right", request, again: false }
  }
  const expected = client.items.get(request.key) ?? ""
  if (message["value"] === expected) return { _tag: "Right", request, again: false }
  return wrong(`a get's value, which must be "${expected}"`, message)
}

const wrong = (what: string, message: CourseMessage): Answer => ({ _tag: "Wrong", why: `${what}: ${shown(message)}` })
