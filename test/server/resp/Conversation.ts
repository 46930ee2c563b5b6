/** Speaks Redis' protocol on a socket, and hears what is answered, byte for byte. */
import { connect, type Socket } from "node:net"

export type Words = ReadonlyArray<string | Buffer>

export const encode = (words: Words): Buffer =>
  Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.flatMap((word) => {
      const bytes = Buffer.from(word as string)
      return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]
    })
  ])

/** How long one reply at the beginning of `text` is; `undefined` while it is not whole. */
const replyLength = (text: string, from = 0): number | undefined => {
  const end = text.indexOf("\r\n", from)
  if (end < 0) return undefined
  const mark = text[from]!
  const next = end + 2
  if (!"$*%~=".includes(mark)) return next
  const length = Number(text.slice(from + 1, end))
  if (length < 0) return next
  if (mark === "$" || mark === "=") return text.length >= next + length + 2 ? next + length + 2 : undefined
  let at: number | undefined = next
  for (let n = 0; n < length * (mark === "%" ? 2 : 1) && at !== undefined; n++) at = replyLength(text, at)
  return at
}

export class Conversation {
  private readonly socket: Socket
  private text = ""
  private wake = (): void => {}
  isOver = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on("data", (chunk) => {
      this.text += chunk.toString("latin1")
      this.wake()
    })
    socket.on("close", () => {
      this.isOver = true
      this.wake()
    })
    socket.on("error", () => {})
  }

  static begin(port: number): Promise<Conversation> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new Conversation(socket)))
      socket.once("error", reject)
    })
  }

  send(bytes: Buffer | string): void {
    this.socket.write(bytes)
  }

  /** The next reply as it came; "" where the other side ended without one. */
  async reply(): Promise<string> {
    for (;;) {
      const length = replyLength(this.text)
      if (length !== undefined) {
        const reply = this.text.slice(0, length)
        this.text = this.text.slice(length)
        return reply
      }
      if (this.isOver) return ""
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  async ask(...words: Words): Promise<string> {
    this.send(encode(words))
    return this.reply()
  }

  /** All at once, without waiting for answers. */
  async askAll(commands: ReadonlyArray<Words>): Promise<ReadonlyArray<string>> {
    this.send(Buffer.concat(commands.map(encode)))
    const replies: Array<string> = []
    for (let n = 0; n < commands.length; n++) replies.push(await this.reply())
    return replies
  }

  end(): void {
    this.socket.destroy()
  }
}
