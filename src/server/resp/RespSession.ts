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
import { lookUp } from "./Commands.ts"
import { answer, bytesOf, type Item, late, said } from "./Item.ts"
import { type RespLimits, RespParser, defaultLimits } from "./RespParser.ts"
import { RespWriter } from "./RespWriter.ts"
import * as ServerCommands from "./ServerCommands.ts"
import { all, nameOf, RespError, type Step, type Words } from "./Step.ts"
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
  private readonly waiting: Array<Item> = []
  private isBusy = false
  private isPumping = false
  private readonly transactions: Transactions

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
    this.socket.pause()
    this.pump()
  }

  private receive(chunk: Buffer): void {
    if (this.isClosing) return
    for (const words of this.parser.feed(chunk)) this.take(words)
    const { problem } = this.parser
    if (problem !== undefined) {
      this.waiting.push(
        said((to) => {
          to.error(`ERR Protocol error: ${problem}`)
          this.isClosing = true
        })
      )
    }
    if (this.waiting.length > maxWaiting) this.socket.pause()
    this.pump()
  }

  /** What came of it waits for its turn. */
  private take(words: Words): void {
    const name = nameOf(words[0]!)
    const item = this.transactions.take(name, words) ?? this.ownItem(name) ?? this.meaning(words)
    this.waiting.push(item)
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
        return said((to) => {
          to.simple("OK")
          this.isClosing = true
        })
      default:
        return undefined
    }
  }

  private meaning(words: Words): Item {
    const found = lookUp(words, this.options, this)
    if (found instanceof RespError) return said((to) => to.error(found.message))
    return typeof found === "function" ? said(found) : { _tag: "Step", step: found, bytes: bytesOf(words) }
  }

  /** Carries out what waits, as far as it need not wait for the store. */
  private pump(): void {
    // What is done at once would otherwise call this anew for each of very many.
    if (this.isPumping) return
    this.isPumping = true
    while (!this.isBusy && this.waiting.length > 0) {
      const [first] = this.waiting
      if (first!._tag === "Said") {
        this.waiting.shift()
        first!.say(this.writer)
      } else if (first!._tag === "Late") {
        this.waiting.shift()
        const made = first!.make()
        if (typeof made === "function") made(this.writer)
        else this.submit([made], false)
      } else this.submit(this.together(), this.takesStale)
    }
    this.isPumping = false
    this.flush()
  }

  /** The steps at the front that go to the store as one. */
  private together(): ReadonlyArray<Step> {
    const steps: Array<Step> = []
    let bytes = 0
    for (const item of this.waiting) {
      if (item._tag !== "Step" || steps.length >= maxTogether) break
      if (steps.length > 0 && bytes + item.bytes > maxBytesTogether) break
      bytes += item.bytes
      steps.push(item.step)
    }
    this.waiting.splice(0, steps.length)
    return steps
  }

  /** What is local is answered by this replica alone, if it only reads. */
  private submit(steps: ReadonlyArray<Step>, isLocal: boolean): void {
    this.isBusy = true
    const [only] = steps
    const isLogged = steps.some(({ logged }) => logged)
    // A range or a time to live is no command by itself, but part of one.
    const isAlone = steps.length === 1 && (isLogged ? isCommand(only!.operation) : isQuery(only!.operation))
    const operation = isAlone ? only!.operation : all(steps.map((step) => step.operation))
    const finish = (results: ReadonlyArray<OperationResult> | RequestError | string): void => {
      this.isBusy = false
      for (const [at, step] of steps.entries()) {
        if (Array.isArray(results)) answer(step, results[at], this.writer)
        else this.writer.error(ServerCommands.wordsFor(results as RequestError | string))
      }
      this.breathe()
    }
    const waiter: DirectWaiter<KvResult | KvAnswer> = {
      succeed: (result) => finish(resultsIn(result, isAlone)),
      fail: finish
    }
    const { store } = this.options
    if (isLogged && isCommand(operation)) {
      const refusal = this.options.refusal(operation)
      if (refusal === undefined) store.propose(operation, waiter)
      else finish(refusal)
    } else if (isQuery(operation)) {
      if (isLocal) store.queryLocal(operation, waiter)
      else store.query(operation, waiter)
    }
  }

  /** Something is done, or was read by the client. */
  private breathe(): void {
    this.pump()
    const isFull = this.waiting.length > maxWaiting || this.socket.writableLength > maxUnreadBytes
    if (!isFull && !this.isClosing) this.socket.resume()
  }

  private flush(): void {
    if (this.writer.length > 0) {
      this.socket.write(this.writer.take())
      if (this.socket.writableLength > maxUnreadBytes) this.socket.pause()
    }
    if (this.isClosing && !this.isBusy && this.waiting.length === 0) this.socket.end()
  }
}

const isCommand = (operation: Operation): operation is Operation & KvCommand =>
  operation._tag !== "Range" && operation._tag !== "TimeToLive"

const isQuery = (operation: Operation): operation is Operation & KvQuery =>
  operation._tag === "Range" || operation._tag === "Txn"

/** One for each step. */
const resultsIn = (result: KvResult | KvAnswer, isAlone: boolean): ReadonlyArray<OperationResult> | string => {
  switch (result._tag) {
    case "Txn":
      return isAlone ? [result] : result.responses
    case "Put":
    case "DeleteRange":
    case "Merge":
    case "Range":
      return [result]
    case "Rejected":
      // All of it, where there were several.
      return isAlone ? [result] : `ERR ${result.reason}`
    default:
      return `ERR ${result._tag}`
  }
}
