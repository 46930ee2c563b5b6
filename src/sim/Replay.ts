/**
 * A recorded run, told as a golden script: each replica takes in exactly these events at exactly
 * these instants, and the oracle that judged the run judges it again. Above each `---` stands
 * what is ordered, below it what came of it.
 *
 *   cluster A B | C registers electionTimeoutMillis=100 ...   nobody runs yet; A and B found it
 *   restart A seed 12 at 345.6 version 1 founders A B   A starts from its disk, with this chance and program
 *   ask 7 A Command {...}                      a client of A wants this: operation 7
 *   step A at 345.6: B#3, deadline, 7 as 1.4   as one batch: the third message from B, the news that the
 *                                              deadline has passed, operation 7 under that name
 *   crash A [after N effects]                  at once, or in A's next step
 *   stores A {...}                             the snapshot that A has taken is on its disk
 *   sends A B {...}                            a chunk of one leaves A
 *   receives A {...}                           one that A was sent is on its disk
 *   retire A                                   A, which is down and no member, has lost its disk
 *   wipe A / damage A                          A, which is down, has lost its disk / its latest snapshot
 *   alter A seed 12                            A's value changes under it
 *
 * Effects take no time here, so what hangs on a slow disk may not show; a run that breaks its
 * rule here too ends with the word BROKEN.
 */
import * as Configurations from "../raft/Configuration.ts"
import { Instant, type ReplicaId } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import * as Replica from "../raft/Replica.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import * as Canon from "./CanonicalLog.ts"
import * as Desks from "./Desk.ts"
import * as Disks from "./Disk.ts"
import * as Ledgers from "./Ledger.ts"
import * as Library from "./Library.ts"
import * as Narration from "./Narration.ts"
import type { Operation } from "./Operation.ts"
import * as Oracles from "./Oracle.ts"
import * as Promises from "./Promises.ts"
import { stream } from "./Random.ts"
import * as Register from "./Register.ts"
import * as Store from "./Store.ts"
import type { AnyEffect, AnyEvent, AnyImage, AnyMessage, AnyReplica, AnySubject, State } from "./Subject.ts"
import { erase, fromWords, inWords } from "./Subject.ts"
import { pack } from "./Packing.ts"
import { Violation } from "./Violation.ts"

interface Member {
  readonly id: ReplicaId
  readonly number: number
  version: number
  readonly disk: Disks.Disk
  state: State | undefined
  /** The snapshot that it takes. */
  taking: AnyImage | undefined
  /** It dies in its next step, before this one of its effects. */
  crashAt: number | undefined
}

interface Replay {
  /** By the version that they understand, from 1 on. */
  readonly replicas: ReadonlyArray<AnyReplica>
  readonly members: ReadonlyArray<Member>
  readonly oracle: Oracles.Oracle
  readonly ledger: Ledgers.Ledger
  readonly library: Library.Library
  /** All that was sent on a link, in order. */
  readonly sent: Map<string, Array<AnyMessage>>
  /** By the name under which it was submitted. */
  readonly requests: Map<string, Operation>
  readonly lines: Array<string>
}

/** What the script should read. A machine that is not of the simulator's own is given along. */
export const run = (script: string, given?: AnySubject): string => {
  let replay: Replay | undefined
  const blocks: Array<string> = []
  for (const block of script.trim().split(/\n\s*\n/)) {
    const commands = block.split("\n---")[0]!.split("\n")
    const begun: Replay = replay ?? cluster(commands[0]!.split(" ").slice(1), given)
    let broken: string | undefined
    try {
      for (const line of commands) if (replay !== undefined) command(begun, line)
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      broken = `BROKEN: ${error.rule}: ${error.detail}`
    }
    const said = [...begun.lines.splice(0), ...(broken === undefined ? [] : [broken])]
    blocks.push([...commands, ...(said.length === 0 ? [] : ["---", ...said])].join("\n"))
    if (broken !== undefined) break
    replay = begun
  }
  return `${blocks.join("\n\n")}\n`
}

const subjects = [erase(Register.subject), erase(Store.subject)]

