/**
 * The course's network as a value: clients, faults and what is counted. It has no clock and no socket; who runs it
 * says what time it is, brings what replicas sent and carries out what it gets back. So the same network serves
 * real processes and virtual time.
 *
 * Faults act between replicas only, clients reach every living replica. Nothing is delayed, reordered or doubled.
 */
import * as Random from "../Random.ts"
import * as Client from "./Client.ts"
import { type Configuration, type Disturbance, runMillis } from "./Configuration.ts"
import { type CourseMessage, everybody, nobody } from "../../course/CourseMessage.ts"
import { shown } from "./CourseMessage.ts"
import * as Tally from "./Tally.ts"

type Standing =
  /** Started, and not heard of: whoever speaks to it now finds it dead. */
  "silent" | "running" | "killed" | "dead"

interface Planned {
  readonly at: number
  readonly what: "get" | "put" | Disturbance["kind"]
}

export interface Network {
  readonly configuration: Configuration
  readonly replicas: Map<string, Standing>
  readonly clients: ReadonlyMap<string, Client.Client>
  readonly tally: Tally.Tally
  readonly plan: ReadonlyArray<Planned>
  /** How much of the plan has happened. */
  planned: number
  /** Those who hear only each other; all others hear each other too. */
  partition: ReadonlySet<string> | undefined
  /** Whom the last message named. */
  leader: string
  readonly chance: {
    readonly asking: Random.Random
    readonly losing: Random.Random
    readonly disturbing: Random.Random
  }
}

export type Order =
  | { readonly _tag: "Deliver"; readonly to: string; readonly message: CourseMessage }
  | { readonly _tag: "Kill"; readonly id: string; readonly why: string }
  | { readonly _tag: "Part"; readonly together: ReadonlyArray<string> }

export const numberOfClients = 8
/** Clients' ids begin so far after the replicas'. */
const gap = 16

/**
 * Clients ask again at once after a redirect or a fail, and these messages count as none: replicas that give nothing
 * else would go on until the end of time. No store that is worth judging comes near.
 */
const maximumAnswers = ({ requests }: Configuration): number => 2000 + 10 * requests

const idOf = (number: number): string => number.toString(16).toUpperCase().padStart(4, "0")

export const replicaIds = (configuration: Configuration): ReadonlyArray<string> =>
  Array.from({ length: configuration.replicas }, (_, at) => idOf(at))

export const create = (configuration: Configuration, seed: number): Network => {
  const clients = Array.from({ length: numberOfClients }, (_, at) =>
    Client.make(idOf(configuration.replicas + gap + at))
  )
  return {
    configuration,
    replicas: new Map(replicaIds(configuration).map((id) => [id, "silent"])),
    clients: new Map(clients.map((client) => [client.id, client])),
    tally: Tally.make(),
    plan: planOf(configuration, Random.stream(seed, "mix")),
    planned: 0,
    partition: undefined,
    leader: nobody,
    chance: {
      asking: Random.stream(seed, "asking"),
      losing: Random.stream(seed, "losing"),
      disturbing: Random.stream(seed, "disturbing")
    }
  }
}

const planOf = (configuration: Configuration, random: Random.Random): ReadonlyArray<Planned> => {
  const { requests, startWaitMillis, lifetimeMillis, mix, disturbances } = configuration
  const asked = Array.from(
    { length: requests },
    (_, at): Planned => ({
      at: startWaitMillis + (at * lifetimeMillis) / requests,
      what: random.chance(mix) ? "get" : "put"
    })
  )
  return [...asked, ...disturbances.map(({ kind, at }): Planned => ({ what: kind, at }))].sort(
    (one, other) => one.at - other.at
  )
}

/** When `advance` is wanted next: at the next thing planned, and at the end. */
export const nextAt = (network: Network): number =>
  network.plan[network.planned]?.at ?? runMillis(network.configuration)

export const isOver = (network: Network, now: number): boolean =>
  now >= runMillis(network.configuration) || network.tally.stopped !== undefined

/** Lets everything happen that is due. */
export const advance = (network: Network, now: number): ReadonlyArray<Order> => {
  const orders: Array<Order> = []
  for (let next = network.plan[network.planned]; next !== undefined && next.at <= now; ) {
    network.planned++
    if (next.what === "get" || next.what === "put") orders.push(...request(network, now, next.what))
    else orders.push(...disturb(network, next.what))
    next = network.plan[network.planned]
  }
  return orders
}

/** What a replica sent, or why it was no message. */
export const receive = (
  network: Network,
  now: number,
  from: string,
  message: CourseMessage | string
): ReadonlyArray<Order> => {
  const standing = network.replicas.get(from)
  if (standing === "killed" || standing === "dead") return []
  const { tally } = network
  const complain = (why: string): ReadonlyArray<Order> => {
    Tally.complain(tally, why)
    return []
  }
  if (typeof message === "string") return complain(`${from} sent ${message}`)
  if (message.src !== from) return complain(`${from} sent as "${message.src}": ${shown(message)}`)
  if (message.type === "hello") {
    network.replicas.set(from, "running")
    return []
  }
  if (standing !== "running") return complain(`${from} spoke before its hello: ${shown(message)}`)
  network.leader = message.leader
  Tally.name(tally, message.leader)
  if (message.dst === everybody) {
    return [...network.replicas.keys()].filter((id) => id !== from).flatMap((id) => carry(network, id, message))
  }
  if (network.replicas.has(message.dst)) return carry(network, message.dst, message)
  const client = network.clients.get(message.dst)
  return client === undefined
    ? complain(`nobody is "${message.dst}": ${shown(message)}`)
    : answer(network, now, client, message)
}

