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
  readonly read: (request: IncomingMessage, response: ServerResponse) => Effect.Effect<string, GatewayError>
}

export const make = ({ maxBodyBytes, maxBufferedBytes }: BodyLimits): BodyReader => {
  let buffered = 0

  const read = (request: IncomingMessage, response: ServerResponse): Effect.Effect<string, GatewayError> =>
    Effect.callback((resume) => {
      if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) {
        return resume(Effect.fail(bodyTooLarge(maxBodyBytes)))
      }
      const chunks: Array<Buffer> = []
      let length = 0
      const stop = (): void => {
        request.off("data", onData).off("end", onEnd)
        buffered -= length
        length = 0
      }
      const refuse = (error: GatewayError): void => {
        stop()
        request.pause()
        resume(Effect.fail(error))
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
        const total = length
        stop()
        resume(Effect.succeed(Buffer.concat(chunks, total).toString()))
      }
      request.on("data", onData).on("end", onEnd)
      // curl asks before it sends a large body, and waits a second for the word.
      if (/(?:^|\W)100-continue(?:$|\W)/i.test(request.headers.expect ?? "")) response.writeContinue()
      // A client that goes away interrupts this; nobody is left to be answered.
      return Effect.sync(stop)
    })

  return { read }
}
