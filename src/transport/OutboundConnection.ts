/**
 * One attempt to reach a peer, and the connection that comes of it. It carries our messages
 * to the peer; what comes back is the answer to the handshake and then acknowledgements,
 * of which only that they come counts: they tell a peer that is slow from one that is gone,
 * which a half-open TCP connection hides for many minutes.
 */
import { connect, type Socket } from "node:net"
import * as Frame from "../codec/Frame.ts"
import * as Handshake from "../codec/Handshake.ts"
import * as MessageCodec from "../codec/MessageCodec.ts"
import * as MessageSize from "../codec/MessageSize.ts"
import type { Message } from "../raft/Message.ts"
import type { Address } from "./Address.ts"
import type { TcpLimits } from "./TcpLimits.ts"

/** Why there is no connection, as the end of a sentence that begins with the peer. */
export type Ending =
  | { readonly _tag: "Unreachable"; readonly reason: string }
  | { readonly _tag: "Refused"; readonly reason: string; readonly verdict: Handshake.Verdict }
  | { readonly _tag: "Disconnected"; readonly reason: string }

export interface OutboundOptions {
  readonly address: Address
  readonly hello: Handshake.Hello
  /** Ours, which may become known while the connection stands. */
  readonly epoch: () => number | undefined
  readonly limits: TcpLimits
  /** What the peer said of itself. */
  readonly onOpen: (peer: Handshake.Hello) => void
  /** A message was dropped that no frame can hold. */
  readonly onTooLong: (frameBytes: number) => void
  /** Called once, unless we disposed of the connection. */
  readonly onEnd: (ending: Ending) => void
}

export class OutboundConnection {
  private readonly options: OutboundOptions
  private readonly socket: Socket
  private readonly decoder = new Frame.FrameDecoder(Handshake.maxHandshakeBytes)
  private stage: "Connecting" | "Greeting" | "Open" | "Closed" = "Connecting"
  private timer: NodeJS.Timeout
  private socketError: string | undefined
  private queuedMessages = 0
  private peerEpoch: number | undefined
  /** Ticks since we sent something that nothing has answered; `undefined` when nothing is owed. */
  private silentTicks: number | undefined

  constructor(options: OutboundOptions) {
    this.options = options
    const { address, limits } = options
    this.socket = connect({ host: address.host, port: address.port, noDelay: true, keepAlive: true })
    this.timer = setTimeout(
      () => this.end(`no connection within ${limits.connectTimeoutMillis} ms`),
      limits.connectTimeoutMillis
    )
    this.socket.on("connect", () => this.greet())
    this.socket.on("data", (chunk: Buffer) => this.onData(chunk))
    this.socket.on("error", (error) => {
      this.socketError = describeSocketError(error)
    })
    this.socket.on("end", () => this.end("the peer closed the connection"))
    this.socket.on("close", () => this.end(this.socketError ?? "the connection was closed"))
  }

  /** How many of the messages were dropped. Never waits: all of a call is queued or none of it. */
  send(messages: ReadonlyArray<Message<Uint8Array>>): number {
    if (this.stage !== "Open" || messages.length === 0) return messages.length
    const { maxQueuedBytes, maxQueuedMessages } = this.options.limits
    const queuedBytes = this.socket.writableLength
    if (queuedBytes > 0) {
      let bytes = queuedBytes
      for (const message of messages) bytes += MessageSize.of(message)
      if (bytes > maxQueuedBytes || this.queuedMessages + messages.length > maxQueuedMessages) return messages.length
    }
    const frames = this.framesOf(messages)
    let sent = 0
    for (const frame of frames) sent += frame.messages
    this.queuedMessages += sent
    if (sent > 0) this.silentTicks ??= 0
    const several = frames.length > 1 || (frames.length === 1 && frames[0]!.pieces.length > 1)
    if (several) this.socket.cork()
    for (const { pieces, messages } of frames) {
      const last = pieces.length - 1
      for (let i = 0; i < last; i++) this.socket.write(pieces[i]!)
      this.socket.write(pieces[last]!, () => {
        this.queuedMessages -= messages
      })
    }
    if (several) this.socket.uncork()
    return messages.length - sent
  }

