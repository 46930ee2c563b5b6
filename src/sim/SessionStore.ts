/**
 * Sessions under test: clients send the same command again, at any replica, whether or not they have heard what became
 * of it, and some give another command a name that is taken. The machine inside keeps what was ever applied, which
 * tells a command that took effect twice from one that did not (I15).
 */
import * as OrderedMap from "../kv/OrderedMap.ts"
import type { ClusterTime } from "../raft/LogEntry.ts"
import type { Machine } from "../raft/Machine.ts"
import * as Roster from "../sessions/Roster.ts"
import type { Named, SessionCommand, SessionResult } from "../sessions/Session.ts"
import * as Sessions from "../sessions/Sessions.ts"
import { mix, type Random, text } from "./Random.ts"
import { inWords, type Subject } from "./Subject.ts"

/** Each name has a word that no other has, and another one for clients that are careless. */
export interface Say {
  readonly _tag: "Say"
  readonly word: string
}

export interface Said {
  readonly _tag: "Said"
  /** How many words were said until then. */
  readonly count: number
  readonly time: ClusterTime
}

export interface Words {
  readonly count: number
  /** When each was said last. */
  readonly said: OrderedMap.OrderedMap<Said>
}

export const words: Machine<Words, Say, Said, undefined, number> = {
  initial: { count: 0, said: OrderedMap.empty },
  apply: ({ count, said }, { word }, { time }) => {
    const result: Said = { _tag: "Said", count: count + 1, time }
    return [{ count: count + 1, said: OrderedMap.set(said, word, result) }, result]
  },
  query: ({ count }) => count,
  sizeOf: ({ word }) => word.length,
  digest: ({ word }, { count }) => mix(text(word), count)
}

type State = Sessions.Sessioned<Words, Said>
type Command = SessionCommand<Say>
type Result = SessionResult<Said>

/** Few and for a short time, so that keys are forgotten in the middle of it all; clients are not. */
const keys: Roster.RosterLimits = { lifetimeMillis: 4000, maxCount: 12, maxBytes: 1_000_000 }
const clients: Roster.RosterLimits = { lifetimeMillis: 1e12, maxCount: 1000, maxBytes: 1_000_000 }

export const options: Sessions.SessionOptions<Say, Said> = {
  identify: ({ word }) => text(word) >>> 0,
  weigh: () => 16,
  limits: { keys, clients }
}

export const machine = Sessions.over(words, options)

/** A name of now or of a while ago: an earlier operation's, and with it its command, unless the client is careless. */
const command = (random: Random, number: number): Command => {
  const meant = Math.max(1, number - random.pick([0, 0, 0, 1, 2, 5, 10, 20]))
  const word = random.chance(0.08) ? `other ${meant}` : `word ${meant}`
  if (random.chance(0.05)) return { _tag: "Say", word: `plain ${number}` }
  if (random.chance(0.5)) return { session: { _tag: "Key", key: `k${meant}` }, command: { _tag: "Say", word } }
  const client = `c${meant % 3}`
  if (random.chance(0.15)) return { session: { _tag: "Register", client } }
  return {
    session: { _tag: "Client", client, sequence: meant },
    command: { _tag: "Say", word: `${client}: ${word}` }
  }
}

/** A command takes effect once, and whoever sends it again hears the same; a key is another story when it is forgotten. */
export const rule = (
  { value: before }: State,
  { value: after }: State,
  command: Command,
  result: Result
): string | undefined => {
  if (!("session" in command)) return undefined
  if (result._tag === "NotApplied" || result._tag === "Registered") {
    return after === before ? undefined : `${inWords(result)}, and it has changed something`
  }
  const { session, command: said } = command as Named<Say>
  const first = OrderedMap.get(before.said, said.word)
  if (result._tag === "Repeated") {
    const isSame = result.result?.count === first?.count && after === before
    return isSame ? undefined : `${inWords(session)} was told ${inWords(result)}, and it was ${inWords(first)}`
  }
  if (first === undefined) return undefined
  const isForgotten =
    session._tag === "Key" &&
    (result.time >= first.time + keys.lifetimeMillis || result.count - first.count >= keys.maxCount)
  return isForgotten ? undefined : `${inWords(session)} took effect at ${inWords(first)} and at ${inWords(result)}`
}

const digestOf = <R>(roster: Roster.Roster<R>, from: number): number => {
  let digest = mix(from, Roster.size(roster))
  Roster.walk(roster, 0, (name, { sequence, digest: command, time }) => {
    digest = mix(mix(mix(mix(digest, text(name)), sequence), command), time)
    return true
  })
  return digest
}

export const subject: Subject<State, Command, Result, undefined, number> = {
  name: "sessions",
  machine,
  command,
  query: () => undefined,
  digest: ({ value, sessions }) => digestOf(sessions.clients, digestOf(sessions.keys, value.count)),
  /** It has forgotten everybody. */
  alter: (_, { value }) => ({ value: { ...value, count: value.count + 1 }, sessions: Sessions.none }),
  rule,
  sameResult: (one, other) => inWords(one) === inWords(other),
  sameAnswer: (one, other) => one === other
}
