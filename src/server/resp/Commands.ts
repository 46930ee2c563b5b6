/** Redis' commands that are known here. Names, arities and positions of keys are Redis' own. */
import * as Expiry from "./Expiry.ts"
import * as KeyCommands from "./KeyCommands.ts"
import type { RespWriter } from "./RespWriter.ts"
import * as ServerCommands from "./ServerCommands.ts"
import { nameOf, RespError, type Step, type Words } from "./Step.ts"
import * as StringCommands from "./StringCommands.ts"

type Make = (
  words: Words,
  host: ServerCommands.Host,
  session: ServerCommands.Session
) => Step | ServerCommands.Said | RespError

interface Command {
  /** How many words, the name included; below 0, at least as many as it is below. */
  readonly arity: number
  /** Where its keys stand: first, last, step. */
  readonly keys: readonly [first: number, last: number, step: number]
  readonly flags: ReadonlyArray<"write" | "readonly" | "fast" | "noscript" | "loading">
  readonly summary: string
  readonly make: Make
}

const write = (arity: number, keys: Command["keys"], summary: string, make: Make): Command => ({
  arity,
  keys,
  flags: ["write"],
  summary,
  make
})
const read = (arity: number, keys: Command["keys"], summary: string, make: Make): Command => ({
  arity,
  keys,
  flags: ["readonly"],
  summary,
  make
})
const serve = (arity: number, summary: string, make: Make): Command => ({
  arity,
  keys: noKeys,
  flags: ["fast", "loading"],
  summary,
  make
})
/** The session sees to it before it gets here. */
const session = (arity: number, summary: string): Command =>
  serve(arity, summary, () => new RespError("ERR not in this place"))

const noKeys: Command["keys"] = [0, 0, 0]
const one: Command["keys"] = [1, 1, 1]
const many: Command["keys"] = [1, -1, 1]
const pairs: Command["keys"] = [1, -1, 2]

const commands = new Map<string, Command>([
  ["GET", read(2, one, "Returns the value of a key.", StringCommands.getString)],
  ["SET", write(-3, one, "Sets the value of a key, on a condition and for a time if one likes.", StringCommands.set)],
  ["SETNX", write(3, one, "Sets the value of a key that does not exist.", StringCommands.setIfAbsent)],
  ["SETEX", write(4, one, "Sets the value of a key for some seconds.", StringCommands.setWithExpiry("EX"))],
  ["PSETEX", write(4, one, "Sets the value of a key for some milliseconds.", StringCommands.setWithExpiry("PX"))],
  ["GETSET", write(3, one, "Sets the value of a key and returns the one before.", StringCommands.getSet)],
  ["GETDEL", write(2, one, "Deletes a key and returns its value.", StringCommands.getDel)],
  ["GETEX", write(-2, one, "Returns the value of a key and says how long it has.", StringCommands.getEx)],
  ["MGET", read(-2, many, "Returns the values of several keys.", StringCommands.getMany)],
  ["MSET", write(-3, pairs, "Sets the values of several keys at once.", StringCommands.setMany)],
  ["MSETNX", write(-3, pairs, "Sets several values if none of the keys exists.", StringCommands.setManyIfAbsent)],
  ["APPEND", write(3, one, "Appends to the value of a key.", StringCommands.append)],
  ["STRLEN", read(2, one, "Returns how long a value is.", StringCommands.length)],
  ["INCR", write(2, one, "Adds one to the number of a key.", StringCommands.addOne(1n))],
  ["DECR", write(2, one, "Takes one from the number of a key.", StringCommands.addOne(-1n))],
  ["INCRBY", write(3, one, "Adds to the number of a key.", StringCommands.addMany(1n))],
  ["DECRBY", write(3, one, "Takes from the number of a key.", StringCommands.addMany(-1n))],
  ["DEL", write(-2, many, "Deletes keys.", KeyCommands.del)],
  ["UNLINK", write(-2, many, "Deletes keys.", KeyCommands.del)],
  ["EXISTS", read(-2, many, "Counts the keys that exist.", KeyCommands.exists)],
  ["TYPE", read(2, one, "Tells the type of a key's value: string, or none.", KeyCommands.type)],
  ["EXPIRE", write(-3, one, "Says how many seconds a key has.", Expiry.expire("EX"))],
  ["PEXPIRE", write(-3, one, "Says how many milliseconds a key has.", Expiry.expire("PX"))],
  ["EXPIREAT", write(-3, one, "Says at which second a key goes.", Expiry.expire("EXAT"))],
  ["PEXPIREAT", write(-3, one, "Says at which millisecond a key goes.", Expiry.expire("PXAT"))],
  ["TTL", read(2, one, "Tells how many seconds a key has.", Expiry.timeToLive(1000))],
  ["PTTL", read(2, one, "Tells how many milliseconds a key has.", Expiry.timeToLive(1))],
  ["PERSIST", write(2, one, "Lets a key stay.", Expiry.persistKey)],
  ["KEYS", read(2, noKeys, "Returns all keys that fit a pattern.", KeyCommands.keys)],
  [
    "SCAN",
    read(-2, noKeys, "Returns some keys, and where to go on.", (words, { cursors }) => KeyCommands.scan(cursors)(words))
  ],
  ["DBSIZE", read(1, noKeys, "Counts all keys.", KeyCommands.size)],
  ["EVAL", write(-3, noKeys, "Unlocks or extends a lock if its value is still one's own.", KeyCommands.evaluate)],
  ["PING", serve(-1, "Answers, if there is somebody.", ServerCommands.ping)],
  ["ECHO", serve(2, "Answers what it was told.", ServerCommands.echo)],
  ["HELLO", serve(-1, "Agrees on a version of the protocol.", ServerCommands.hello)],
  ["AUTH", serve(-2, "There are no passwords here.", ServerCommands.auth)],
  ["SELECT", serve(2, "Chooses database 0, the only one.", ServerCommands.select)],
  ["CLIENT", serve(-2, "Tells of connections and names them.", ServerCommands.client)],
  ["CONFIG", serve(-2, "Tells what is configured.", ServerCommands.config)],
  ["INFO", serve(-1, "Tells about the server.", ServerCommands.info)],
  ["TIME", serve(1, "Tells the time of this replica's clock.", ServerCommands.time)],
  ["COMMAND", serve(-1, "Tells of the commands.", (words) => command(words))],
  ["READONLY", serve(1, "Takes stale answers to reads, from this replica alone.", ServerCommands.takeStale(true))],
  ["READWRITE", serve(1, "Takes no stale answers any more.", ServerCommands.takeStale(false))],
  ["MULTI", session(1, "Begins a transaction.")],
  ["EXEC", session(1, "Carries out a transaction.")],
  ["DISCARD", session(1, "Forgets a transaction.")],
  ["WATCH", session(-2, "Lets the next transaction fail if a key changes before it.")],
  // In a transaction; EXEC forgets them anyway.
  ["UNWATCH", serve(1, "Forgets which keys are watched.", () => (to) => to.simple("OK"))],
  ["RESET", session(1, "Begins the connection anew.")],
  ["QUIT", session(-1, "Ends the connection.")]
])

