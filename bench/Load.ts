/**
 * A closed loop: each client sends its next request when the answer to the last one is there; with a
 * pipeline, its next so many when all are.
 *
 *     ramp ──► window ──► drain
 *
 * Answers within the window make the rate. Latencies are those of the requests sent within it,
 * also when the answer comes later; otherwise the slowest would go unseen. Whatever is not the
 * right answer is an error and counts towards neither.
 */
import type { Dialect, Line, Request } from "./Dialect.ts"
import * as Histogram from "./Histogram.ts"
import * as Workload from "./Workload.ts"

export interface LoadOptions<Sample> {
  readonly dialect: Dialect
  readonly port: number
  readonly workload: Workload.Workload
  readonly connections: number | undefined
  /** How many to choose from; undefined: a fixed set for each size of values. */
  readonly keys?: number | undefined
  readonly windowMillis: number
  /** Taken when the window opens and when it closes. */
  readonly sample: () => Sample
}

export interface LoadResult<Sample> {
  readonly operations: number
  readonly seconds: number
  readonly latency: Histogram.Histogram
  /** How often what went wrong. */
  readonly errors: Readonly<Record<string, number>>
  readonly before: Sample
  readonly after: Sample
}

const rampMillis = 300
const drainMillis = 10_000
const reconnectMillis = 50

export const longestMillis = (windowMillis: number): number => rampMillis + windowMillis + drainMillis

export const run = async <Sample>(options: LoadOptions<Sample>): Promise<LoadResult<Sample>> => {
  const { dialect, workload } = options
  const requests = requestsOf(dialect, workload)
  const random = Workload.shuffle(1)
  const errors: Record<string, number> = {}
  const latency = Histogram.empty()
  const lines = new Set<Line>()
  let phase: "ramp" | "window" | "drain" | "over" = "ramp"
  let from = Number.POSITIVE_INFINITY
  let completed = 0
  let underWay = 0
  let onDrained = (): void => undefined

  const fail = (reason: string): void => {
    errors[reason] = (errors[reason] ?? 0) + 1
  }

  /** One of the clients on a line, whichever line that is at the time. */
  const client = (line: () => Line | undefined): (() => void) => {
    let missing = 0
    let sentAt = 0
    const done = (problem: string | undefined): void => {
      underWay--
      missing--
      if (problem !== undefined) fail(problem)
      else if (phase !== "over") {
        if (sentAt >= from) Histogram.record(latency, (performance.now() - sentAt) * 1000)
        if (phase === "window") completed++
      }
      if (missing === 0) next()
      if (phase === "drain" && underWay === 0) onDrained()
    }
    const next = (): void => {
      const to = line()
      if (to === undefined || (phase !== "ramp" && phase !== "window")) return
      sentAt = performance.now()
      missing = workload.pipeline
      underWay += workload.pipeline
      for (let one = 0; one < workload.pipeline; one++) to.send(requests[random() % requests.length]!, done)
    }
    return next
  }

  const startLine = (clients: number): void => {
    let open: Line | undefined
    const loops = Array.from({ length: clients }, () => client(() => open))
    const connect = (): void => {
      const line = dialect.open(options.port, {
        onOpen: () => {
          open = line
          for (const next of loops) next()
        },
        onLost: (reason) => {
          open = undefined
          lines.delete(line)
          fail(reason)
          if (phase === "ramp" || phase === "window") setTimeout(connect, reconnectMillis)
        }
      })
      if (phase === "over") line.close()
      else lines.add(line)
    }
    connect()
  }

  const { clients } = workload
  const connections = dialect.connections(clients, options.connections)
  for (let at = 0; at < connections; at++) {
    startLine(Math.floor(((at + 1) * clients) / connections) - Math.floor((at * clients) / connections))
  }
  await atMost(rampMillis, () => undefined)
  const before = options.sample()
  from = performance.now()
  phase = "window"
  await atMost(options.windowMillis, () => undefined)
  const until = performance.now()
  const after = options.sample()
  phase = "drain"
  if (underWay > 0) await atMost(drainMillis, (resolve) => (onDrained = resolve))
  phase = "over"
  for (const line of lines) line.close()
  if (underWay > 0) errors[`no answer within ${drainMillis} ms`] = underWay
  return { operations: completed, seconds: (until - from) / 1000, latency, errors, before, after }
}

const requestsOf = (dialect: Dialect, { kind, valueBytes }: Workload.Workload): ReadonlyArray<Request> =>
  Workload.operationsOf(kind).flatMap((operation) =>
    Workload.pairs(valueBytes).map((pair) => dialect.request(operation, pair))
  )

const fillClients = 32

/** Puts every key of a size once, so that every get finds something. */
export const fill = (dialect: Dialect, port: number, valueBytes: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const puts = Workload.pairs(valueBytes).map((pair) => dialect.request("put", pair))
    let next = 0
    let missing = puts.length
    const lines = Array.from({ length: fillClients }, () => {
      const go = (): void => {
        const request = puts[next++]
        if (request !== undefined) line.send(request, done)
      }
      const done = (problem: string | undefined): void => {
        if (problem !== undefined) return reject(new Error(`a put fails: ${problem}`))
        go()
        if (--missing > 0) return
        for (const one of lines) one.close()
        resolve()
      }
      const line = dialect.open(port, {
        onOpen: go,
        onLost: (reason) => reject(new Error(reason))
      })
      return line
    })
  })

/** Until somebody calls `resolve`, but no longer. */
const atMost = (millis: number, register: (resolve: () => void) => void): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, millis)
    register(() => {
      clearTimeout(timer)
      resolve()
    })
  })
