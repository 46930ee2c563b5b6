/**
 * Golden scripts: text in, the same text with what happened out. A block is one command or
 * several, a line `---`, and below it what they led to. Commands in parentheses set the
 * scene; what they lead to is left out. `#` begins a remark.
 *
 *   cluster A B C [maxAppendEntries=1 ...]   a new cluster; nobody leads
 *   disk A term 3 [vote B] log 1 1 2         A starts from this disk (terms of its entries)
 *   elect A                                  deadline, all votes, the first entry, everywhere committed
 *
 *   deadline A                               time passes to A's next deadline, and A is told
 *   wait 50                                  time passes, nobody is told
 *   pass 600 A                               as much, while A is told whenever it wants to be, and all is delivered
 *   put A x 1 / get A x                      a client of A
 *   resubmit A                               A's runtime asks again for what waits too long
 *   together A put x 1, get x, B->A          A is told of these at once, as one batch (of all that is
 *                                            in flight to A, if nothing is named); also: deadline
 *
 *   deliver                                  what is in flight, and what that leads to, until nothing is
 *   deliver WHICH [newest] [one]             of what is in flight now, each message by itself, the
 *                                            oldest (newest) first, only the first
 *   drop WHICH / double WHICH                it is lost / arrives twice
 *   hold WHICH / release [WHICH]             it arrives later / it is in flight again
 *   say B->A RequestVoteReply term 2, ...    in flight, though B never said it (words as printed)
 *   cut WHERE [Type] / heal [WHERE]          from now on, what is sent there is lost
 *   cut A B | C D E                          all links between two sides
 *
 *   slow A / sync A / fast A                 A's disk takes until it is told to be done; and no more
 *   crash A [after N effects]                at once, or in A's next step
 *   restart A
 *   amend A: add D+, remove B                a client of A wants other members; + to be a voter when caught up. Also
 *                                            promote, demote, leave, move D to host:1; at the end `, stay joint` and
 *                                            `, by force`; or `at most version 1`, `any version`
 *   transfer A [to B]                        A is told to hand over, or to see to it
 *   join D                                   a replica more, which is no member and knows those of the beginning
 *   program A 2                              from its next start on A understands version 2
 *   members [A ...]                          who they are, as replicas have it
 *   wipe A                                   A, which is down, has lost its disk
 *
 *   slow snapshots A / fast snapshots A      what A does with snapshots takes until it is told to be done; and no more
 *   stored A / failed A                      it is done: the snapshot is stored, or whole; or it is not
 *   damage snapshot A / lose snapshots A     a bit of the latest changes, which A finds when it starts; they are gone
 *   full A / room A                          A's disk has no room; and again has some
 *   corrupt A                                A's value changes, and nobody has told it to
 *
 *   status [A ...]                           what a replica is, and its log
 *   progress A                               what a leader believes about its followers
 *   deadlines                                the time, and when each replica wants to be told
 *
 * WHICH is any of links and one message type: `A->B`, `A->` (to anybody), `->B`, `RequestVote`.
 * WHERE is any of links and replicas; a replica is all of its links.
 *
 * Long because: it is the language, with the words for every command beside what it does.
 */
import { defaults } from "../raft/Options.ts"
import { ReplicaId } from "../raft/LogEntry.ts"
import * as Dictation from "./Dictation.ts"
import * as Disks from "./Disk.ts"
import type { Arrival } from "./Host.ts"
import * as Members from "./MemberText.ts"
import * as Narration from "./Narration.ts"
import * as Notes from "./Notes.ts"
import * as Selections from "./Selection.ts"
import * as Shelves from "./Shelf.ts"
import * as Stages from "./Stage.ts"
import type { Flying, Member, Stage } from "./Stage.ts"

