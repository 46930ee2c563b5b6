/**
 * A conversation that was recorded between a client and etcd, held once more with another server.
 *
 * A file has paragraphs: a request, then status and answer. Of a watch it has the first line, and then the
 * events, one to a line: how many come at once is up to the server. The cluster's id, a member's and the
 * term read C, M and T. Leases have names: `<one>` in an answer stands for the id that is given there, and
 * for the same one wherever it comes again.
 */
import * as http from "node:http"
import { setTimeout as pause } from "node:timers/promises"

export interface Exchange {
  readonly method: string
  readonly path: string
  readonly body: string
  readonly status: number
  readonly answer: ReadonlyArray<string>
}

export const parse = (text: string): ReadonlyArray<Exchange> =>
  text
    .split("\n\n")
    .filter((paragraph) => !paragraph.startsWith("#"))
    .map((paragraph) => {
      const [request = "", ...lines] = paragraph.trimEnd().split("\n")
      const [, method = "", path = "", body = ""] = /^([A-Z]+) (\S+) ?(.*)$/.exec(request) ?? []
      const [, status, first = ""] = /^(\d+) (.*)$/.exec(lines[0] ?? "") ?? []
      return { method, path, body, status: Number(status), answer: [first, ...lines.slice(1)] }
    })

export const format = (exchanges: ReadonlyArray<Exchange>): string =>
  exchanges
    .map(({ method, path, body, status, answer }) => `${method} ${path} ${body}\n${status} ${answer.join("\n")}\n`)
    .join("\n")

/** What the server answers to the same requests, one after the other; watches go on beside them until all are done. */
export const hold = async (port: number, recorded: ReadonlyArray<Exchange>): Promise<ReadonlyArray<Exchange>> => {
  const leases = new Map<string, string>()
  const anonymous = (text: string): string =>
    masked([...leases].reduce((rest, [name, id]) => rest.replaceAll(id, name), text))
  const held: Array<Exchange | { readonly watch: Exchange; readonly streamed: Streamed }> = []
  for (const exchange of recorded) {
    const body = [...leases].reduce((rest, [name, id]) => rest.replaceAll(name, id), exchange.body)
    const streamed = await send(port, exchange.method, exchange.path, body)
    if (exchange.path.endsWith("/watch")) {
      held.push({ watch: exchange, streamed })
      continue
    }
    await streamed.ended
    const name = /"ID":"(<\w+>)"/.exec(exchange.answer.join(""))?.[1]
    const id = /"ID":"(\d+)"/.exec(streamed.text())?.[1]
    if (exchange.path.endsWith("/lease/grant") && name !== undefined && id !== undefined) leases.set(name, id)
    held.push({ ...exchange, status: streamed.status, answer: linesOf(anonymous(streamed.text())) })
  }
  return Promise.all(
    held.map(async (one) => {
      if (!("watch" in one)) return one
      const { watch, streamed } = one
      await streamed.until((text) => eventsOf(text).length >= watch.answer.length)
      streamed.close()
      return { ...watch, status: streamed.status, answer: eventsOf(anonymous(streamed.text())) }
    })
  )
}

/** The first line of a watch, and its events. */
const eventsOf = (text: string): ReadonlyArray<string> => {
  // What stands behind the last line feed is not all there yet.
  const [created = "", ...lines] = text.split("\n").slice(0, -1)
  const events = lines.flatMap((line) => {
    const { result } = JSON.parse(line) as { result?: { events?: ReadonlyArray<object> } }
    return (result?.events ?? []).map((event) => JSON.stringify(event))
  })
  return [created, ...events]
}

const masked = (text: string): string =>
  text
    .replace(/"cluster_id":"\d+"/g, `"cluster_id":"C"`)
    .replace(/"member_id":"\d+"/g, `"member_id":"M"`)
    .replace(/"raft_term":"\d+"/g, `"raft_term":"T"`)

const linesOf = (text: string): ReadonlyArray<string> => text.trimEnd().split("\n")

export interface Streamed {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: () => string
  /** The server has sent all of its answer. */
  readonly ended: Promise<void>
  /** All is there, or the answer has ended, or it took too long: what is missing then shows. */
  readonly until: (complete: (text: string) => boolean) => Promise<void>
  readonly close: () => void
}

const patienceMillis = 10_000

/** As Patroni does: a body with every method, and headers of its own. Comes back with the headers of the answer. */
export const send = (port: number, method: string, path: string, body: string): Promise<Streamed> =>
  new Promise((resolve, reject) => {
    const headers = {
      "accept-encoding": "identity",
      "content-length": Buffer.byteLength(body),
      "content-type": "application/json",
      "user-agent": "Patroni/3.0.2 Python/3.11.2 Linux"
    }
    const request = http.request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
      clearTimeout(impatience)
      let text = ""
      let waiting: () => void = () => {}
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece
        waiting()
      })
      // An answer that breaks off shows as what it lacks.
      const ended = new Promise<void>((done) => response.once("close", done).once("error", () => done()))
      const until = async (complete: (text: string) => boolean): Promise<void> => {
        const completed = new Promise<void>((done) => {
          waiting = () => (complete(text) ? done() : undefined)
        })
        waiting()
        const patience = new AbortController()
        await Promise.race([completed, ended, pause(patienceMillis, undefined, patience)])
        patience.abort()
      }
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: () => text,
        ended,
        until,
        close: () => request.destroy()
      })
    })
    const impatience = setTimeout(() => request.destroy(new Error(`${method} ${path}: no answer`)), patienceMillis)
    request.on("error", reject)
    request.end(body)
  })