const cluster = (words: ReadonlyArray<string>, given: AnySubject | undefined): Replay => {
  const known = given === undefined ? subjects : [...subjects, given]
  const subject = known.find(({ name }) => words.includes(name))
  if (subject === undefined) {
    throw new Error(`a recording begins with \`cluster A B ... ${known.map(({ name }) => name).join("|")}\``)
  }
  const options = Object.fromEntries(
    words.filter((word) => word.includes("=")).map((word) => [word.split("=")[0], value(word.split("=")[1])])
  ) as Partial<Options>
  const members = words
    .filter((word) => /^[A-Z]$/.test(word))
    .map((_, number): Member => {
      const id = Disks.replicaName(number)
      return { id, number, version: 1, disk: Disks.blank(), state: undefined, taking: undefined, crashAt: undefined }
    })
  const canon = Canon.empty(subject)
  const replicas = [1, 2, 3, 4].map((version) => Replica.make({ ...subject.machine, version, pack }, options))
  const border = words.indexOf("|")
  return {
    replicas,
    members,
    oracle: Oracles.make(members, border === -1 ? members.length : border, canon, replicas[0]!.options),
    ledger: Ledgers.empty(canon),
    library: new Map(),
    sent: new Map(),
    requests: new Map(),
    lines: []
  }
}

const command = (replay: Replay, line: string): void => {
  const [verb, ...words] = line.replace(":", "").split(" ")
  const member = (name: string | undefined): Member => replay.members.find(({ id }) => id === name)!
  switch (verb) {
    case "restart":
      return start(replay, member(words[0]), {
        seed: Number(words[2]),
        at: Number(words[4]),
        version: Number(words[6]),
        founders: words.slice(8).map((name) => member(name).id)
      })
    case "ask":
      return ask(replay, member(words[1]), words[2]!, line.slice(line.indexOf("{")))
    case "step":
      return step(replay, member(words[0]), Number(words[2]), line.slice(line.indexOf(":") + 2).split(", "))
    case "crash":
      if (words[2] === undefined) member(words[0]).state = undefined
      else member(words[0]).crashAt = Number(words[2])
      return
    case "stores":
      return stores(replay, member(words[0]))
    case "sends":
      return send(replay, `${words[0]}->${words[1]}`, fromWords(line.slice(line.indexOf("{"))) as AnyMessage)
    case "receives":
      return receives(replay, member(words[0]), fromWords(line.slice(line.indexOf("{"))) as Snapshot)
    case "wipe":
      Oracles.onForget(replay.oracle, member(words[0]))
      return Disks.wipe(member(words[0]).disk)
    case "retire":
      Oracles.onRetire(replay.oracle, member(words[0]))
      Disks.wipe(member(words[0]).disk)
      member(words[0]).disk.admitted = false
      return
    case "damage":
      return Disks.damage(member(words[0]).disk)
    case "alter": {
      const { subject } = replay.oracle.canon
      const random = stream(Number(words[2]), "alter")
      return Oracles.alter(replay.oracle, member(words[0]), (value) => subject.alter(random, value))
    }
    default:
      throw new Error(`no such command: ${line}`)
  }
}

interface Begun {
  readonly seed: number
  readonly at: number
  readonly version: number
  readonly founders: ReadonlyArray<ReplicaId>
}

const replicaOf = ({ replicas }: Replay, { version }: Member): AnyReplica => replicas[version - 1]!

const start = (replay: Replay, member: Member, { seed, at, version, founders }: Begun): void => {
  member.version = version
  Oracles.recover(replay.oracle, member)
  member.disk.incarnation++
  member.state = replicaOf(replay, member).init({
    id: member.id,
    incarnation: member.disk.incarnation,
    configuration: Configurations.of(founders),
    at: Instant(at),
    seed,
    ...Disks.contents(member.disk)
  })
  Oracles.onStart(replay.oracle, member, member.state)
  replay.lines.push(Narration.status(member.state))
}

const stores = (replay: Replay, member: Member): void => {
  const { oracle, library } = replay
  if (member.taking === undefined) throw new Error(`${member.id} takes no snapshot`)
  const taken = { image: member.taking, chain: oracle.chains[member.number]!, hand: member.number % 2 }
  Disks.store(member.disk, Library.add(library, oracle.canon.subject, taken))
}

const receives = (replay: Replay, member: Member, snapshot: Snapshot): void => {
  const stored = Library.find(replay.library, snapshot)
  if (stored === undefined) throw new Error(`nobody has taken the snapshot that ${member.id} receives`)
  Oracles.onImage(replay.oracle, member, stored.image, "received")
  Disks.store(member.disk, stored)
}

