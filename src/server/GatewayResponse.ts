/** Answers as responses of Effect's HTTP server, for all routes that go by its router. */
import { Stream } from "effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Answer from "./Answer.ts"
import type * as AnswerJson from "./AnswerJson.ts"
import type * as GatewayError from "./GatewayError.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Other requests get their turn between two pieces of a long one. */
export const of = ({ status, text, rest, headers }: Answer.Answer): Response => {
  const { contentType } = Answer
  const response =
    rest === undefined
      ? HttpServerResponse.text(text, { status, contentType })
      : HttpServerResponse.stream(Stream.fromIterable(bytesOf(text, rest), { chunkSize: 1 }), { status, contentType })
  return HttpServerResponse.setHeaders(response, headers)
}

export const json = (text: string, status = 200): Response => of(Answer.json(text, status))

export const ofError = (error: GatewayError.GatewayError): Response => of(Answer.ofError(error))

export const ofParts = (parts: AnswerJson.Parts): Response => of(Answer.ofParts(parts))

function* bytesOf(first: string, rest: Generator<string, string>): Generator<Uint8Array> {
  yield Buffer.from(first, "latin1")
  for (let next = rest.next(); ; next = rest.next()) {
    yield Buffer.from(next.value, "latin1")
    if (next.done === true) return
  }
}
