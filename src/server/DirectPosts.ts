/**
 * Requests that are served straight from Node's server, without a fiber, a scope and a stream each: where there are very many, those
 * would be the most of it. It takes what is plain: the path as it is written, and a short body of a length that is known. All else it leaves to the
 * router, which has the same operations.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { RequestId } from "../raft/LogEntry.ts"
import * as Answer from "./Answer.ts"
import * as GatewayError from "./GatewayError.ts"
import * as JsonBody from "./JsonBody.ts"
import type { Headers, KvOperation, Reply } from "./KvRoute.ts"
import type { BodyReader } from "./RequestBody.ts"

export interface DirectPostsOptions {
  readonly operations: { readonly [path: string]: KvOperation }
  readonly body: BodyReader
  readonly forget: (request: RequestId) => void
  readonly onBug: (path: string, error: unknown) => void
}

/** Of one that is refused it does no harm to hear the rest, so that the connection can go on. */
const maxBodyBytes = 64 * 1024

export class DirectPosts {
  private readonly options: DirectPostsOptions
  private readonly operations: ReadonlyMap<string | undefined, KvOperation>
  /** How each that is under way is told that this replica stops. */
  private readonly underWay = new Set<() => void>()

  constructor(options: DirectPostsOptions) {
    this.options = options
    this.operations = new Map(Object.entries(options.operations))
  }

  /** Whether it is served here. */
  readonly serve = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.method !== "POST") return false
    const operation = this.operations.get(request.url)
    if (operation === undefined) return false
    const { "content-length": length, expect } = request.headers
    if (length === undefined || Number(length) > maxBodyBytes || expect !== undefined) return false
    this.carryOut(operation, request, response)
    return true
  }

  /** Nobody waits any more for what is under way. */
  stop(): void {
    for (const tell of this.underWay) tell()
  }

  private carryOut(operation: KvOperation, request: IncomingMessage, response: ServerResponse): void {
    const { body, forget } = this.options
    let pending: RequestId | undefined
    let isReading = true
    let hasEnded = false
    const end = (): void => {
      hasEnded = true
      this.underWay.delete(onStop)
    }
    const reply: Reply = (answer) => {
      if (hasEnded) return
      end()
      this.attempt(request, response, () => this.write(request, response, answer()))
    }
    const giveUp = (): void => {
      if (isReading) stopReading()
      if (pending !== undefined) forget(pending)
    }
    const onStop = (): void => {
      giveUp()
      reply(() => Answer.ofError(GatewayError.serverStopped))
    }
    this.underWay.add(onStop)
    response.on("close", () => {
      if (hasEnded) return
      end()
      giveUp()
    })
    const stopReading = body.receive(request, response, {
      onText: (text) => {
        isReading = false
        this.attempt(request, response, () => {
          const json = JsonBody.parse(text)
          if (GatewayError.isGatewayError(json)) reply(() => Answer.ofError(json))
          else pending = operation(json.object, request.headers as Headers, reply)
        })
      },
      // The rest of it is dropped by Node.
      onRefused: (error) => {
        isReading = false
        reply(() => Answer.ofError(error))
      }
    })
  }

  /** A bug must not look like an answer, nor pass unseen; nor end the process, or what called this. */
  private attempt(request: IncomingMessage, response: ServerResponse, action: () => void): void {
    try {
      action()
    } catch (error) {
      this.options.onBug(request.url ?? "", error)
      if (response.headersSent) response.destroy()
      else this.write(request, response, Answer.ofError(GatewayError.internal))
    }
  }

  private write(request: IncomingMessage, response: ServerResponse, answer: Answer.Answer): void {
    const { status, text, rest, headers } = answer
    if (rest === undefined) {
      response.writeHead(status, {
        "content-type": Answer.contentType,
        "content-length": Buffer.byteLength(text),
        ...headers
      })
      response.end(text)
      return
    }
    response.writeHead(status, { "content-type": Answer.contentType, ...headers })
    const goOn = (last: boolean): void => {
      if (last) setImmediate(next)
      else response.once("drain", next)
    }
    const next = (): void =>
      this.attempt(request, response, () => {
        if (response.destroyed) return
        const { value, done } = rest.next()
        if (done === true) response.end(value, "latin1")
        else goOn(response.write(value, "latin1"))
      })
    goOn(response.write(text, "latin1"))
  }
}