const send = ({ sent }: Replay, link: string, message: AnyMessage): void => {
  if (!sent.has(link)) sent.set(link, [])
  sent.get(link)!.push(message)
}

const ask = (replay: Replay, member: Member, kind: string, input: string): void => {
  Ledgers.invoke(replay.ledger, {
    client: 0,
    replica: member.id,
    kind: kind as Operation["kind"],
    input: fromWords(input),
    invokedAt: 0
  })
}

const step = (replay: Replay, member: Member, at: number, words: ReadonlyArray<string>): void => {
  const before = member.state
  if (before === undefined) throw new Error(`${member.id} is down`)
  const events = words.map((word) => ({ ...taken(replay, member, word), at: Instant(at) }) as AnyEvent)
  const [after, effects] = replicaOf(replay, member).reduceAll(before, events)
  const done = member.crashAt === undefined ? effects : effects.slice(0, member.crashAt)
  replay.lines.push(...events.map((event) => `${member.id}: ${Narration.event(event, inWords)}`))
  replay.lines.push(...Narration.step(before, after, done, inWords))
  member.state = after
  Oracles.onStep(replay.oracle, member, { before, after, effects })
  for (const effect of done) carryOut(replay, member, effect)
  if (member.crashAt === undefined) return
  replay.lines.push(`${member.id}: crashes, with ${effects.length - done.length} effects not carried out`)
  member.state = undefined
  member.crashAt = undefined
}

/** What is on a command line is a number, or yes or no. */
const value = (word: string | undefined): number | boolean =>
  word === "true" || word === "false" ? word === "true" : Number(word)

const taken = (replay: Replay, member: Member, word: string): object => {
  if (word === "deadline") return { _tag: "DeadlineReached" }
  if (word === "full" || word === "room") return { _tag: "DiskSpaceChanged", full: word === "full" }
  if (word.startsWith("Snapshot")) return ofSnapshot(replay, word)
  if (word.startsWith("transfer")) {
    const to = word.split(" ")[1]
    return { _tag: "TransferRequested", to: to === "away" ? undefined : to }
  }
  const [from, number] = word.split("#")
  if (number !== undefined) {
    const message = replay.sent.get(`${from}->${member.id}`)?.[Number(number) - 1]
    if (message === undefined) throw new Error(`${from} has not sent ${word} to ${member.id}`)
    return { _tag: "MessageReceived", from, message }
  }
  const [operation, , name] = word.split(" ")
  const [incarnation = 0, sequence = 0] = name!.split(".").map(Number)
  const asked = replay.ledger.operations[Number(operation) - 1]!
  replay.requests.set(`${member.id}${name}`, asked)
  const request = { replica: member.id, incarnation, sequence }
  return Desks.submission({ operation: asked, request })
}

const ofSnapshot = ({ library }: Replay, word: string): object => {
  const _tag = word.split(" ")[0]
  const named = fromWords(word.slice(word.indexOf("{")))
  if (_tag === "SnapshotFailed") return { _tag, last: named }
  const snapshot = named as Snapshot
  return { _tag, snapshot, ...(_tag === "SnapshotReceived" ? { image: Library.find(library, snapshot)?.image } : {}) }
}

const carryOut = (replay: Replay, member: Member, effect: AnyEffect): void => {
  const { oracle, ledger, requests } = replay
  switch (effect._tag) {
    case "Persist":
      Oracles.onSynced(oracle, member, effect)
      return Oracles.onOwnSync(oracle, member, effect)
    case "Send": {
      Promises.onSend(oracle, member, effect.to, effect.message)
      return send(replay, `${member.id}->${effect.to}`, effect.message)
    }
    case "Reply": {
      const { incarnation, sequence } = effect.request
      const operation = requests.get(`${member.id}${incarnation}.${sequence}`)
      const { outcome } = effect
      if (operation === undefined || (outcome._tag !== "Applied" && outcome._tag !== "Answered")) return
      Promises.onAnswer(oracle, member, outcome._tag === "Applied" ? operation.number : undefined)
      const output = outcome._tag === "Applied" ? outcome.result : outcome.answer
      return Ledgers.end(ledger, operation, { _tag: "Done", output, at: 0 })
    }
    case "TakeSnapshot":
      Oracles.onImage(oracle, member, effect.image, "taken")
      member.taking = effect.image
      return
    default:
      return
  }
}
