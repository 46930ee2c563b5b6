/**
 * An open loop: requests are sent when it is time, whether those before are answered or not, half of them puts and half
 * linearizable gets. So a system that stalls is not asked less meanwhile, and all who would have waited count.
 *
 * A latency begins when its request should have been sent, unless only the timer was late.
 */
import type { Dialect, Line } from "./Dialect.ts"
import * as Histogram from "./Histogram.ts"
import * as Workload from "./Workload.ts"

export interface OpenLoadOptions {
  readonly dialect: Dialect
  readonly port: number
  /** Requests a second. */
  readonly rate: number
  readonly keys: number
  readonly valueBytes: number
  readonly connections: number
  readonly millis: number
  readonly intervalMillis: number
  readonly onInterval: (interval: Interval) => void
}

/** Of what was answered within it. */
export interface Interval {
  readonly operations: number
  readonly seconds: number
  readonly puts: Histogram.Histogram
  readonly gets: Histogram.Histogram
  /** How often what went wrong. */
  readonly errors: Readonly<Record<string, number>>
}

/** Beyond it nothing is sent, and counts as an error: what is not answered takes memory here. */
const maxUnderWay = 10_000
const reconnectMillis = 50
/** Node's timers come up to so much late on an idle machine. */
const timerMillis = 1.5
const drainMillis = 10_000

export const longestMillis = (millis: number): number => millis + drainMillis

interface Counting {
  operations: number
  readonly since: number
  readonly puts: Histogram.Histogram
  readonly gets: Histogram.Histogram
  readonly errors: Record<string, number>
}

const begin = (): Counting => ({
  operations: 0,
  since: performance.now(),
  puts: Histogram.empty(),
  gets: Histogram.empty(),
  errors: {}
})

export const run = async (options: OpenLoadOptions): Promise<void> => {
  const { dialect, port, rate, keys, valueBytes } = options
  const random = Workload.shuffle(1)
  const open: Array<Line> = []
  const all = new Set<Line>()
  let isOver = false
  let underWay = 0
  let counting = begin()

  const fail = (reason: string): void => {
    counting.errors[reason] = (counting.errors[reason] ?? 0) + 1
  }

  const connect = (): void => {
    const line = dialect.open(port, {
      onOpen: () => open.push(line),
      onLost: (reason) => {
        all.delete(line)
        const at = open.indexOf(line)
        if (at >= 0) open.splice(at, 1)
        fail(reason)
        if (!isOver) setTimeout(connect, reconnectMillis)
      }
    })
    all.add(line)
  }

  const send = (number: number, dueAt: number): void => {
    const line = open[number % open.length]
    if (line === undefined) return fail("no connection")
    if (underWay >= maxUnderWay) return fail(`not sent: ${maxUnderWay} under way`)
    const pair = Workload.pairAt(valueBytes, random() % keys)
    const operation = random() % 2 === 0 ? "put" : "get"
    const request = dialect.request(operation, pair)
    const now = performance.now()
    const sentAt = now - dueAt > timerMillis ? dueAt : now
    underWay++
    line.send(request, (problem) => {
      underWay--
      if (problem !== undefined) return fail(problem)
      counting.operations++
      Histogram.record(operation === "put" ? counting.puts : counting.gets, (performance.now() - sentAt) * 1000)
    })
  }

  for (let at = 0; at < Math.min(options.connections, rate); at++) connect()
  await until(() => open.length === all.size, performance.now() + drainMillis)

  counting = begin()
  const tell = (): void => {
    const { since, ...counted } = counting
    counting = begin()
    options.onInterval({ ...counted, seconds: (counting.since - since) / 1000 })
  }
  const telling = setInterval(tell, options.intervalMillis)
  await paced(rate, options.millis, send)
  clearInterval(telling)
  await until(() => underWay === 0, performance.now() + drainMillis)
  isOver = true
  if (underWay > 0) counting.errors[`no answer within ${drainMillis} ms`] = underWay
  for (const line of all) line.close()
  tell()
}

/** Number so many at its time, for so long. */
const paced = (rate: number, millis: number, send: (number: number, dueAt: number) => void): Promise<void> =>
  new Promise((resolve) => {
    const beganAt = performance.now()
    const dueAt = (number: number): number => beganAt + (number * 1000) / rate
    const most = Math.floor((millis * rate) / 1000)
    let next = 0
    const tick = (): void => {
      const now = performance.now()
      for (; next < most && dueAt(next) <= now; next++) send(next, dueAt(next))
      if (next >= most) return resolve()
      setTimeout(tick, Math.max(1, dueAt(next) - performance.now()))
    }
    tick()
  })

const pollMillis = 20

const until = async (isSo: () => boolean, deadline: number): Promise<void> => {
  while (!isSo() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, pollMillis))
}