export const lookUp = (
  words: Words,
  host: ServerCommands.Host,
  session: ServerCommands.Session
): Step | ServerCommands.Said | RespError => {
  const name = nameOf(words[0]!)
  const found = commands.get(name)
  if (found === undefined) return unknown(words)
  const { arity } = found
  const fits = arity >= 0 ? words.length === arity : words.length >= -arity
  return fits ? found.make(words, host, session) : ServerCommands.wrongNumber(name)
}

/** In Redis' words, which clients know. */
const unknown = (words: Words): RespError => {
  const name = words[0]!.toString("latin1").slice(0, 128)
  const beginning = words
    .slice(1)
    .reduce((text, word) => (text.length < 128 ? `${text}'${word.toString("latin1").slice(0, 128)}' ` : text), "")
  return new RespError(`ERR unknown command '${name}', with args beginning with: ${beginning}`)
}

/** COMMAND, COMMAND COUNT, COMMAND LIST, COMMAND INFO [name ...], COMMAND DOCS [name ...] */
const command = (words: Words): ServerCommands.Said | RespError => {
  const subcommand = words[1] === undefined ? "" : nameOf(words[1])
  const named = words.slice(2).map(nameOf)
  const all = named.length === 0 ? [...commands.keys()] : named
  switch (subcommand) {
    case "":
    case "INFO":
      return (to) => {
        to.array(all.length)
        for (const name of all) describe(name, to)
      }
    case "COUNT":
      return (to) => to.integer(commands.size)
    case "LIST":
      return (to) => {
        to.array(commands.size)
        for (const name of commands.keys()) to.text(name.toLowerCase())
      }
    case "DOCS": {
      const known = all.filter((name) => commands.has(name))
      return (to) => {
        to.map(known.length)
        for (const name of known) {
          to.text(name.toLowerCase())
          to.map(2)
          to.text("summary")
          to.text(commands.get(name)!.summary)
          to.text("group")
          to.text(commands.get(name)!.keys === noKeys ? "server" : "string")
        }
      }
    }
    default:
      return new RespError(`ERR unknown subcommand '${subcommand}'. Try COMMAND HELP.`)
  }
}

const describe = (name: string, to: RespWriter): void => {
  const known = commands.get(name)
  if (known === undefined) return to.noArray()
  const { arity, flags, keys } = known
  to.array(6)
  to.text(name.toLowerCase())
  to.integer(arity)
  to.array(flags.length)
  for (const flag of flags) to.simple(flag)
  for (const place of keys) to.integer(place)
}
