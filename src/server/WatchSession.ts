/** One client that watches: its requests on one side, its lines on the other, and neither without the other's consent. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { WatchHub } from "../kv/WatchHub.ts"
import type { HeaderAt } from "./AnswerJson.ts"
import { type GatewayError, isGatewayError, stoppedBecause } from "./GatewayError.ts"
import { nothingAsked, type Unread, WatchBody } from "./WatchBody.ts"
import type { WatchLimits } from "./WatchRoute.ts"
import { WatchStream } from "./WatchStream.ts"

export interface WatchSessionOptions {
  readonly hub: WatchHub
  readonly headerAt: HeaderAt
  readonly limits: WatchLimits
  readonly unread: Unread
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

export type Part =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  /** It has failed, or is over: nothing comes after that. */
  | { readonly _tag: "Failed"; readonly error: GatewayError }
  | { readonly _tag: "Over" }

/** Parts are of about this length: what one takes is all that is held of an answer. */
const partBytes = 64 * 1024

/** How often it is looked whether all watches have come as far as was asked. */
const askedMillis = 100

export class WatchSession {
  readonly #body: WatchBody
  readonly #stream: WatchStream
  readonly #progressMillis: number
  #line: Iterator<string> | undefined
  /** Requests and events take turns. */
  #isRequestsTurn = true
  #hasBegun = false
  #isOver = false
  #problem: GatewayError | undefined
  #wake: (() => void) | undefined
  #notes: NodeJS.Timeout | undefined
  #recheck: NodeJS.Timeout | undefined

  constructor({ hub, headerAt, limits, unread, incoming, outgoing }: WatchSessionOptions) {
    const onReady = (): void => this.#ready()
    this.#progressMillis = limits.progressMillis
    this.#stream = new WatchStream({ ...limits, hub, headerAt, onReady })
    this.#body = new WatchBody(incoming, outgoing, { ...limits, unread, onReady })
  }

  /** What is to be sent next; `undefined` for now. */
  next(): Part | undefined {
    let bytes = ""
    while (!this.#isOver && bytes.length < partBytes) {
      this.#line ??= this.#nextLine()
      const part = this.#line?.next()
      if (part === undefined) break
      if (part.done === true) this.#line = undefined
      else bytes += part.value
    }
    if (bytes !== "") return { _tag: "Bytes", bytes: Buffer.from(bytes, "latin1") }
    if (this.#isOver) return { _tag: "Over" }
    // What is wrong is told after what was right.
    const error = this.#failure()
    if (error === undefined) {
      if (this.#stream.isAsked) this.#recheck = setTimeout(() => this.#ready(), askedMillis)
      return undefined
    }
    this.close()
    return { _tag: "Failed", error }
  }

  /** Calls `wake` once, when `next` may have something. */
  wait(wake: () => void): void {
    this.#wake = wake
  }

  /** It ends with this error. */
  fail(error: GatewayError): void {
    this.#problem ??= error
    this.#ready()
  }

  close(): void {
    this.#isOver = true
    this.#body.close()
    this.#stream.close()
    clearInterval(this.#notes)
    clearTimeout(this.#recheck)
    this.#ready()
  }

  #nextLine(): Iterator<string> | undefined {
    this.#isRequestsTurn = !this.#isRequestsTurn
    const lines = [() => this.#answer(), () => this.#stream.next()]
    const line = (this.#isRequestsTurn ? lines : lines.toReversed()).reduce<Iterable<string> | undefined>(
      (found, find) => found ?? find(),
      undefined
    )
    return line?.[Symbol.iterator]()
  }

  #answer(): Iterable<string> | undefined {
    while (this.#problem === undefined) {
      const request = this.#body.next()
      if (request === undefined) return undefined
      if (isGatewayError(request)) {
        this.#problem = request
        return undefined
      }
      this.#hasBegun = true
      const answer = this.#stream.handle(request)
      if (this.#stream.wantsNotes) this.#notes ??= setInterval(() => this.#note(), this.#progressMillis)
      if (answer !== undefined) return [answer]
    }
    return undefined
  }

  #failure(): GatewayError | undefined {
    const { ended } = this.#stream
    if (ended !== undefined) return stoppedBecause(ended)
    return this.#problem ?? (this.#body.isComplete && !this.#hasBegun ? nothingAsked : undefined)
  }

  #note(): void {
    this.#stream.noteProgress()
    this.#ready()
  }

  #ready(): void {
    clearTimeout(this.#recheck)
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
