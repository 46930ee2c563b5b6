/**
 * Which messages, and which links, a script's words mean. `A->B` is a link, `A->` and `->B`
 * are all that A sends and all that B is sent; several of them are any of them.
 */
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Flying } from "./Stage.ts"

type Words = ReadonlyArray<string>

/** Of these, in the order in which they were sent: by link, by type, the newest first, only one. */
export const messages = (flight: ReadonlyArray<Flying>, words: Words): ReadonlyArray<Flying> => {
  const tag = type(words)
  const wanted = words.filter(isLink)
  const found = flight.filter(
    ({ from, to, message }) =>
      (tag === undefined || tag === message._tag) &&
      (wanted.length === 0 || wanted.some((word) => isOn(word, from, to)))
  )
  const ordered = words.includes("newest") ? found.toReversed() : found
  return words.includes("one") ? ordered.slice(0, 1) : ordered
}

/** The message type that is named. */
export const type = (words: Words): string | undefined =>
  words.find((word) => /^[A-Z][A-Za-z]{2}/.test(word) && !isLink(word))

/** As `A->B` each. A replica is all of its links, `A B | C D` all between two sides. */
export const links = (all: ReadonlyArray<ReplicaId>, words: Words): ReadonlyArray<string> => {
  const border = words.indexOf("|")
  const near = words.slice(0, Math.max(0, border))
  const far = words.slice(border + 1)
  const isMeant = (from: string, to: string): boolean =>
    border === -1
      ? words.some((word) => (isLink(word) ? isOn(word, from, to) : word === from || word === to))
      : (near.includes(from) && far.includes(to)) || (near.includes(to) && far.includes(from))
  const pairs = all.flatMap((from) => all.filter((to) => to !== from).map((to) => ({ from, to })))
  return pairs.filter(({ from, to }) => isMeant(from, to)).map(({ from, to }) => `${from}->${to}`)
}

const isLink = (word: string): boolean => word.includes("->")

const isOn = (link: string, from: string, to: string): boolean => {
  const [source, target] = link.split("->")
  return (source === "" || source === from) && (target === "" || target === to)
}