/** A replica ended, and nobody had killed it. */
export const died = (network: Network, id: string, why: string): void => {
  const standing = network.replicas.get(id)
  if (standing === "killed" || standing === "dead") return
  network.replicas.set(id, "dead")
  network.tally.died.push({ id, why })
}

/** What nobody answered is a failure. */
export const finish = (network: Network): Tally.Tally => {
  const { tally } = network
  for (const { open } of network.clients.values()) {
    for (const { kind } of open.values()) {
      if (kind === "get") tally.getsUnanswered++
      else tally.putsUnanswered++
    }
  }
  return tally
}

/** In the order of their ids, so that a seed means one run. */
const living = (network: Network): ReadonlyArray<string> =>
  [...network.replicas].flatMap(([id, standing]) => (standing === "killed" || standing === "dead" ? [] : [id]))

/** Between replicas. */
const carry = (network: Network, to: string, message: CourseMessage): ReadonlyArray<Order> => {
  const { tally, partition, configuration } = network
  tally.messages++
  if (tally.messages >= configuration.maximumMessages) tally.stopped = "too many messages"
  const parted = partition !== undefined && partition.has(message.src) !== partition.has(to)
  // Drawn in any case: a partition must not change what is lost afterwards.
  const lost = network.chance.losing.chance(configuration.drops)
  if (!parted && !lost) return deliver(network, to, message)
  tally.dropped++
  return []
}

const deliver = (network: Network, to: string, message: CourseMessage): ReadonlyArray<Order> => {
  const standing = network.replicas.get(to)
  if (standing === "silent") {
    died(network, to, `it was spoken to before its hello, by ${message.src}: ${shown(message)}`)
    return []
  }
  return standing === "running" ? [{ _tag: "Deliver", to, message }] : []
}

const request = (network: Network, now: number, kind: "get" | "put"): ReadonlyArray<Order> => {
  const { tally } = network
  const { asking } = network.chance
  const clients = [...network.clients.values()]
  const knowing = clients.filter(({ items }) => items.size > 0)
  if (kind === "get") tally.gets++
  else tally.puts++
  if (kind === "get" && knowing.length > 0) {
    const client = asking.pick(knowing)
    return ask(network, client, Client.drawGet(client, asking, now))
  }
  if (kind === "get") tally.getsNotGenerated++
  const client = asking.pick(clients)
  return ask(network, client, Client.drawPut(client, asking, now))
}

const ask = (network: Network, client: Client.Client, one: Client.Request): ReadonlyArray<Order> => {
  const message = Client.ask(client, one, living(network), network.chance.asking)
  return message === undefined ? [] : deliver(network, message.dst, message)
}

const answer = (network: Network, now: number, client: Client.Client, message: CourseMessage): ReadonlyArray<Order> => {
  const { tally } = network
  const given = Client.answered(client, message)
  switch (given._tag) {
    case "Wrong":
      Tally.complain(tally, `${message.src} sent ${given.why}`)
      return []
    case "Duplicate":
      tally.duplicates++
      return []
    case "Right": {
      tally.latenciesMillis.push(now - given.request.askedAt)
      if (tally.latenciesMillis.length >= maximumAnswers(network.configuration)) tally.stopped = "too many answers"
      if (message.type === "fail") tally.fails++
      if (message.type === "redirect") tally.redirects++
      if (!given.again && given.request.kind === "put") tally.putsStored++
      return given.again ? ask(network, client, { ...given.request, askedAt: now }) : []
    }
  }
}

const disturb = (network: Network, kind: Disturbance["kind"]): ReadonlyArray<Order> => {
  switch (kind) {
    case "kill_leader":
      return living(network).includes(network.leader) ? kill(network, network.leader, kind) : []
    case "kill_non_leader": {
      const others = living(network).filter((id) => id !== network.leader)
      return others.length === 0 ? [] : kill(network, network.chance.disturbing.pick(others), kind)
    }
    case "part_easy":
      return part(network, network.replicas.has(network.leader) ? [network.leader] : [])
    case "part_hard":
      return part(network, [])
    case "part_end":
      network.partition = undefined
      return [{ _tag: "Part", together: [] }]
  }
}

const kill = (network: Network, id: string, why: string): ReadonlyArray<Order> => {
  network.replicas.set(id, "killed")
  network.tally.killed.push(id)
  return [{ _tag: "Kill", id, why }]
}

/** A majority stays together, dead ones among it or not; clients believe in nobody any more unless the leader is in it by intention. */
const part = (network: Network, first: ReadonlyArray<string>): ReadonlyArray<Order> => {
  const together = [...first]
  const majority = Math.floor(network.replicas.size / 2) + 1
  const left = [...network.replicas.keys()].filter((id) => !together.includes(id))
  while (together.length < majority) together.push(...left.splice(network.chance.disturbing.below(left.length), 1))
  network.partition = new Set(together)
  if (first.length === 0) for (const client of network.clients.values()) client.leader = nobody
  return [{ _tag: "Part", together }]
}
