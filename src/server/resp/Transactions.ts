/**
 * MULTI, EXEC, DISCARD, WATCH and UNWATCH of one connection: what is queued becomes one transaction of the store, which compares when
 * each key that is watched was changed last.
 */
import type { Compare } from "../../kv/KvCommand.ts"
import { answer, type Item, Late, late, type Said } from "./Item.ts"
import { all, bytesOf, get, keyOf, RespError, type Step, type Words } from "./Step.ts"

/** Commands of one transaction. */
const maxCommands = 1024

interface Queue {
  readonly items: Array<Step | Said>
  bytes: number
  failed: boolean
}

export class Transactions {
  private queue: Queue | undefined
  /** When each key that is watched was changed last, as it was looked at; 0 for one that was not there. */
  private readonly watched = new Map<string, number>()
  private readonly meaning: (words: Words) => Step | Said | RespError
  private readonly maxBytes: number

  /** Together, the words of a transaction may have `maxBytes`. */
  constructor(meaning: (words: Words) => Step | Said | RespError, maxBytes: number) {
    this.meaning = meaning
    this.maxBytes = maxBytes
  }

  /** Whether what comes is queued: between MULTI and EXEC. */
  get isQueueing(): boolean {
    return this.queue !== undefined
  }

  /** `undefined` for what has nothing to do with transactions. */
  take(name: string, words: Words): Item | undefined {
    switch (name) {
      case "MULTI":
        return this.multi()
      case "EXEC":
        return this.exec()
      case "DISCARD":
        return this.discard()
      case "WATCH":
        return this.watch(words)
      case "QUIT":
      case "RESET":
        return undefined
      default:
        if (this.queue !== undefined) return this.add(this.queue, words)
        return name === "UNWATCH" ? this.unwatched() : undefined
    }
  }

  /** What is queued. */
  forget(): void {
    this.queue = undefined
  }

  unwatch(): void {
    this.watched.clear()
  }

  private unwatched(): Item {
    return late((to) => {
      this.unwatch()
      to.simple("OK")
    })
  }

  private add(queue: Queue, words: Words): Item {
    const found = this.meaning(words)
    queue.bytes += bytesOf(words)
    const isTooMuch = queue.items.length >= maxCommands || queue.bytes > this.maxBytes
    if (found instanceof RespError || isTooMuch) {
      queue.failed = true
      const message = found instanceof RespError ? found.message : "ERR transaction is too large"
      return (to) => to.error(message)
    }
    queue.items.push(found)
    return (to) => to.simple("QUEUED")
  }

  private multi(): Item {
    if (this.queue !== undefined) return (to) => to.error("ERR MULTI calls can not be nested")
    this.queue = { items: [], bytes: 0, failed: false }
    return (to) => to.simple("OK")
  }

  private discard(): Item {
    if (this.queue === undefined) return (to) => to.error("ERR DISCARD without MULTI")
    this.forget()
    return this.unwatched()
  }

  private exec(): Item {
    const { queue } = this
    if (queue === undefined) return (to) => to.error("ERR EXEC without MULTI")
    this.forget()
    return new Late(() => {
      const compares = [...this.watched].map(([key, number]) => unchanged(key, number))
      this.unwatch()
      if (queue.failed) return (to) => to.error("EXECABORT Transaction discarded because of previous errors.")
      return transactionOf(queue.items, compares)
    })
  }

  private watch(words: Words): Item {
    if (this.queue !== undefined) return (to) => to.error("ERR WATCH inside MULTI is not allowed")
    if (words.length < 2) return (to) => to.error("ERR wrong number of arguments for 'watch' command")
    const keys = words.slice(1).map(keyOf)
    const step: Step = {
      operation: all(keys.map((key) => ({ ...get(key), keysOnly: true }))),
      logged: false,
      reply: (result, to) => {
        const responses = result._tag === "Txn" ? result.responses : []
        for (const [at, key] of keys.entries()) {
          const response = responses[at]
          const kv = response?._tag === "Range" ? response.kvs[0] : undefined
          if (!this.watched.has(key)) this.watched.set(key, kv?.modRevision ?? 0)
        }
        to.simple("OK")
      }
    }
    return new Late(() => step)
  }
}

const unchanged = (key: string, number: number): Compare => ({
  key,
  rangeEnd: undefined,
  result: "Equal",
  target: { _tag: "ModRevision", number }
})

const transactionOf = (items: ReadonlyArray<Step | Said>, compares: ReadonlyArray<Compare>): Step => {
  const steps = items.filter((item) => typeof item !== "function")
  return {
    operation: { ...all(steps.map(({ operation }) => operation)), compares },
    logged: steps.some(({ logged }) => logged),
    reply: (result, to) => {
      if (result._tag !== "Txn" || !result.succeeded) return to.noArray()
      const responses = result.responses.values()
      to.array(items.length)
      for (const item of items) {
        if (typeof item === "function") item(to)
        else answer(item, responses.next().value, to)
      }
    }
  }
}
