/** A gateway that does with each request what a test says, down to the connection. */
import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Endpoint } from "../../src/client/Endpoint.ts"

export interface Asked {
  readonly path: string
  readonly body: Record<string, unknown>
  readonly headers: IncomingMessage["headers"]
}

/** `at` counts the requests, from 0. */
export type Script = (asked: Asked, response: ServerResponse, at: number) => void

export class ScriptedGateway implements AsyncDisposable {
  readonly asked: Array<Asked> = []
  readonly #server: Server

  private constructor(script: Script) {
    this.#server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
        const asked = { path: request.url ?? "", body, headers: request.headers }
        script(asked, response, this.asked.push(asked) - 1)
      })
    })
  }

  static async listen(script: Script): Promise<ScriptedGateway> {
    const gateway = new ScriptedGateway(script)
    gateway.#server.listen(0, "127.0.0.1")
    await once(gateway.#server, "listening")
    return gateway
  }

  get endpoint(): Endpoint {
    return { host: "127.0.0.1", port: (this.#server.address() as AddressInfo).port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

export const answer = (response: ServerResponse, body: unknown, status = 200): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(typeof body === "string" ? body : JSON.stringify(body))
}

/** A port that nobody listens on. */
export const nobody = async (): Promise<Endpoint> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return { host: "127.0.0.1", port }
}
