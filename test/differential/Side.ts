/** One of the two servers that are compared: where it is, and how it is asked. */
import { Agent, type IncomingMessage, request } from "node:http"

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly text: string
}

/** What went wrong with a connection, told as an answer: it is compared like any other. */
const broken = (error: Error): Answer => ({ status: 0, contentType: "", text: error.message })

export interface Request {
  readonly method?: string
  readonly path: string
  readonly body?: string
  readonly encoding?: BufferEncoding
}

const answerSeconds = 15

export class Side {
  readonly name: string
  /** Several where replicas of one cluster share the requests. */
  readonly endpoints: ReadonlyArray<Endpoint>
  /** Changes answers before they are compared: a comparison is tested by what it finds then. */
  readonly alter: (answer: Answer, request: Request) => Answer
  /** Who may answer; known once they have been learnt. */
  readonly memberIds = new Set<string>()
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 })

  constructor(
    name: string,
    endpoints: ReadonlyArray<Endpoint>,
    alter: (answer: Answer, request: Request) => Answer = (answer) => answer
  ) {
    this.name = name
    this.endpoints = endpoints
    this.alter = alter
  }

  /** Replicas are counted on beyond their number. */
  endpoint(replica: number): Endpoint {
    return this.endpoints[replica % this.endpoints.length]!
  }

  async learnMembers(): Promise<void> {
    if (this.memberIds.size > 0) return
    const { text } = await this.ask({ path: "/v3/cluster/member/list", body: "{}" })
    const { members } = JSON.parse(text) as { readonly members: ReadonlyArray<{ readonly ID: string }> }
    for (const { ID } of members) this.memberIds.add(ID)
  }

  async ask(asked: Request, replica = 0): Promise<Answer> {
    try {
      const response = await this.open(asked, replica, { agent: this.agent })
      const pieces: Array<Buffer> = []
      for await (const piece of response) pieces.push(piece as Buffer)
      return this.alter({ ...headOf(response), text: Buffer.concat(pieces).toString() }, asked)
    } catch (error) {
      return broken(error as Error)
    }
  }

  /** Resolves at the answer's first bytes; a stream goes on until it is destroyed, on a connection of its own. */
  async open(
    { method = "POST", path, body = "", encoding = "utf8" }: Request,
    replica: number,
    { agent, seconds = answerSeconds }: { readonly agent?: Agent; readonly seconds?: number } = {}
  ): Promise<IncomingMessage> {
    const { host, port } = this.endpoint(replica)
    return new Promise((resolve, reject) => {
      const asked = request({ agent: agent ?? false, host, port, method, path }, resolve)
      asked.on("error", reject)
      asked.setTimeout(seconds * 1000, () => asked.destroy(new Error(`no answer in ${seconds} s`)))
      asked.setHeader("content-type", "application/json")
      // Some methods have a body seldom, and then nothing would say where it ends.
      asked.setHeader("content-length", Buffer.byteLength(body, encoding))
      asked.end(body, encoding)
    })
  }

  close(): void {
    this.agent.destroy()
  }
}

export const headOf = (response: IncomingMessage): { readonly status: number; readonly contentType: string } => ({
  status: response.statusCode ?? 0,
  contentType: response.headers["content-type"] ?? ""
})

/** `http://127.0.0.1:2379`, or several with commas between them. */
export const endpointsOf = (urls: string): ReadonlyArray<Endpoint> =>
  urls.split(",").map((one) => {
    const { hostname, port } = new URL(one.includes("://") ? one : `http://${one}`)
    return { host: hostname, port: Number(port === "" ? 80 : port) }
  })
