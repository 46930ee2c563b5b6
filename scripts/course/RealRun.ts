/**
 * A run in real time: replicas are processes, everything goes through one UDP socket on the loopback. The network
 * itself is src/sim/course; here are only the clock, the socket and the processes.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createSocket, type Socket, type SocketOptions } from "node:dgram"
import { once } from "node:events"
import { type Configuration, runMillis } from "../../src/sim/course/Configuration.ts"
import { nobody } from "../../src/course/CourseMessage.ts"
import { parse, shown } from "../../src/sim/course/CourseMessage.ts"
import * as Network from "../../src/sim/course/Network.ts"
import * as Verdict from "../../src/sim/course/Verdict.ts"

export interface Options {
  readonly configuration: Configuration
  readonly seed: number
  /** And first arguments, if any; started with the port, its own id and its peers' behind them. */
  readonly program: readonly [file: string, ...first: ReadonlyArray<string>]
  /** How far it is, every few seconds. */
  readonly say: (line: string) => void
  readonly note?: ((line: string) => void) | undefined
}

export interface Outcome {
  readonly verdict: Verdict.Verdict
  /** What replicas wrote to stdout and stderr, by their ids; the beginning of it. */
  readonly output: ReadonlyMap<string, string>
}

const host = "127.0.0.1"
const sayEveryMillis = 5000
/** A replica told to end must have done so by then. */
const patienceMillis = 2000
const maximumOutput = 4000
/** Bursts must not be lost here: the network loses only what it means to. */
const receiveBufferBytes = 4 * 1024 * 1024

/** All that were started and live: nothing may outlive this process. */
const children = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

export const run = async ({ configuration, seed, program, say, note }: Options): Promise<Outcome> => {
  // What is sent goes to a number, and at once: looking it up takes another turn of the loop.
  const lookup: SocketOptions["lookup"] = (address, _, found) => found(null, address, 4)
  const socket = createSocket({ type: "udp4", recvBufferSize: receiveBufferBytes, lookup })
  const listening = once(socket, "listening")
  socket.bind(0, host)
  await listening
  const network = Network.create(configuration, seed)
  const ports = new Map<string, number>()
  const processes = new Map<string, ChildProcess>()
  const output = new Map<string, string>()
  const ending: Array<Promise<void>> = []
  const startedAt = performance.now()
  const elapsed = (): number => performance.now() - startedAt
  const write = (what: string): void => note?.(`${elapsed().toFixed(3)} ${what}`)

  const end = async (id: string): Promise<void> => {
    const child = processes.get(id)
    if (child === undefined || (await ended(child))) return
    network.tally.died.push({ id, why: `it does not end on SIGTERM within ${patienceMillis / 1000} s` })
  }
  const obey = (orders: ReadonlyArray<Network.Order>): void => {
    for (const order of orders) {
      switch (order._tag) {
        case "Deliver":
          if (!ports.has(order.message.src)) write(`${order.to} <- ${shown(order.message)}`)
          socket.send(JSON.stringify(order.message), ports.get(order.to), host)
          break
        case "Kill":
          write(`${order.why} ${order.id}`)
          ending.push(end(order.id))
          break
        case "Part":
          write(order.together.length === 0 ? "part_end" : `together: ${order.together.join(" ")}`)
          break
      }
    }
  }

  await new Promise<void>((resolve) => {
    let timer: NodeJS.Timeout | undefined
    let saidAt = 0
    const wake = (): void => {
      const now = elapsed()
      if (Network.isOver(network, now)) {
        clearTimeout(timer)
        resolve()
        return
      }
      obey(Network.advance(network, now))
      if (now - saidAt >= sayEveryMillis) {
        saidAt = now
        say(progress(network, now))
      }
      timer = setTimeout(wake, Math.min(Math.max(0, Network.nextAt(network) - now), sayEveryMillis))
    }
    socket.on("message", (bytes, { port }) => {
      const message = parse(bytes.toString("utf8"))
      const from =
        [...ports].find(([, known]) => known === port)?.[0] ?? (typeof message === "string" ? nobody : message.src)
      if (typeof message !== "string") {
        write(`${from} -> ${shown(message)}`)
        if (message.type === "hello" && network.replicas.has(from)) ports.set(from, port)
      }
      obey(Network.receive(network, elapsed(), from, message))
      if (network.tally.stopped !== undefined) wake()
    })
    for (const id of network.replicas.keys()) {
      const peers = [...network.replicas.keys()].filter((other) => other !== id)
      const [file, ...first] = program
      const own = [String(socket.address().port), id, ...rotated(peers, Number.parseInt(id, 16))]
      const child = spawn(file, [...first, ...own], { stdio: ["ignore", "pipe", "pipe"] })
      processes.set(id, child)
      watch(child, id, output)
      child.once("error", (error) => Network.died(network, id, error.message))
      child.once("exit", (code, signal) =>
        Network.died(network, id, code === null ? `it ended by ${signal}` : `it ended with ${code}`)
      )
    }
    wake()
  })

  // What ends from here on ends because the run does.
  for (const [id, child] of processes) {
    child.removeAllListeners("exit")
    ending.push(end(id))
  }
  socket.removeAllListeners("message")
  await Promise.all(ending)
  await closed(socket)
  return { verdict: Verdict.of(configuration, seed, Network.finish(network)), output }
}

/** "In any order": each replica gets another one. */
const rotated = (peers: ReadonlyArray<string>, by: number): ReadonlyArray<string> => {
  const from = by % peers.length
  return [...peers.slice(from), ...peers.slice(0, from)]
}

const watch = (child: ChildProcess, id: string, output: Map<string, string>): void => {
  children.add(child)
  child.once("exit", () => children.delete(child))
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      const before = output.get(id) ?? ""
      if (before.length < maximumOutput) output.set(id, before + text.slice(0, maximumOutput - before.length))
    })
  }
}

/** Whether SIGTERM was enough. */
const ended = async (child: ChildProcess): Promise<boolean> => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return true
  const exit = once(child, "exit")
  child.kill("SIGTERM")
  let willing = true
  const timer = setTimeout(() => {
    willing = false
    child.kill("SIGKILL")
  }, patienceMillis)
  await exit
  clearTimeout(timer)
  return willing
}

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.close(() => resolve()))

const progress = ({ configuration, tally, leader }: Network.Network, now: number): string =>
  `${configuration.name}: ${Math.round(now / 1000)} of ${runMillis(configuration) / 1000} s, ` +
  `${tally.latenciesMillis.length} answers, ${tally.messages} messages, leader ${leader}` +
  (tally.incorrect > 0 ? `, ${tally.incorrect} wrong` : "")
