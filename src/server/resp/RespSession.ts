/**
 * One client that speaks Redis' protocol. Its commands are carried out in the order in which they came, and answered in it.
 *
 * What waits when the one before is done goes to the store as one: commands that only read as one linearizable query, others as one
 * transaction in order. So pipelined commands share one place in the log, keep their order whatever is lost or sent twice on the way, and
 * each sees those before it; and a connection never has more than one request under way.
 */
import type { Socket } from "node:net"
import type { KvCommand, KvResult, Operation, OperationResult } from "../../kv/KvCommand.ts"
import type { KvAnswer, KvQuery } from "../../kv/KvQuery.ts"
import type { DirectWaiter } from "../../runtime/Direct.ts"
import type { RequestError } from "../../runtime/RequestError.ts"
import { Backlog } from "./Backlog.ts"
import { lookUp } from "./Commands.ts"
import { answer, type Item, Late, late, type Said } from "./Item.ts"
import { type RespLimits, RespParser, defaultLimits, markOf } from "./RespParser.ts"
import { RespWriter } from "./RespWriter.ts"
import * as ServerCommands from "./ServerCommands.ts"
import { all, nameOf, RespError, type Step, type Words } from "./Step.ts"
import * as StringCommands from "./StringCommands.ts"
import { Transactions } from "./Transactions.ts"

export interface RespStore {
  readonly propose: (command: KvCommand, waiter: DirectWaiter<KvResult>) => void
  readonly query: (query: KvQuery, waiter: DirectWaiter<KvAnswer>) => void
  /** From what this replica has applied, at once, perhaps stale. */
  readonly queryLocal: (query: KvQuery, waiter: DirectWaiter<KvAnswer>) => void
}

export interface RespOptions extends ServerCommands.Host {
  readonly store: RespStore
  readonly limits?: RespLimits | undefined
}

/** Commands of one client that go to the store together, and their bytes. */
const maxTogether = 1024
const maxBytesTogether = 1024 * 1024
/** Commands that may wait, and bytes of answers that the client has not read; beyond it, nothing more is read from it. */
const maxWaiting = 16_384
const maxUnreadBytes = 1024 * 1024

const set = markOf(Buffer.from("set"))
const get = markOf(Buffer.from("get"))

export class RespSession implements ServerCommands.Session {
  readonly id: number
  readonly since = Date.now()
  name = ""
  takesStale = false
  readonly writer = new RespWriter()
  /** Ends it when all answers are written. */
  isClosing = false
  private readonly socket: Socket
  private readonly options: RespOptions
  private readonly parser: RespParser
  private readonly waiting = new Backlog()
  /** What is with the store: one step, or several as one. Its answer is awaited as long as it is there. */
  private underWay: Step | Array<Step> | undefined
  private isAlone = false
  private isPumping = false
  private isPaused = false
  private readonly transactions: Transactions
  /** One for all, since there is never more than one request under way. */
  private readonly waiter: DirectWaiter<KvResult | KvAnswer> = {
    succeed: (result) => this.onResult(result),
    fail: (error) => this.onFailure(error)
  }

  constructor(id: number, socket: Socket, options: RespOptions) {
    this.id = id
    this.socket = socket
    this.options = options
    this.parser = new RespParser(options.limits ?? defaultLimits)
    this.transactions = new Transactions((words) => lookUp(words, options, this), options.maxRequestBytes)
    socket.on("data", (chunk) => this.receive(chunk))
    socket.on("drain", () => this.breathe())
    // The end of what it says: it still gets its answers.
    socket.on("end", () => {
      this.isClosing = true
      this.pump()
    })
    socket.on("error", () => socket.destroy())
  }

  get address(): string {
    return `${this.socket.remoteAddress}:${this.socket.remotePort}`
  }

  /** No more commands are read; those that came are answered. */
  close(): void {
    this.isClosing = true
    this.pause()
    this.pump()
  }

  private receive(chunk: Buffer): void {
    const { parser } = this
    if (this.isClosing || parser.problem !== undefined) return
    parser.feed(chunk)
    while (parser.next()) this.take()
    const { problem } = parser
    if (problem !== undefined) {
      this.say((to) => {
        to.error(`ERR Protocol error: ${problem}`)
        this.isClosing = true
      })
    }
    if (this.waiting.length > maxWaiting) this.pause()
    this.breathe()
  }

  /** What came of it waits for its turn. The commonest are made out by themselves, to cost as little as they can. */
  private take(): void {
    const { parser, waiting } = this
    if (!this.transactions.isQueueing) {
      const { count, mark, bytes } = parser
      if (count === 3 && mark === set) {
        return waiting.push(StringCommands.plainSet(parser.text(1), parser.word(2)), bytes)
      }
      if (count === 2 && mark === get) return waiting.push(StringCommands.plainGet(parser.text(1)), bytes)
    }
    const { words } = parser
    const name = nameOf(words[0]!)
    waiting.push(this.transactions.take(name, words) ?? this.ownItem(name) ?? this.meaning(words), parser.bytes)
  }

  private say(said: Said): void {
    this.waiting.push(said, 0)
  }

