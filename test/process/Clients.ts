/**
 * Clients that never tire: each puts, gets and deletes through replicas chosen at random, over
 * a handful of keys, and every operation is recorded. A client that waits long for an answer
 * leaves the operation behind, under way, and another takes its place: otherwise a single
 * frozen replica would soon have all of them waiting.
 *
 * A key with several operations that nobody knows the outcome of gives way to a fresh one,
 * since the time to judge a key doubles with each of them.
 */
import type { Random } from "../../src/sim/Random.ts"
import type { Answered, Asked, Found, Recorder } from "./History.ts"
import { base64, type RealCluster } from "./RealCluster.ts"

const workers = 6
const slots = 4
const patienceMillis = 250
/** Longer than a replica takes to say that it does not know. */
const timeoutMillis = 8000
const meanPauseMillis = 8
/** A replica that owes so many answers is asked only now and then, and only to read. */
const maxOwed = 3
const maxDoubtful = 3
const maxOperations = 250

interface Slot {
  readonly name: string
  generation: number
  operations: number
  doubtful: number
}

export class Clients {
  /** Every key that was ever used. */
  readonly keys = new Set<string>()
  private readonly cluster: RealCluster
  private readonly recorder: Recorder
  private readonly random: Random
  private readonly slots: ReadonlyArray<Slot>
  private readonly owed = new Map<string, number>()
  private readonly underWay = new Set<Promise<unknown>>()
  private lastClient = 0
  private stopped = false

  constructor({ cluster, recorder, random }: { cluster: RealCluster; recorder: Recorder; random: Random }) {
    this.cluster = cluster
    this.recorder = recorder
    this.random = random
    this.slots = Array.from({ length: slots }, (_, at) => ({
      name: `k${at}`,
      generation: 0,
      operations: 0,
      doubtful: 0
    }))
  }

  /** Until they are stopped, and all that they asked is answered or given up. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: workers }, () => this.work()))
    await Promise.all(this.underWay)
  }

  stop(): void {
    this.stopped = true
  }

  /** One operation of a client of its own, recorded like the others. */
  ask(replica: string, asked: Omit<Asked, "value">): Promise<Answered> {
    return this.perform(++this.lastClient, replica, asked)
  }

  private async work(): Promise<void> {
    let client = ++this.lastClient
    while (!this.stopped) {
      const slot = this.random.pick(this.slots)
      const replica = this.random.pick(this.cluster.ids)
      const slow = (this.owed.get(replica) ?? 0) >= maxOwed
      if (slow && !this.random.chance(0.1)) {
        await sleep(this.random.wait(meanPauseMillis))
        continue
      }
      const op = slow ? "get" : this.kind()
      const previous = op !== "get" && this.random.chance(0.5)
      const answer = this.perform(client, replica, { op, key: this.keyOf(slot), ...(previous ? { previous } : {}) })
      const inTime = await within(answer, patienceMillis)
      if (inTime === undefined) {
        this.leave(answer, replica)
        client = ++this.lastClient
        if (op !== "get") slot.doubtful++
      } else if (inTime.outcome === "unknown") {
        client = ++this.lastClient
        slot.doubtful++
      }
      // A replica that refuses, or is down, does so at once: do not spin on it.
      await sleep(this.random.wait(meanPauseMillis) + (inTime?.outcome === "refused" ? 40 : 0))
    }
  }

  private kind(): Asked["op"] {
    const draw = this.random.draw()
    return draw < 0.45 ? "get" : draw < 0.87 ? "put" : "delete"
  }

  private keyOf(slot: Slot): string {
    if (slot.operations >= maxOperations || slot.doubtful >= maxDoubtful) {
      slot.generation++
      slot.operations = 0
      slot.doubtful = 0
    }
    slot.operations++
    const key = `${slot.name}.${slot.generation}`
    this.keys.add(key)
    return key
  }

  private leave(answer: Promise<Answered>, replica: string): void {
    this.owed.set(replica, (this.owed.get(replica) ?? 0) + 1)
    this.underWay.add(
      answer.finally(() => {
        this.owed.set(replica, this.owed.get(replica)! - 1)
      })
    )
  }

  private async perform(client: number, replica: string, asked: Omit<Asked, "value">): Promise<Answered> {
    const id = this.recorder.nextId()
    const whole: Asked = asked.op === "put" ? { ...asked, value: `${id}` } : asked
    this.recorder.begin({ id, client, replica, ...whole })
    const answered = await exchange(this.cluster, replica, whole)
    this.recorder.end(id, answered)
    return answered
  }
}

interface Pair {
  readonly value?: string
  readonly version: string
}

interface Body {
  readonly header?: { readonly revision?: string }
  readonly kvs?: ReadonlyArray<Pair>
  readonly prev_kv?: Pair
  readonly prev_kvs?: ReadonlyArray<Pair>
  readonly deleted?: string
  readonly outcome_unknown?: boolean
  readonly message?: string
  readonly reason?: string
}

const routes = { put: "/v3/kv/put", get: "/v3/kv/range", delete: "/v3/kv/deleterange" } as const

const exchange = async (cluster: RealCluster, replica: string, asked: Asked): Promise<Answered> => {
  const { op, value, previous } = asked
  const request = {
    key: base64(asked.key),
    ...(value === undefined ? {} : { value: base64(value) }),
    ...(previous === undefined ? {} : { prev_kv: previous })
  }
  try {
    const { status, body } = await cluster.post(replica, routes[op], request, timeoutMillis)
    return status === 200 ? success(asked, body as Body) : failure(op, body as Body)
  } catch (error) {
    const { name, cause } = error as Error & { cause?: { code?: string } }
    const reason = cause?.code ?? name
    // Nobody listened, so nobody has heard of it. Anything else may have come too late.
    return { outcome: op === "get" || reason === "ECONNREFUSED" ? "refused" : "unknown", reason }
  }
}

const success = ({ op, previous }: Asked, { header, kvs, prev_kv, prev_kvs, deleted }: Body): Answered => {
  const revision = Number(header?.revision)
  switch (op) {
    case "get":
      return { outcome: "ok", revision, found: foundIn(kvs?.[0]) }
    case "put":
      return { outcome: "ok", revision, ...(previous === true ? { found: foundIn(prev_kv) } : {}) }
    case "delete": {
      const count = { outcome: "ok", revision, deleted: Number(deleted ?? 0) } as const
      return previous === true ? { ...count, found: foundIn(prev_kvs?.[0]) } : count
    }
  }
}

const failure = (op: Asked["op"], { outcome_unknown, message, reason }: Body): Answered => ({
  outcome: outcome_unknown === true && op !== "get" ? "unknown" : "refused",
  reason: reason ?? message ?? "no reason given"
})

const foundIn = (pair: Pair | undefined): Found | null =>
  pair === undefined
    ? null
    : { value: Buffer.from(pair.value ?? "", "base64").toString(), version: Number(pair.version) }

export const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const within = async <A>(promise: Promise<A>, millis: number): Promise<A | undefined> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), millis)
  })
  const first = await Promise.race([promise, late])
  clearTimeout(timer)
  return first
}
