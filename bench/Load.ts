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
  /** Instead, exactly so many: with more than there are clients, each takes turns on several. */
  readonly spread?: number | undefined
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
/** All connections should be there by then; what is not counts as it comes. */
const connectMillis = 30_000
/** So that what listens need not have room for all of them at once. */
const connectAtOnce = 500
const connectEveryMillis = 50
const drainMillis = 10_000
const reconnectMillis = 50

export const longestMillis = (windowMillis: number): number => connectMillis + windowMillis + drainMillis

export const run = async <Sample>(options: LoadOptions<Sample>): Promise<LoadResult<Sample>> => {
  const { dialect, workload } = options
  const random = Workload.shuffle(1)
  const pick = picking(options, random)
  const errors: Record<string, number> = {}
  const latency = Histogram.empty()
  const lines = new Set<Line>()
  let phase: "ramp" | "window" | "drain" | "over" = "ramp"
  let from = Number.POSITIVE_INFINITY
  let completed = 0
  let underWay = 0
  let opened = 0
  let onOpened = (): void => undefined
  let onDrained = (): void => undefined

  const fail = (reason: string): void => {
    errors[reason] = (errors[reason] ?? 0) + 1
  }

  /** One of the clients; of its places it takes the next one each time that has a line. */
  const client = (places: ReadonlyArray<Place>): (() => void) => {
    let missing = 0
    let sentAt = 0
    let turn = 0
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
    const line = (): Line | undefined => {
      for (let tried = 0; tried < places.length; tried++) {
        const { open } = places[turn++ % places.length]!
        if (open !== undefined) return open
      }
      return undefined
    }
    const next = (): void => {
      if (missing > 0 || (phase !== "ramp" && phase !== "window")) return
      const to = line()
      if (to === undefined) return
      sentAt = performance.now()
      missing = workload.pipeline
      underWay += workload.pipeline
      for (let one = 0; one < workload.pipeline; one++) to.send(pick(), done)
    }
    return next
  }

  const startLine = (place: Place): void => {
    const connect = (): void => {
      const line = dialect.open(options.port, {
        onOpen: () => {
          place.open = line
          if (++opened === places.length) onOpened()
          for (const next of place.clients) next()
        },
        onLost: (reason) => {
          place.open = undefined
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
  const places = Array.from(
    { length: options.spread ?? dialect.connections(clients, options.connections) },
    (): Place => ({ open: undefined, clients: [] })
  )
  for (const own of shares(clients, places)) {
    const next = client(own)
    for (const place of own) place.clients.push(next)
  }
  const allOpen = atMost(connectMillis, (resolve) => (onOpened = resolve))
  for (const [at, place] of places.entries()) {
    startLine(place)
    if (at % connectAtOnce === connectAtOnce - 1) await pause(connectEveryMillis)
  }
  await Promise.all([pause(rampMillis), allOpen])
  const before = options.sample()
  from = performance.now()
  phase = "window"
  await pause(options.windowMillis)
  const until = performance.now()
  const after = options.sample()
  phase = "drain"
  if (underWay > 0) await atMost(drainMillis, (resolve) => (onDrained = resolve))
  phase = "over"
  for (const line of lines) line.close()
  if (underWay > 0) errors[`no answer within ${drainMillis} ms`] = underWay
  return { operations: completed, seconds: (until - from) / 1000, latency, errors, before, after }
}

/** Where there is a connection, but for the times when it is lost. */
interface Place {
  open: Line | undefined
  readonly clients: Array<() => void>
}

/** Whose are which: several clients share one, or a client has several, as many as the others or one more. */
const shares = (clients: number, places: ReadonlyArray<Place>): ReadonlyArray<ReadonlyArray<Place>> =>
  Array.from({ length: clients }, (_, client) =>
    clients >= places.length
      ? [places[client % places.length]!]
      : places.filter((_place, at) => at % clients === client)
  )

/** Any of the requests, which are made beforehand; of as many keys as one likes, when it is sent. */
const picking = <Sample>({ dialect, workload, keys }: LoadOptions<Sample>, random: () => number): (() => Request) => {
  if (keys === undefined) {
    const requests = requestsOf(dialect, workload)
    return () => requests[random() % requests.length]!
  }
  const { kind, valueBytes } = workload
  const operations = Workload.operationsOf(kind)
  const most = kind === "range" ? keys - Workload.keysInRange + 1 : keys
  return () => requestOf(dialect, valueBytes, operations[random() % operations.length]!, random() % Math.max(1, most))
}

const requestsOf = (dialect: Dialect, { kind, valueBytes }: Workload.Workload): ReadonlyArray<Request> => {
  const keys = Workload.keysFor(valueBytes)
  const most = kind === "range" ? keys - Workload.keysInRange + 1 : keys
  return Workload.operationsOf(kind).flatMap((operation) =>
    Array.from({ length: most }, (_, at) => requestOf(dialect, valueBytes, operation, at))
  )
}

const requestOf = (dialect: Dialect, valueBytes: number, operation: Workload.Operation, at: number): Request =>
  dialect.request(operation, (operation === "range" ? Workload.rangeAt : Workload.pairAt)(valueBytes, at))

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

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))
