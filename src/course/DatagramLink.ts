/**
 * The one socket of a replica in the course's network: everything goes to the network's port on this machine, peers' messages
 * and clients' answers alike, and comes from there. Sending never waits: what waits for the socket is bounded, and beyond
 * that it is lost, as datagrams are.
 */
import * as NodeDatagramSocket from "@effect/platform-node/NodeDatagramSocket"
import { Effect, Latch, Schema, type Scope } from "effect"
import { type CourseMessage, maxDatagramBytes } from "./CourseMessage.ts"

/** The socket cannot be used at all. */
export class LinkError extends Schema.TaggedError<LinkError>()("LinkError", { message: Schema.String }) {}

export interface DatagramLink {
  readonly send: (message: CourseMessage) => void
  /** Carries messages both ways until interrupted. `deliver` must not block. Call it once. */
  readonly run: (deliver: (datagram: Uint8Array) => void) => Effect.Effect<never, LinkError>
}

/** Beyond so many datagrams that the socket has not taken yet, further ones are lost. */
const maxOutgoing = 10_000
/** Beyond so many that were not looked at yet, those that arrive are lost. */
const maxIncoming = 10_000

export const make = (port: number): Effect.Effect<DatagramLink, LinkError, Scope.Scope> =>
  Effect.gen(function* () {
    const socket = yield* NodeDatagramSocket.make({
      // By number: a name would be looked up for each message.
      peer: { address: "127.0.0.1", port },
      bind: { address: "127.0.0.1", port: 0 },
      receiveBuffer: { capacity: maxIncoming, strategy: "dropping" }
    })
    const unusable = (error: { readonly message: string }) =>
      new LinkError({ message: `no datagrams can be exchanged with 127.0.0.1:${port}: ${error.message}` })
    const reader = yield* Effect.mapError(socket.reader, unusable)
    const writer = yield* socket.writer
    const filled = Latch.makeUnsafe(false)
    let outgoing: Array<string> = []

    const send = (message: CourseMessage): void => {
      const text = JSON.stringify(message)
      if (outgoing.length >= maxOutgoing || Buffer.byteLength(text) > maxDatagramBytes) return
      outgoing.push(text)
      if (outgoing.length === 1) filled.openUnsafe()
    }

    const write = Effect.gen(function* () {
      yield* filled.await
      const payloads = outgoing
      outgoing = []
      filled.closeUnsafe()
      // All at once: one after the other, each would wait until the one before has been reported as sent. One that is refused is
      // lost; the network may be gone, and ends this process then.
      const [first, ...others] = payloads.map((payload) => ({ payload }))
      if (first !== undefined) yield* Effect.ignore(writer.writeAll([first, ...others]))
    }).pipe(Effect.forever)

    return {
      send,
      run: (deliver) => {
        const read = Effect.map(reader.pull, (datagrams) => {
          for (const { payload } of datagrams) deliver(payload)
        }).pipe(Effect.mapError(unusable), Effect.forever)
        return Effect.all([read, write], { concurrency: "unbounded", discard: true }).pipe(Effect.andThen(Effect.never))
      }
    }
  })
