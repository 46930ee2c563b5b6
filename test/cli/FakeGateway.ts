/** A gateway that says what a test tells it to, and remembers what it was asked. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"

export type Reply =
  | { readonly status: number; readonly body: unknown }
  /** Takes the request and never answers. */
  | "hang"
  /** Takes the request and closes the connection. */
  | "drop"

export interface Asked {
  readonly path: string
  readonly body: Record<string, unknown>
}

export class FakeGateway {
  readonly asked: Array<Asked> = []
  /** Of each that was asked. */
  readonly headers: Array<IncomingHttpHeaders> = []
  readonly #server: Server

  constructor(reply: (asked: Asked) => Reply) {
    this.#server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const asked = { path: request.url ?? "", body: JSON.parse(Buffer.concat(chunks).toString() || "{}") }
        this.asked.push(asked)
        this.headers.push(request.headers)
        const answer = reply(asked)
        if (answer === "hang") return
        if (answer === "drop") return void request.socket.destroy()
        response.writeHead(answer.status, { "content-type": "application/json" })
        response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body))
      })
    })
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve))
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

export const ok = (body: object): Reply => ({ status: 200, body: { header: { revision: "7" }, ...body } })

export const base64 = (text: string): string => Buffer.from(text).toString("base64")