  /** What is about the connection itself. */
  private ownItem(name: string): Item | undefined {
    switch (name) {
      case "RESET":
        this.transactions.forget()
        return late((to) => {
          this.transactions.unwatch()
          this.name = ""
          this.takesStale = false
          to.version = 2
          to.simple("RESET")
        })
      case "QUIT":
        return (to) => {
          to.ok()
          this.isClosing = true
        }
      default:
        return undefined
    }
  }

  private meaning(words: Words): Item {
    const found = lookUp(words, this.options, this)
    return found instanceof RespError ? (to) => to.error(found.message) : found
  }

  /** Carries out what waits, as far as it need not wait for the store. */
  private pump(): void {
    // What is done at once would otherwise call this anew for each of very many.
    if (this.isPumping) return
    this.isPumping = true
    const { waiting } = this
    while (this.underWay === undefined && waiting.length > 0) {
      const first = waiting.first!
      if (typeof first === "function") {
        waiting.shift()
        first(this.writer)
      } else if (first instanceof Late) {
        waiting.shift()
        const made = first.make()
        if (typeof made === "function") made(this.writer)
        else this.submit(made, false)
      } else this.submit(this.together(first), this.takesStale)
    }
    this.isPumping = false
    this.flush()
  }

  /** The steps at the front, which go to the store as one. */
  private together(first: Step): Step | Array<Step> {
    const { waiting } = this
    let { bytes } = waiting
    let steps: Array<Step> | undefined
    waiting.shift()
    while (waiting.length > 0) {
      const next = waiting.first!
      if (typeof next === "function" || next instanceof Late) break
      bytes += waiting.bytes
      if (bytes > maxBytesTogether) break
      steps ??= [first]
      steps.push(next)
      waiting.shift()
      if (steps.length === maxTogether) break
    }
    return steps ?? first
  }

  /** What is local is answered by this replica alone, if it only reads. */
  private submit(asked: Step | Array<Step>, isLocal: boolean): void {
    this.underWay = asked
    const isMany = Array.isArray(asked)
    const isLogged = isMany ? asked.some(({ logged }) => logged) : asked.logged
    // A range or a time to live is no command by itself, but part of one.
    this.isAlone = !isMany && (isLogged ? isCommand(asked.operation) : isQuery(asked.operation))
    const operation = isMany
      ? all(asked.map((step) => step.operation))
      : this.isAlone
        ? asked.operation
        : all([asked.operation])
    const { store } = this.options
    if (isLogged && isCommand(operation)) {
      const refusal = this.options.refusal(operation)
      if (refusal === undefined) store.propose(operation, this.waiter)
      else this.onFailure(refusal)
    } else if (isQuery(operation)) {
      if (isLocal) store.queryLocal(operation, this.waiter)
      else store.query(operation, this.waiter)
    }
  }

  private onResult(result: KvResult | KvAnswer): void {
    const { underWay, writer } = this
    if (Array.isArray(underWay)) {
      for (let at = 0; at < underWay.length; at++) this.answerPart(underWay[at]!, result, at)
    } else if (!this.isAlone) this.answerPart(underWay!, result, 0)
    else if (isOfOne(result)) answer(underWay!, result, writer)
    else writer.error(`ERR ${result._tag}`)
    this.onDone()
  }

  /** Where what was one to the store is refused, that is the answer to each. */
  private answerPart(step: Step, result: KvResult | KvAnswer, at: number): void {
    if (result._tag === "Txn") answer(step, result.responses[at], this.writer)
    else this.writer.error(`ERR ${result._tag === "Rejected" ? result.reason : result._tag}`)
  }

  private onFailure(failure: RequestError | string): void {
    const { underWay } = this
    const words = ServerCommands.wordsFor(failure)
    for (let count = Array.isArray(underWay) ? underWay.length : 1; count > 0; count--) this.writer.error(words)
    this.onDone()
  }

  private onDone(): void {
    this.underWay = undefined
    this.breathe()
  }

  /** Something is done, or was read by the client. */
  private breathe(): void {
    this.pump()
    if (!this.isPaused || this.isClosing) return
    if (this.waiting.length > maxWaiting || this.socket.writableLength > maxUnreadBytes) return
    this.isPaused = false
    this.socket.resume()
  }

  private pause(): void {
    this.isPaused = true
    this.socket.pause()
  }

  private flush(): void {
    if (this.writer.length > 0) {
      this.socket.write(this.writer.take())
      if (this.socket.writableLength > maxUnreadBytes) this.pause()
    }
    if (this.isClosing && this.underWay === undefined && this.waiting.length === 0) this.socket.end()
  }
}

const isCommand = (operation: Operation): operation is Operation & KvCommand =>
  operation._tag !== "Range" && operation._tag !== "TimeToLive"

const isQuery = (operation: Operation): operation is Operation & KvQuery =>
  operation._tag === "Range" || operation._tag === "Txn"

/** What one operation may give; the others are of commands that no step is. */
const isOfOne = (result: KvResult | KvAnswer): result is Extract<KvResult | KvAnswer, OperationResult> => {
  switch (result._tag) {
    case "Txn":
    case "Put":
    case "DeleteRange":
    case "Merge":
    case "Range":
    case "Rejected":
      return true
    default:
      return false
  }
}
