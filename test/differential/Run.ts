/**
 * One sequence on both servers, step by step, until they differ. It begins and ends with an empty store, so nothing
 * but itself can have an influence on it, and it can be run again.
 */
import { compare, type Deviation } from "./Comparison.ts"
import { type Json, normal, type Reader } from "./Normal.ts"
import { eventually } from "../process/RealCluster.ts"
import { type Call, call, type Expire, forgets, isLocal, type Sequence, type Step, type Watch } from "./Sequence.ts"
import type { Answer, Request, Side } from "./Side.ts"
import { type Bindings, bytes, key, render } from "./Template.ts"
import { WatchStream } from "./WatchStream.ts"

export interface Pair {
  readonly etcd: Side
  readonly balsa: Side
}

/** What was sent to both, and what came back. */
export interface Exchange {
  readonly step: Call | Watch
  readonly replica: number
  readonly etcd: { readonly request: Request; readonly answer: Answer | undefined }
  readonly balsa: { readonly request: Request; readonly answer: Answer | undefined }
}

export interface Difference extends Deviation {
  readonly route: string
  /** One of the two had no leader, or no connection: what it answers otherwise is not known. */
  readonly isDisturbed: boolean
  /** The last one is where they differ. */
  readonly exchanges: ReadonlyArray<Exchange>
}

/** Another run than any other: its keys and leases are new. */
let runs = 0

export const run = async (pair: Pair, sequence: Sequence): Promise<Difference | undefined> => {
  const running = new Run(pair, ++runs)
  const difference = await running.all(sequence)
  await running.clear(difference !== undefined)
  return difference
}

/** Long enough for a new leader. */
const mostAttempts = 4

/** The same, and once more where one of them was not there for a while: that is not what it answers. */
export const runUndisturbed = async (
  pair: Pair,
  sequence: Sequence,
  onDisturbed: () => void = () => {}
): Promise<Difference | undefined> => {
  for (let attempt = 1; ; attempt++) {
    const difference = await run(pair, sequence)
    if (difference?.isDisturbed !== true || attempt === mostAttempts) return difference
    onDisturbed()
  }
}

interface State {
  readonly side: Side
  readonly leases: Map<number, string>
  before: number
  clusterId: string
}

interface Open {
  readonly step: Watch
  readonly exchange: Exchange
  readonly etcd: WatchStream
  readonly balsa: WatchStream
}

class Found extends Error {
  readonly difference: Difference
  constructor(difference: Difference) {
    super(difference.path)
    this.difference = difference
  }
}

class Run {
  private readonly prefix: string
  private readonly firstLease: bigint
  private readonly etcd: State
  private readonly balsa: State
  private readonly exchanges: Array<Exchange> = []
  private readonly open: Array<Open> = []
  private readonly granted = new Set<number>()
  private latest = 0

  constructor({ etcd, balsa }: Pair, number: number) {
    this.prefix = `s${number}/`
    this.firstLease = 7_000_000_000_000_000_000n + BigInt(number) * 1000n
    this.etcd = stateOf(etcd)
    this.balsa = stateOf(balsa)
  }

  async all({ steps }: Sequence): Promise<Difference | undefined> {
    try {
      await this.begin()
      for (const step of steps) await this.step(step)
      await this.end()
      return undefined
    } catch (error) {
      if (error instanceof Found) return error.difference
      throw error
    }
  }

  private async step(step: Step): Promise<void> {
    switch (step.kind) {
      case "call":
        await this.call(step)
        return
      case "watch":
        return this.watch(step)
      case "expire":
        await Promise.all([this.etcd, this.balsa].map((state) => this.expire(step, state)))
    }
  }

  private async expire({ lease }: Expire, state: State): Promise<void> {
    const step = call("/v3/lease/timetolive", { ID: { $: "lease", index: lease, as: "string" } })
    await eventually(`a lease ends at ${state.side.name}`, async () => {
      const { text } = await state.side.ask(this.request(step, state), this.latest)
      return text.includes('"TTL":"-1"') ? true : undefined
    })
  }

