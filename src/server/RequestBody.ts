/**
 * Reads a request's body with two bounds, before and not after it is in memory: one on each
 * body, and one on all bodies that are being read at a time, since many clients with a
 * permitted body each can fill a memory too.
 */
import { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { bodyTooLarge, type GatewayError, tooManyRequests } from "./GatewayError.ts"

export interface BodyLimits {
  readonly maxBodyBytes: number
  /** For all bodies together. Beyond it whoever sends more is refused, and may try again. */
  readonly maxBufferedBytes: number
}

export interface BodyReader {
  /** Tells one of the two, once. What it gives stops it, where nobody is left to be answered. */
  readonly receive: (request: IncomingMessage, response: ServerResponse, receiver: Receiver) => () => void
  readonly read: (request: IncomingMessage, response: ServerResponse) => Effect.Effect<string, GatewayError>
}

export interface Receiver {
  readonly onText: (text: string) => void
  /** No more of it is read. */
  readonly onRefused: (error: GatewayError) => void
}

export const make = ({ maxBodyBytes, maxBufferedBytes }: BodyLimits): BodyReader => {
  let buffered = 0

  const receive = (request: IncomingMessage, response: ServerResponse, receiver: Receiver): (() => void) => {
    const { "content-length": announced, expect } = request.headers
    if (announced !== undefined && Number(announced) > maxBodyBytes) {
      receiver.onRefused(bodyTooLarge(maxBodyBytes))
      return () => {}
    }
    const chunks: Array<Buffer> = []
    let length = 0
    const release = (): void => {
      buffered -= length
      length = 0
    }
    const stop = (): void => {
      request.off("data", onData).off("end", onEnd)
      release()
    }
    const refuse = (error: GatewayError): void => {
      stop()
      request.pause()
      receiver.onRefused(error)
    }
    const onData = (chunk: Buffer): void => {
      length += chunk.length
      buffered += chunk.length
      chunks.push(chunk)
      if (length > maxBodyBytes) refuse(bodyTooLarge(maxBodyBytes))
      else if (buffered > maxBufferedBytes)
        refuse(tooManyRequests(`${maxBufferedBytes} bytes of requests are being read`))
    }
    const onEnd = (): void => {
      release()
      // A short one comes as a whole.
      const whole = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
      receiver.onText(String(whole))
    }
    request.on("data", onData)
    request.on("end", onEnd)
    // curl asks before it sends a large body, and waits a second for the word.
    if (expect !== undefined && /(?:^|\W)100-continue(?:$|\W)/i.test(expect)) response.writeContinue()
    return stop
  }

  const read = (request: IncomingMessage, response: ServerResponse): Effect.Effect<string, GatewayError> =>
    Effect.callback((resume) => {
      const stop = receive(request, response, {
        onText: (text) => resume(Effect.succeed(text)),
        onRefused: (error) => resume(Effect.fail(error))
      })
      // A client that goes away interrupts this.
      return Effect.sync(stop)
    })

  return { receive, read }
}
