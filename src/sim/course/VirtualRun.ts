/**
 * A whole run in virtual time. As in reality a replica's message takes one hop to the network and one from there to
 * its recipient; hops of one replica overtake each other in neither direction. What a replica computes takes no time.
 */
import type { CourseMessage } from "../../course/CourseMessage.ts"
import type { CourseReplica, Start, Step } from "../../course/Replica.ts"
import * as Agenda from "../Agenda.ts"
import * as Random from "../Random.ts"
import type { Configuration } from "./Configuration.ts"
import { shown, validate } from "./CourseMessage.ts"
import * as Network from "./Network.ts"
import * as Verdict from "./Verdict.ts"

export interface Options {
  readonly configuration: Configuration
  readonly seed: number
  readonly start: Start
  /** Gets a line for everything that happens. */
  readonly note?: ((line: string) => void) | undefined
  /** Passes copies that went through JSON, as datagrams do; slower. */
  readonly serialized?: boolean | undefined
}

type Happening =
  | { readonly _tag: "Start"; readonly id: string }
  | { readonly _tag: "Sent"; readonly id: string; readonly message: CourseMessage }
  | { readonly _tag: "Arrived"; readonly id: string; readonly message: CourseMessage }
  | { readonly _tag: "Due"; readonly id: string }

interface Running {
  replica: CourseReplica | undefined
  deadline: number
  /** When the last message in each direction is through. */
  outAt: number
  inAt: number
}

/** Through the loopback and a waiting process. */
const fastestHopMillis = 0.02
const slowestHopMillis = 0.12
/** Until a started process says hello. */
const fastestStartMillis = 50
const slowestStartMillis = 600
/** A replica that wakes itself without end takes no virtual time, but ours. */
const maximumSteps = 2_000_000

export const run = (options: Options): Verdict.Verdict => {
  const { configuration, seed } = options
  const network = Network.create(configuration, seed)
  const agenda = Agenda.empty<Happening>()
  const hops = Random.stream(seed, "hops")
  const note = options.note
  const replicas = new Map(
    Network.replicaIds(configuration).map((id): [string, Running] => [
      id,
      { replica: undefined, deadline: Number.POSITIVE_INFINITY, outAt: 0, inAt: 0 }
    ])
  )
  const hop = (): number => hops.between(fastestHopMillis, slowestHopMillis)

  const obey = (now: number, orders: ReadonlyArray<Network.Order>): void => {
    for (const order of orders) {
      switch (order._tag) {
        case "Deliver": {
          const running = replicas.get(order.to)!
          running.inAt = Math.max(running.inAt, now + hop())
          Agenda.plan(agenda, running.inAt, { _tag: "Arrived", id: order.to, message: order.message })
          break
        }
        case "Kill":
          note?.(line(now, `${order.why} ${order.id}`))
          end(order.id)
          break
        case "Part":
          note?.(line(now, order.together.length === 0 ? "part_end" : `together: ${order.together.join(" ")}`))
          break
      }
    }
  }
  const end = (id: string): void => {
    const running = replicas.get(id)!
    running.replica = undefined
    running.deadline = Number.POSITIVE_INFINITY
  }
  /** A replica that throws is a process that ended. */
  const step = (now: number, id: string, doing: (running: Running) => Step): void => {
    const running = replicas.get(id)!
    try {
      const { send, deadline } = doing(running)
      for (const message of send) {
        running.outAt = Math.max(running.outAt, now + hop())
        Agenda.plan(agenda, running.outAt, { _tag: "Sent", id, message: passed(message) })
      }
      if (deadline !== running.deadline && deadline < Number.POSITIVE_INFINITY) {
        Agenda.plan(agenda, Math.max(now, deadline), { _tag: "Due", id })
      }
      running.deadline = deadline
    } catch (error) {
      note?.(line(now, `${id} threw ${String(error)}`))
      Network.died(network, id, String(error))
      end(id)
    }
  }
  const passed = (message: CourseMessage): CourseMessage =>
    options.serialized === true ? (JSON.parse(JSON.stringify(message)) as CourseMessage) : message

  const happen = (now: number, what: Happening): void => {
    const running = replicas.get(what.id)!
    switch (what._tag) {
      case "Start":
        step(now, what.id, () => {
          const peers = Network.replicaIds(configuration).filter((id) => id !== what.id)
          const started = options.start({ id: what.id, peers, seed: Random.mix(seed, Random.text(what.id)), now })
          running.replica = started.replica
          return started.step
        })
        return
      case "Sent":
        note?.(line(now, `${what.id} -> ${shown(what.message)}`))
        obey(now, Network.receive(network, now, what.id, validate(what.message)))
        return
      case "Arrived": {
        const { replica } = running
        if (replica === undefined) return
        if (note !== undefined && !replicas.has(what.message.src))
          note(line(now, `${what.id} <- ${shown(what.message)}`))
        step(now, what.id, () => replica.receive(now, what.message))
        return
      }
      case "Due": {
        const { replica } = running
        if (replica === undefined || running.deadline > now) return
        running.deadline = Number.POSITIVE_INFINITY
        step(now, what.id, () => replica.fire(now))
        return
      }
    }
  }

  for (const id of replicas.keys()) {
    Agenda.plan(agenda, hops.between(fastestStartMillis, slowestStartMillis), { _tag: "Start", id })
  }
  let now = 0
  for (let steps = 0; !Network.isOver(network, now); steps++) {
    if (steps > maximumSteps) {
      for (const id of replicas.keys()) Network.died(network, id, "the replicas keep each other busy without end")
      break
    }
    const planned = Network.nextAt(network)
    if ((agenda.heap[0]?.at ?? Number.POSITIVE_INFINITY) < planned) {
      const next = Agenda.next(agenda)!
      now = next.at
      happen(now, next.what)
    } else {
      now = planned
      obey(now, Network.advance(network, now))
    }
    for (const { id } of network.tally.died) if (replicas.get(id)!.replica !== undefined) end(id)
  }
  return Verdict.of(configuration, seed, Network.finish(network))
}

const line = (now: number, what: string): string => `${now.toFixed(3)} ${what}`
