/** What a gateway of a test writes on a watch, and a watch that reads it to its end. */
import { Effect, Stream } from "effect"
import type { ServerResponse } from "node:http"
import type { Endpoint } from "../../src/client/Endpoint.ts"
import type { Cluster } from "../../src/client/Gateway.ts"
import * as Watch from "../../src/client/Watch.ts"
import type { WatchOptions } from "../../src/client/WatchConnection.ts"
import type { Asked } from "./ScriptedGateway.ts"

const backoff = { firstMillis: 1, maxMillis: 4 }

export const at = (...endpoints: ReadonlyArray<Endpoint>): Cluster => ({ endpoints, timeoutMillis: 2000, backoff })

export const line = (result: object): string => `${JSON.stringify({ result })}\n`
export const created = line({ header: { revision: "9" }, created: true })

export const base64 = (text: string): string => Buffer.from(text).toString("base64")

/** `a3` is a put of `a` in revision 3. */
export const events = (names: string, more: object = {}): string =>
  line({
    header: { revision: "9" },
    ...more,
    events: names.split(" ").map((name) => ({ kv: { key: base64(name[0]!), mod_revision: name.slice(1) } }))
  })

export const send = (response: ServerResponse, ...pieces: ReadonlyArray<string>): void => {
  if (!response.headersSent) response.writeHead(200)
  for (const piece of pieces) response.write(piece)
}

/** All that is written arrives, and then the connection breaks. */
export const cut = (response: ServerResponse, ...pieces: ReadonlyArray<string>): void => {
  if (!response.headersSent) response.writeHead(200)
  response.write(pieces.join(""), () => response.socket?.destroy())
}

export const startOf = ({ body }: Asked): unknown =>
  (body["create_request"] as Record<string, unknown>)["start_revision"]

/** Until `z`; a word for each event, and the tag of what ended it before. */
export const follow = async (cluster: Cluster, options: WatchOptions = {}): Promise<ReadonlyArray<string>> => {
  const seen: Array<string> = []
  await Effect.runPromise(
    Watch.make(cluster)
      .events("k", { startRevision: 3, ...options })
      .pipe(
        Stream.map(({ kv }) => `${Buffer.from(kv.key).toString()}${kv.modRevision}`),
        Stream.takeUntil((name) => name.startsWith("z")),
        Stream.runForEach((name) => Effect.sync(() => seen.push(name))),
        Effect.catch((error) => Effect.sync(() => seen.push(error._tag)))
      )
  )
  return seen
}