  /** Called every `acknowledgeMillis`. */
  tick(): void {
    if (this.stage !== "Open") return
    const epoch = this.options.epoch()
    if (!Handshake.epochsFit(this.peerEpoch, epoch)) return this.end(Handshake.describeEpochs(this.peerEpoch, epoch))
    if (this.silentTicks === undefined) return
    const { acknowledgeMillis, silenceMillis } = this.options.limits
    this.silentTicks++
    if (this.silentTicks <= silenceMillis / acknowledgeMillis) return
    this.end(`no sign of life for ${silenceMillis} ms on the ${this.options.hello.purpose.toLowerCase()} connection`)
  }

  /** Closes without a word to `onEnd`. */
  dispose(): void {
    this.stage = "Closed"
    clearTimeout(this.timer)
    this.socket.destroy()
  }

  private greet(): void {
    if (this.stage !== "Connecting") return
    this.stage = "Greeting"
    clearTimeout(this.timer)
    const { handshakeTimeoutMillis } = this.options.limits
    this.timer = setTimeout(
      () => this.end(`no answer to our handshake within ${handshakeTimeoutMillis} ms`),
      handshakeTimeoutMillis
    )
    this.socket.write(Handshake.encodeHello(this.options.hello))
  }

  private onData(chunk: Buffer): void {
    if (this.stage === "Open") this.silentTicks = undefined
    if (this.stage !== "Greeting") return
    this.decoder.push(chunk)
    const payload = this.decoder.next()
    if (payload === undefined) return
    const answer = Buffer.isBuffer(payload) ? Handshake.decodeAnswer(payload) : undefined
    if (answer === undefined) return this.end("what listens there does not speak our protocol")
    const { hello, limits, onOpen } = this.options
    if (answer.verdict !== "Accepted") return this.end(Handshake.explain(answer, hello), answer.verdict)
    const standingOf = (id: string) => (id === hello.to ? "Accepted" : "UnknownPeer")
    const verdict = Handshake.judge(answer.hello, { ...hello, id: hello.from, standingOf })
    if (verdict === "WrongEpoch") return this.end(Handshake.complaint(verdict, answer.hello, hello), verdict)
    if (verdict !== "Accepted") return this.end(`it accepted us, but ${misfit(answer.hello)}`)
    this.peerEpoch = answer.hello.epoch
    this.stage = "Open"
    clearTimeout(this.timer)
    this.socket.setKeepAlive(true, limits.silenceMillis)
    onOpen(answer.hello)
  }

  private end(reason: string, verdict?: Handshake.Verdict): void {
    if (this.stage === "Closed") return
    const wasOpen = this.stage === "Open"
    this.dispose()
    if (wasOpen) this.options.onEnd({ _tag: "Disconnected", reason })
    else if (verdict === undefined) this.options.onEnd({ _tag: "Unreachable", reason })
    else this.options.onEnd({ _tag: "Refused", reason, verdict })
  }

  /** Messages in order, gathered into frames; one that no frame can hold is left out. */
  private framesOf(messages: ReadonlyArray<Message<Uint8Array>>): ReadonlyArray<OutboundFrame> {
    const { limits, onTooLong } = this.options
    const frames: Array<OutboundFrame> = []
    let start = 0
    while (start < messages.length) {
      let bytes = 0
      let own = 0
      let end = start
      while (end < messages.length) {
        const more = MessageSize.of(messages[end]!)
        if (end > start && bytes + more > limits.targetFrameBytes) break
        bytes += more
        own += MessageSize.ownOf(messages[end]!, more)
        end++
      }
      const writer = Frame.openPieces(own)
      MessageCodec.write(writer, start === 0 && end === messages.length ? messages : messages.slice(start, end))
      const { length } = writer
      if (length <= limits.maxFrameBytes) frames.push({ pieces: Frame.sealPieces(writer), messages: end - start })
      else onTooLong(length)
      start = end
    }
    return frames
  }
}

interface OutboundFrame {
  readonly pieces: ReadonlyArray<Uint8Array>
  readonly messages: number
}

const misfit = (it: Handshake.Hello): string =>
  `it is replica ${Handshake.quote(it.from)} of cluster ${Handshake.quote(it.cluster)}`

const describeSocketError = (error: Error & { readonly code?: string }): string => {
  switch (error.code) {
    case "ECONNREFUSED":
      return "nothing listens there (ECONNREFUSED)"
    case "ECONNRESET":
    case "EPIPE":
      return `the peer broke the connection (${error.code})`
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `its host name is not known (${error.code})`
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ETIMEDOUT":
      return `the network does not reach it (${error.code})`
    default:
      return error.code ?? error.message
  }
}