  /** Both change something, and by that tell who they are and where they begin. */
  private async begin(): Promise<void> {
    const step = call("/v3/kv/put", { key: key("begin") })
    const begin = async (state: State): Promise<void> => {
      const { header } = JSON.parse(await answered(state.side, this.request(step, state))) as {
        readonly header: Header
      }
      state.before = Number(header.revision) - 1
      state.clusterId = header.cluster_id
    }
    await Promise.all([begin(this.etcd), begin(this.balsa)])
    await Promise.all([this.etcd.side.learnMembers(), this.balsa.side.learnMembers()])
  }

  private async end(): Promise<void> {
    for (const open of this.open) await this.touch(open)
    for (const open of this.open) this.compareStreams(open)
    for (const index of this.granted) {
      await this.call(call("/v3/lease/revoke", { ID: { $: "lease", index, as: "string" } }))
    }
    await this.call(everything)
  }

  /** The next run finds nothing of this one, even if this one did not come to its end. */
  async clear(broken: boolean): Promise<void> {
    for (const { etcd, balsa } of this.open) for (const stream of [etcd, balsa]) stream.close()
    if (!broken) return
    const clear = async (state: State): Promise<void> => {
      for (const index of this.granted) {
        const step = call("/v3/lease/revoke", { ID: { $: "lease", index, as: "string" } })
        await state.side.ask(this.request(step, state))
      }
      await answered(state.side, this.request(everything, state))
    }
    await Promise.all([clear(this.etcd), clear(this.balsa)])
  }

  private async call(step: Call): Promise<Exchange> {
    if (forgets(step)) for (const open of this.open) await this.touch(open)
    const replica = isLocal(step) ? this.latest : step.replica
    const [first, second] = [this.request(step, this.etcd), this.request(step, this.balsa)]
    const [etcd, balsa] = await Promise.all([this.etcd.side.ask(first, replica), this.balsa.side.ask(second, replica)])
    const exchange = {
      step,
      replica,
      etcd: { request: first, answer: etcd },
      balsa: { request: second, answer: balsa }
    }
    this.exchanges.push(exchange)
    // Who refuses a request need not have asked the others.
    if (balsa.status === 200) this.latest = replica
    if (step.grants !== undefined) this.learnLease(step.grants, etcd, balsa)
    this.compare(step.route, normalJson(etcd, this.reader(this.etcd)), normalJson(balsa, this.reader(this.balsa)))
    return exchange
  }

  private async watch(step: Watch): Promise<void> {
    const [first, second] = [this.request(step, this.etcd), this.request(step, this.balsa)]
    const [etcd, balsa] = await Promise.all([
      WatchStream.open(this.etcd.side, first.body!, this.latest),
      WatchStream.open(this.balsa.side, second.body!, this.latest)
    ])
    const exchange = {
      step,
      replica: this.latest,
      etcd: { request: first, answer: undefined },
      balsa: { request: second, answer: undefined }
    }
    this.exchanges.push(exchange)
    const open = { step, exchange, etcd, balsa }
    this.open.push(open)
    const creates = step.requests.filter(({ kind }) => kind === "create").length
    await Promise.all([etcd.untilCreated(creates), balsa.untilCreated(creates)])
    // What it is told of the past must not depend on when it comes to it.
    if (step.requests.some((one) => one.kind === "create" && one.from > 0)) await this.touch(open)
  }