/** What the script should read. */
export const run = (script: string): string => {
  let stage: Stage | undefined
  const blocks = script.trim().split(/\n\s*\n/)
  const done = blocks.map((block) => {
    const said = block.split("\n")
    const end = said.indexOf("---")
    const commands = end === -1 ? said : said.slice(0, end)
    const output: Array<string> = []
    for (const line of commands) {
      const quiet = line.startsWith("(") && line.endsWith(")")
      const words = (quiet ? line.slice(1, -1) : line).trim()
      if (words === "" || words.startsWith("#")) continue
      stage = command(stage, words)
      if (!quiet) output.push(...stage.lines)
      stage.lines = []
    }
    const shown = commands.some((line) => !/^(#|\(|\s*$)/.test(line))
    return [...commands, ...(shown ? ["---", ...(output.length === 0 ? ["nothing"] : output)] : [])].join("\n")
  })
  return `${done.join("\n\n")}\n`
}

const command = (given: Stage | undefined, line: string): Stage => {
  const [verb, ...words] = line.split(/\s+/)
  if (verb === "cluster") return cluster(words)
  if (given === undefined) throw new Error("a script begins with `cluster`")
  const handler = handlers[verb ?? ""]
  if (handler === undefined) throw new Error(`no such command: ${line}`)
  handler(given, words)
  return given
}

const cluster = (words: ReadonlyArray<string>): Stage => {
  const options: Record<string, number | boolean> = {}
  for (const word of words.filter((one) => one.includes("="))) {
    const [name = "", value] = word.split("=")
    if (!(name in defaults)) throw new Error(`no such option: ${name}`)
    options[name] = value === "true" ? true : Number(value)
  }
  const stage = Stages.make(
    words.filter((one) => !one.includes("=")),
    options
  )
  stage.lines.push(`${[...stage.members.keys()].join(", ")} follow nobody in term 0`)
  return stage
}

const member = (stage: Stage, name: string | undefined): Member => {
  const found = stage.members.get(ReplicaId(name ?? ""))
  if (found === undefined) throw new Error(`no such replica: ${name}`)
  return found
}

const handlers: Readonly<Record<string, (stage: Stage, words: ReadonlyArray<string>) => void>> = {
  disk: (stage, words) => {
    const after = (word: string): string | undefined =>
      words.includes(word) ? words[words.indexOf(word) + 1] : undefined
    const terms = words.slice(words.indexOf("log") + 1).map(Number)
    Stages.arrange(stage, member(stage, words[0]), { term: Number(after("term")), vote: after("vote"), terms })
  },
  elect: (stage, [name]) => {
    Stages.deadline(stage, member(stage, name))
    flush(stage)
    Stages.deadline(stage, member(stage, name))
    flush(stage)
  },
  deadline: (stage, [name]) => Stages.deadline(stage, member(stage, name)),
  wait: (stage, [millis]) => {
    stage.now += Number(millis)
  },
  pass: (stage, [millis, name]) => {
    const until = stage.now + Number(millis)
    const of = member(stage, name)
    while (of.state !== undefined && Stages.replicaOf(stage, of).nextDeadline(of.state) <= until) {
      Stages.deadline(stage, of)
      flush(stage)
    }
    stage.now = until
  },
  deliver: (stage, words) => (words.length === 0 ? flush(stage) : Stages.deliver(stage, chosen(stage, words))),
  together: (stage, [name, ...words]) => {
    const to = member(stage, name)
    const parts = words.length === 0 ? [`->${to.id}`] : words.join(" ").split(", ")
    Stages.step(
      stage,
      to,
      parts.flatMap((part) => arrivals(stage, to, part.split(" ")))
    )
  },
  double: (stage, words) => {
    const found = chosen(stage, words)
    stage.flight = stage.flight.flatMap((flying) => (found.includes(flying) ? [flying, { ...flying }] : [flying]))
  },
  drop: (stage, words) => {
    for (const one of taken(stage, words))
      stage.lines.push(`lost: ${one.from} -> ${one.to} ${Narration.message(one.message, Notes.show)}`)
  },
  hold: (stage, words) => {
    stage.held = [...stage.held, ...taken(stage, words)]
  },
  release: (stage, words) => {
    const found = Selections.messages(stage.held, words)
    stage.held = stage.held.filter((flying) => !found.includes(flying))
    stage.flight = [...stage.flight, ...found]
  },
  say: (stage, [link = "", ...words]) => {
    const [from = "", to = ""] = link.split("->")
    const message = Dictation.read(words.join(" "), (of) => {
      const named = stage.members.get(ReplicaId(of === "sender" ? from : to))
      return named?.disk.incarnation ?? 1
    })
    const flying: Flying = { from: ReplicaId(from), to: ReplicaId(to), message }
    stage.flight = [...stage.flight, flying]
  },
  cut: (stage, words) => {
    const type = Selections.type(words)
    for (const link of links(stage, words)) stage.cuts.add(type === undefined ? link : `${link} ${type}`)
  },
  heal: (stage, words) => {
    if (words.length === 0) return stage.cuts.clear()
    for (const link of links(stage, words)) {
      for (const cut of stage.cuts) if (cut.split(" ")[0] === link) stage.cuts.delete(cut)
    }
  },
  put: (stage, [name, ...words]) => {
    const to = member(stage, name)
    Stages.step(stage, to, arrivals(stage, to, ["put", ...words]))
  },
  get: (stage, [name, ...words]) => {
    const to = member(stage, name)
    Stages.step(stage, to, arrivals(stage, to, ["get", ...words]))
  },
  amend: (stage, [name, ...words]) => {
    const to = member(stage, name?.replace(":", ""))
    Stages.step(stage, to, arrivals(stage, to, ["amend", ...words]))
  },
  transfer: (stage, [name, ...words]) => {
    const to = member(stage, name)
    Stages.step(stage, to, arrivals(stage, to, ["transfer", ...words]))
  },
  join: (stage, [name = ""]) => {
    Stages.join(stage, name)
    stage.lines.push(Narration.status(member(stage, name).state!))
  },
  program: (stage, [name, version]) => {
    member(stage, name).version = Number(version)
  },
  members: (stage, names) => {
    for (const { id, state } of stage.members.values()) {
      if (state === undefined || (names.length > 0 && !names.includes(id))) continue
      stage.lines.push(`${id}: ${Members.configuration(state.configuration)}`)
    }
  },
  resubmit: (stage, [name]) => Stages.resubmit(stage, member(stage, name)),
  crash: (stage, [name, after, effects]) => {
    if (after === undefined) {
      stage.lines.push(`${name}: crashes`)
      Stages.crash(stage, member(stage, name))
    } else member(stage, name).crashAt = Number(effects)
  },
  slow: (stage, words) => {
    if (words[0] === "snapshots") member(stage, words[1]).slowSnapshots = true
    else member(stage, words[0]).slowDisk = true
  },
  fast: (stage, words) => {
    if (words[0] === "snapshots") member(stage, words[1]).slowSnapshots = false
    else member(stage, words[0]).slowDisk = false
  },
  stored: (stage, [name]) => {
    const of = member(stage, name)
    Stages.step(stage, of, Shelves.done(stage, of))
  },
  failed: (stage, [name]) => Stages.step(stage, member(stage, name), Shelves.failed(member(stage, name))),
  damage: (stage, [, name]) => Disks.damage(member(stage, name).disk),
  lose: (stage, [, name]) => {
    member(stage, name).disk.snapshots = []
  },
  full: (stage, [name]) => space(stage, member(stage, name), true),
  room: (stage, [name]) => space(stage, member(stage, name), false),
  corrupt: (stage, [name]) => Shelves.corrupt(member(stage, name)),
  wipe: (stage, [name]) => {
    if (member(stage, name).state !== undefined) throw new Error(`${name} runs; crash it first`)
    Disks.wipe(member(stage, name).disk)
    // A connection ends with the process at its end.
    stage.flight = stage.flight.filter(({ to }) => to !== name)
    stage.held = stage.held.filter(({ to }) => to !== name)
  },
  sync: (stage, [name]) => Stages.sync(stage, member(stage, name)),
  restart: (stage, [name]) => {
    Stages.start(stage, member(stage, name))
    stage.lines.push(Narration.status(member(stage, name).state!))
  },
  status: (stage, names) => {
    for (const { id, state } of stage.members.values()) {
      if (names.length > 0 && !names.includes(id)) continue
      stage.lines.push(state === undefined ? `${id}: down` : Narration.status(state))
    }
  },
  progress: (stage, [name]) => {
    const { state } = member(stage, name)
    if (state !== undefined) stage.lines.push(...Narration.progress(state))
  },
  deadlines: (stage) => {
    stage.lines.push(`it is ${Math.round(stage.now)}`)
    for (const one of stage.members.values()) {
      if (one.state === undefined) continue
      const deadline = Stages.replicaOf(stage, one).nextDeadline(one.state)
      stage.lines.push(`${one.id}: waits until ${Math.round(deadline)}`)
    }
  }
}

const space = (stage: Stage, of: Member, full: boolean): void => {
  of.full = full
  Stages.step(stage, of, [{ _tag: "DiskSpaceChanged", full }])
}

/** A part of a batch: a client's request, the deadline, or messages that are in flight to this replica. */
const arrivals = (stage: Stage, to: Member, words: ReadonlyArray<string>): ReadonlyArray<Arrival> => {
  const [verb, key, value] = words
  if (verb === "put") return [Stages.submission(stage, to, "Command", { put: key, value })]
  if (verb === "get") return [Stages.submission(stage, to, "Query", { get: key })]
  if (verb === "amend") {
    return [Stages.submission(stage, to, "Amendment", Members.readAmendment(words.slice(1).join(" ")))]
  }
  if (verb === "transfer") {
    return [{ _tag: "TransferRequested", to: words[2] === undefined ? undefined : ReplicaId(words[2]) }]
  }
  if (verb === "deadline") return Stages.lateness(stage, to)
  const found = taken(stage, words)
  return found.map(({ from, message }) => ({ _tag: "MessageReceived", from, message }))
}

/** Delivers until nothing is in flight: answers, and answers to answers. */
const flush = (stage: Stage): void => {
  for (let rounds = 0; stage.flight.length > 0; rounds++) {
    if (rounds > 200) throw new Error("the replicas do not come to rest")
    Stages.deliver(stage, stage.flight)
  }
}

/** Out of flight. */
const taken = (stage: Stage, words: ReadonlyArray<string>): ReadonlyArray<Flying> => {
  const found = chosen(stage, words)
  stage.flight = stage.flight.filter((flying) => !found.includes(flying))
  return found
}

const chosen = (stage: Stage, words: ReadonlyArray<string>): ReadonlyArray<Flying> =>
  Selections.messages(stage.flight, words)

const links = (stage: Stage, words: ReadonlyArray<string>): ReadonlyArray<string> =>
  Selections.links([...stage.members.keys()], words)
