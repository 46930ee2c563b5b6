/**
 * A closed loop: each client sends its next request when the answer to the last one is there.
 *
 *     ramp ──► window ──► drain
 *
 * Answers within the window make the rate. Latencies are those of the requests sent within it,
 * also when the answer comes later; otherwise the slowest would go unseen. Whatever is not the
 * right answer is an error and counts towards neither.
 */
import * as Connection from "./Connection.ts"
import { percentile } from "./Statistics.ts"
import { shuffle, type Operation } from "./Workload.ts"

export interface LoadOptions<Sample> {
  readonly port: number
  readonly clients: number
  readonly operation: Operation
  readonly windowMillis: number
  /** Taken when the window opens and when it closes. */
  readonly sample: () => Sample
}

export interface LoadResult<Sample> {
  readonly operations: number
  readonly seconds: number
  readonly latency: Latency
  /** How often what went wrong. */
  readonly errors: Readonly<Record<string, number>>
  readonly before: Sample
  readonly after: Sample
}

/** In milliseconds. */
export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const rampMillis = 300
const drainMillis = 10_000
const reconnectMillis = 50
/** A window that has seen so many answers is over. */
const maxOperations = 2_000_000

export const run = async <Sample>(options: LoadOptions<Sample>): Promise<LoadResult<Sample>> => {
  const { operation } = options
  const random = shuffle(1)
  const errors: Record<string, number> = {}
  const latencies: Array<number> = []
  const connections = new Set<Connection.Connection>()
  let phase: "ramp" | "window" | "drain" | "over" = "ramp"
  let from = Number.POSITIVE_INFINITY
  let completed = 0
  let underWay = 0
  let onFull = (): void => undefined
  let onDrained = (): void => undefined

  const fail = (reason: string): void => {
    errors[reason] = (errors[reason] ?? 0) + 1
  }

  const startClient = (): void => {
    let sentAt = 0
    const settle = (): void => {
      if (sentAt !== 0) underWay--
      sentAt = 0
      if (phase === "drain" && underWay === 0) onDrained()
    }
    const next = (): void => {
      if (phase !== "ramp" && phase !== "window") return
      underWay++
      sentAt = performance.now()
      connection.send(operation.requests[random() % operation.requests.length]!)
    }
    const connection = Connection.open(options.port, {
      onOpen: next,
      onAnswer: (status, body) => {
        if (status === 200 && body.includes(operation.expected)) {
          if (sentAt >= from) latencies.push(performance.now() - sentAt)
          if (phase === "window" && ++completed === maxOperations) onFull()
        } else {
          fail(status === 200 ? "status 200 with a wrong answer" : `status ${status}: ${body.trim().slice(0, 120)}`)
        }
        settle()
        next()
      },
      onLost: (reason) => {
        connections.delete(connection)
        fail(reason)
        settle()
        if (phase === "ramp" || phase === "window") setTimeout(startClient, reconnectMillis)
      }
    })
    if (phase === "over") connection.close()
    else connections.add(connection)
  }

  for (let client = 0; client < options.clients; client++) startClient()
  await atMost(rampMillis, () => undefined)
  const before = options.sample()
  from = performance.now()
  phase = "window"
  await atMost(options.windowMillis, (resolve) => (onFull = resolve))
  const until = performance.now()
  const after = options.sample()
  phase = "drain"
  if (underWay > 0) await atMost(drainMillis, (resolve) => (onDrained = resolve))
  phase = "over"
  for (const connection of connections) connection.close()
  for (let missing = 0; missing < underWay; missing++) fail(`no answer within ${drainMillis} ms`)

  const sorted = Float64Array.from(latencies).sort()
  const latency = { p50: percentile(sorted, 50), p99: percentile(sorted, 99), max: percentile(sorted, 100) }
  return { operations: completed, seconds: (until - from) / 1000, latency, errors, before, after }
}

/** Until somebody calls `resolve`, but no longer. */
const atMost = (millis: number, register: (resolve: () => void) => void): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, millis)
    register(() => {
      clearTimeout(timer)
      resolve()
    })
  })