  /** Changes something that is watched, and waits until the watches have been told. */
  private async touch({ step, etcd, balsa }: Open): Promise<void> {
    const creates = step.requests.filter((one) => one.kind === "create")
    for (const [at, { touched, noDelete, from }] of creates.entries()) {
      const put = await this.call({ ...call("/v3/kv/put", { key: touched, value: bytes("!") }), replica: this.latest })
      const gone = await this.call({ ...call("/v3/kv/deleterange", { key: touched }), replica: this.latest })
      const until = async (stream: WatchStream, state: State, side: "etcd" | "balsa"): Promise<void> => {
        const revision = revisionOf((noDelete ? put : gone)[side].answer)
        const id = stream.created[at]
        if (id === undefined) return
        stream.limit(id, revision)
        if (state.before + from <= revision) await stream.untilTold(id, revision)
      }
      await Promise.all([until(etcd, this.etcd, "etcd"), until(balsa, this.balsa, "balsa")])
    }
  }

  private compareStreams({ exchange, etcd, balsa }: Open): void {
    const first = etcd.told(this.reader(this.etcd))
    const second = balsa.told(this.reader(this.balsa))
    this.exchanges.push(exchange)
    this.compare("/v3/watch", { ...first }, { ...second })
    this.exchanges.pop()
    if (first.flaws.length > 0) throw this.found("/v3/watch", { path: "watch", etcd: first.flaws, balsa: second.flaws })
  }

  private compare(route: string, etcd: Json, balsa: Json): void {
    const deviation = compare(etcd, balsa)
    if (deviation !== undefined) throw this.found(route, deviation)
  }

  private found(route: string, deviation: Deviation): Found {
    const isDisturbed = this.exchanges.some(({ etcd, balsa }) => isAway(etcd.answer) || isAway(balsa.answer))
    return new Found({ ...deviation, route, isDisturbed, exchanges: [...this.exchanges] })
  }

  private learnLease(index: number, etcd: Answer, balsa: Answer): void {
    for (const [state, { status, text }] of [[this.etcd, etcd] as const, [this.balsa, balsa] as const]) {
      if (status !== 200) continue
      this.granted.add(index)
      const id = /"ID":"(-?\d+)"/.exec(text)?.[1]
      if (id !== undefined) state.leases.set(index, id)
    }
  }

  private request(step: Call | Watch, state: State): Request {
    const bindings: Bindings = {
      prefix: this.prefix,
      before: state.before,
      lease: (index) => state.leases.get(index) ?? String(this.firstLease + BigInt(index))
    }
    const bodies = step.kind === "call" ? step.bodies : step.requests.map(({ body }) => body)
    const body = bodies.map((one) => render(one, bindings)).join("")
    return { path: step.kind === "call" ? step.route : "/v3/watch", body }
  }

  private reader({ side, before, leases, clusterId }: State): Reader {
    const given = Array.from({ length: 100 }, (_, at) => [String(this.firstLease + BigInt(at)), `lease ${at}`] as const)
    const answered = [...leases].map(([index, id]) => [id, `lease ${index}`] as const)
    return { before, leaseNames: new Map([...given, ...answered]), clusterId, memberIds: side.memberIds }
  }
}

/** Tries until it succeeds, for a server that has no leader has one soon. */
const answered = async (side: Side, request: Request): Promise<string> =>
  eventually(`${side.name} serves`, async () => {
    const { status, text } = await side.ask(request)
    return status === 200 ? text : undefined
  })

const isAway = (answer: Answer | undefined): boolean => answer?.status === 503 || answer?.status === 0

interface Header {
  readonly cluster_id: string
  readonly member_id: string
  readonly revision?: string
}

/** All keys, whose they are: nobody else may use these servers meanwhile. */
const everything = call("/v3/kv/deleterange", { key: bytes("\0"), range_end: bytes("\0"), prev_kv: true })

const stateOf = (side: Side): State => ({ side, leases: new Map(), before: 0, clusterId: "" })

const normalJson = (answer: Answer, reader: Reader): Json => ({ ...normal(answer, reader) })

const revisionOf = (answer: Answer | undefined): number =>
  Number((JSON.parse(answer?.text ?? "{}") as { readonly header?: Header }).header?.revision ?? 0)
