/** A client that watches, with both directions of one HTTP request in its hands. */
import { type ClientRequest, type IncomingMessage, request } from "node:http"
import { onTestFinished } from "vitest"

export class WatchClient {
  readonly lines: Array<string> = []
  readonly response: Promise<IncomingMessage>
  /** Fulfilled when the answer is over, in whichever way. */
  readonly over: Promise<void>
  readonly #request: ClientRequest
  #rest = ""
  #wake: (() => void) | undefined

  constructor(port: number, headers: Record<string, string> = {}) {
    this.#request = request({ port, host: "127.0.0.1", method: "POST", path: "/v3/watch", headers, agent: false })
    this.response = new Promise((resolve, reject) => this.#request.once("response", resolve).once("error", reject))
    this.over = this.response.then(
      (response) =>
        new Promise((resolve) => {
          response.on("data", (chunk: Buffer) => this.#onData(chunk)).on("error", () => {})
          response.once("close", resolve)
        }),
      () => {}
    )
    this.#request.on("error", () => {})
    onTestFinished(() => this.leave())
  }

  /** Objects, or text as it is. */
  send(...requests: ReadonlyArray<object | string>): this {
    for (const one of requests) this.#request.write(typeof one === "string" ? one : JSON.stringify(one))
    return this
  }

  /** Nothing more is asked; the answer goes on. */
  end(): this {
    this.#request.end()
    return this
  }

  leave(): void {
    this.#request.destroy()
  }

  /** The next lines that come. */
  async take(count: number): Promise<ReadonlyArray<string>> {
    while (this.lines.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.lines.splice(0, count)
  }

  #onData(chunk: Buffer): void {
    const pieces = (this.#rest + chunk.toString()).split("\n")
    this.#rest = pieces.pop() ?? ""
    this.lines.push(...pieces)
    this.#wake?.()
  }
}

/** Who answers and in which term is as it is; the rest is compared. */
export const short = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.map((line) => line.replace(/"cluster_id":"\d+","member_id":"\d+",/, "").replace(/,?"raft_term":"\d+"/, ""))
