/**
 * Whether an endpoint that is silent is still there. A process that is stopped or hangs keeps its connections, because its
 * kernel answers for it, so a watch at one would wait for ever and miss what happens. Everybody who
 * wonders shares one question.
 */
import { Effect } from "effect"
import { type Endpoint, show } from "./Endpoint.ts"
import type { Cluster } from "./Gateway.ts"
import { exchange } from "./HttpExchange.ts"

/** How long a connection may be silent until somebody asks. */
const defaultQuietMillis = 10_000

/** Undefined when it answers, whatever it says; otherwise what it did instead. */
type Question = Effect.Effect<string | undefined>

const questions = new WeakMap<Cluster, Map<string, Question>>()

/** Does not end while the endpoint answers when it is asked; otherwise gives the reason to leave it. */
export const untilDead = (cluster: Cluster, endpoint: Endpoint): Effect.Effect<string> => {
  const { quietMillis = defaultQuietMillis } = cluster
  return Effect.gen(function* () {
    const question = yield* questionFor(cluster, endpoint, quietMillis)
    while (true) {
      yield* Effect.sleep(quietMillis)
      const reason = yield* question
      if (reason !== undefined) return reason
    }
  })
}

const questionFor = Effect.fnUntraced(function* (
  cluster: Cluster,
  endpoint: Endpoint,
  quietMillis: number
): Effect.fn.Return<Question> {
  const known = questions.get(cluster) ?? new Map<string, Question>()
  questions.set(cluster, known)
  const name = show(endpoint)
  const found = known.get(name)
  if (found !== undefined) return found
  const made = yield* Effect.cachedWithTTL(ask(cluster, endpoint), quietMillis / 2)
  known.set(name, made)
  return made
})

/** On a connection of its own: those that are kept may all be waiting for the very same process. */
const ask = ({ headers, timeoutMillis }: Cluster, endpoint: Endpoint): Question =>
  Effect.map(
    exchange({
      endpoint,
      method: "POST",
      path: "/v3/maintenance/status",
      body: "{}",
      headers,
      connectMillis: timeoutMillis,
      totalMillis: timeoutMillis
    }),
    (answer) => (answer._tag === "Answered" ? undefined : `is silent, and when it was asked: ${answer.reason}`)
  )
