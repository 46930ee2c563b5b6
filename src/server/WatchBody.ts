/**
 * The requests of a watch stream, read while it is answered. Nothing more is read from the client while a request of its waits,
 * so one that asks faster than it reads the answers holds up itself.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { bodyTooLarge, type GatewayError, invalid, tooManyRequests } from "./GatewayError.ts"
import { JsonStream } from "./JsonStream.ts"
import { notOne, parse, type WatchRequest } from "./WatchRequest.ts"

/** What all streams together hold of requests that have not come as a whole: each may wait for its end for as long as it likes. */
export interface Unread {
  bytes: number
  readonly maxBytes: number
}

export class WatchBody {
  readonly #incoming: IncomingMessage
  readonly #objects: JsonStream
  readonly #maxObjectBytes: number
  readonly #onReady: () => void
  readonly #unread: Unread
  /** Its part of what all hold. */
  #counted = 0
  #isComplete = false

  /** `onReady` is called when there may be a request, or no more will come. */
  constructor(
    incoming: IncomingMessage,
    response: ServerResponse,
    {
      maxObjectBytes,
      unread,
      onReady
    }: { readonly maxObjectBytes: number; readonly unread: Unread; readonly onReady: () => void }
  ) {
    this.#incoming = incoming
    this.#objects = new JsonStream(maxObjectBytes)
    this.#maxObjectBytes = maxObjectBytes
    this.#onReady = onReady
    this.#unread = unread
    incoming.on("data", this.#onData).on("end", this.#onEnd)
    if (/(?:^|\W)100-continue(?:$|\W)/i.test(incoming.headers.expect ?? "")) response.writeContinue()
  }

  /** Whether nothing more will come. */
  get isComplete(): boolean {
    return this.#isComplete && this.#objects.size === 0
  }

  /** What is wrong is told once; after that nothing more comes of it. */
  next(): WatchRequest | GatewayError | undefined {
    const cut = this.#objects.next()
    this.#count(this.#objects.size)
    switch (cut?._tag) {
      case undefined:
        if (this.#unread.bytes > this.#unread.maxBytes) return this.#fail(tooMuchUnread(this.#unread.maxBytes))
        if (this.#isComplete) return this.#objects.size === 0 ? undefined : this.#fail(cutShort)
        this.#incoming.resume()
        return undefined
      case "Object": {
        const request = parse(cut.text)
        return request._tag === "GatewayError" ? this.#fail(request) : request
      }
      case "TooLong":
        return this.#fail(bodyTooLarge(this.#maxObjectBytes))
      case "NoObject":
        return this.#fail(invalid(`balsa: where a JSON object should begin there is ${JSON.stringify(cut.text)}`))
    }
  }

  close(): void {
    this.#incoming.off("data", this.#onData).off("end", this.#onEnd)
    this.#count(0)
    // The rest is of no interest, but the connection may be.
    this.#incoming.resume()
  }

  #count(bytes: number): void {
    this.#unread.bytes += bytes - this.#counted
    this.#counted = bytes
  }

  #fail(error: GatewayError): GatewayError {
    this.close()
    return error
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#objects.push(chunk)
    this.#incoming.pause()
    this.#onReady()
  }

  readonly #onEnd = (): void => {
    this.#isComplete = true
    this.#onReady()
  }
}

export const nothingAsked = notOne
const tooMuchUnread = (maxBytes: number): GatewayError =>
  tooManyRequests(`${maxBytes} bytes of requests to watch wait for their end already (maxUnreadBytes)`)
const cutShort = invalid("balsa: the body ends within a JSON object")
