/** Many connections that do nothing: each has asked once and got its answer, or was told why not. */
import { connect, type Socket } from "node:net"

export interface Crowd {
  readonly size: number
  /** What the others were told, or that they were not, and how many times. */
  readonly refusals: Readonly<Record<string, number>>
  readonly close: () => void
}

const ping = Buffer.from("*1\r\n$4\r\nPING\r\n")
const pong = "+PONG\r\n"
const atOnce = 200
const longestMillis = 20_000

export const gather = async (port: number, count: number): Promise<Crowd> => {
  const sockets: Array<Socket> = []
  const refusals: Record<string, number> = {}
  for (let begun = 0; begun < count; begun += atOnce) {
    const each = await Promise.all(Array.from({ length: Math.min(atOnce, count - begun) }, () => join(port)))
    for (const one of each) {
      if (typeof one !== "string") sockets.push(one)
      else refusals[one] = (refusals[one] ?? 0) + 1
    }
  }
  return {
    size: sockets.length,
    refusals,
    close: () => {
      for (const socket of sockets) socket.destroy()
    }
  }
}

const join = (port: number): Promise<Socket | string> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true })
    let answer = ""
    const settle = (outcome: Socket | string): void => {
      clearTimeout(timer)
      resolve(outcome)
    }
    const timer = setTimeout(() => settle(`no answer within ${longestMillis} ms`), longestMillis)
    socket.on("connect", () => socket.write(ping))
    socket.on("data", (piece) => {
      answer += piece.toString("latin1")
      if (answer === pong) settle(socket)
    })
    // What was said before the end tells more than how it ended.
    socket.on("error", (error) => settle(answer.trim() || ((error as NodeJS.ErrnoException).code ?? error.message)))
    socket.on("close", () => settle(answer.trim() || "closed without a word"))
  })
