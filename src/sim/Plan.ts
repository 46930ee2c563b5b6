/**
 * What one seed means: how large the cluster is, how tight its limits, which faults befall
 * it and how hard. Each part is drawn from its own stream, and a fault that is switched off
 * is drawn all the same, so the rest stays as it was.
 */
import type { Options } from "../raft/Options.ts"
import { busy } from "./Busy.ts"
import { drawDrift, drawOptions, drawVersions, maxHosts, type Versions } from "./PlanOptions.ts"
import { type Random, stream } from "./Random.ts"

export const faultKinds = [
  "crash",
  "power",
  "freeze",
  "split",
  "oneWay",
  "isolate",
  "mute",
  "clog",
  "depose",
  "bridge",
  "ring",
  "swizzle",
  "hold",
  "bounce",
  "overtake",
  "slowDisk",
  "full",
  "wipe",
  "rot",
  "alter",
  "lag",
  "amnesia",
  "patience",
  "amend",
  "transfer"
] as const
export type FaultKind = (typeof faultKinds)[number]

/** What else can be switched off by name. */
export const toggles = [
  ...faultKinds,
  "loss",
  "double",
  "late",
  "reorder",
  "tail",
  "disk",
  "snapshotFail",
  "spoil",
  "gone",
  "syncError",
  "clock",
  "timer",
  "cutShort",
  "impair",
  "lockstep",
  "lease",
  "version"
] as const
export type Toggle = (typeof toggles)[number]

export interface Plan {
  /** How many found the cluster, and how many machines there are in all: the others are there to be added. */
  readonly size: number
  readonly hosts: number
  readonly versions: Versions
  readonly options: Options
  /** Faults end after so many steps of the world. */
  readonly steps: number
  readonly clients: Clients
  /** At most so many events are reduced together; what arrives waits up to `lingerMillis` for company. */
  readonly batch: { readonly most: number; readonly lingerMillis: number }
  readonly network: Network
  readonly disk: DiskPlan
  readonly snapshots: SnapshotPlan
  /** How fast each replica's clock runs until the faults end: nothing that is safe may rest on it. */
  readonly clocks: ReadonlyArray<number>
  /** How likely a timer fires late, and others' events are seen first. */
  readonly lateTimer: number
  /** How likely a step is cut short by a crash, at any of its effects. */
  readonly cutShort: number
  readonly strikes: ReadonlyArray<Strike>
  readonly recovery: RecoveryPlan
}

export interface DiskPlan {
  readonly syncMillis: number
  /** How likely a sync takes `stallMillis`. */
  readonly stall: number
  readonly stallMillis: number
  /** How likely a sync fails, which ends the replica. */
  readonly error: number
}

/** What goes on beside all else takes about so long, and may fail. */
export interface SnapshotPlan {
  readonly takeMillis: number
  /** A chunk of one. */
  readonly readMillis: number
  /** To check all that has come. */
  readonly finishMillis: number
  /** How likely one that is taken cannot be stored, and one that is to be sent cannot be read. */
  readonly fail: number
  readonly gone: number
  /** How likely a chunk is changed on its way to the disk. */
  readonly spoil: number
}

/** What is left of the faults for ever once a majority is healed. */
export interface RecoveryPlan {
  /** Of those that need not be in the majority, a bit each: what is left out is healed too. */
  readonly impaired: number
  /** Extra time on some links, as a share of the election timeout. */
  readonly slow: number
  /** Copies still arrive, now and much later. */
  readonly copies: boolean
  /** All start at one instant, every message takes equally long: only chance in the replicas can tell them apart. */
  readonly lockstep: boolean
}

export interface Clients {
  readonly count: number
  readonly thinkMillis: number
  /** The share of queries. */
  readonly queries: number
  readonly patienceMillis: number
  /** Each stays with one replica and mostly reads or mostly writes, so that a stale replica is not found out by writes. */
  readonly sticky: boolean
}

export interface Network {
  readonly delayMillis: number
  readonly tail: number
  readonly loss: number
  readonly double: number
  /** A copy that arrives much later. */
  readonly late: number
  readonly reorder: boolean
}

/** A fault that comes about every `everyMillis` and lasts about `lastMillis`. */
export interface Strike {
  readonly kind: FaultKind
  readonly everyMillis: number
  readonly lastMillis: number
}

export const draw = (seed: number, off: ReadonlySet<Toggle>, size?: number): Plan => {
  const shape = stream(seed, "plan.shape")
  const drawn = shape.pick([1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5, 5, 5, 5, 6, 7])
  const drift = drawDrift(stream(seed, "plan.lease"), off.has("lease"))
  const options = {
    ...drawOptions(stream(seed, "plan.options"), stream(seed, "plan.snapshotOptions")),
    ...(drift === undefined ? {} : { leaseReads: true, maxClockDrift: drift })
  }
  const timeout = options.electionTimeoutMillis
  const number = size ?? drawn
  const spare = stream(seed, "plan.hosts")
  const plan: Plan = {
    size: number,
    hosts: Math.min(maxHosts, number + spare.pick([1, 1, 2, 2, 3])),
    versions: drawVersions(stream(seed, "plan.versions"), off.has("version")),
    options,
    steps: 600 + shape.below(2400),
    clients: {
      count: 1 + shape.below(6),
      thinkMillis: shape.pick([0, 1, 10, timeout / 4]),
      queries: shape.pick([0.1, 0.5, 0.8]),
      patienceMillis: timeout * shape.pick([1, 4, 20]),
      sticky: shape.chance(0.5)
    },
    batch: { most: shape.pick([1, 2, 4, 16]), lingerMillis: shape.pick([0, 0, 0.5, 5]) },
    network: drawNetwork(stream(seed, "plan.network"), timeout, off),
    disk: drawDisk(stream(seed, "plan.disk"), timeout, off),
    snapshots: drawSnapshots(stream(seed, "plan.snapshots"), timeout, off),
    clocks: drawClocks(stream(seed, "plan.clock"), drift, off),
    lateTimer: on(stream(seed, "plan.timer").pick([0, 0, 0.3, 0.9]), "timer", off),
    cutShort: on(stream(seed, "plan.cutShort").pick([0, 0.001, 0.01, 0.03]), "cutShort", off),
    strikes: drawStrikes(seed, timeout).filter((strike) => !off.has(strike.kind)),
    recovery: drawRecovery(stream(seed, "plan.recovery"), off)
  }
  const more = stream(seed, "plan.busy")
  return more.chance(0.25) ? busy(plan, more, off) : plan
}

const drawRecovery = (random: Random, off: ReadonlySet<Toggle>): RecoveryPlan => ({
  impaired: on(random.pick([0, 0xff, random.below(256)]), "impair", off),
  slow: on(random.pick([0, 0, 0.02, 0.1]), "impair", off),
  copies: random.chance(0.5),
  lockstep: random.chance(0.15) && !off.has("lockstep")
})

const on = (value: number, toggle: Toggle, off: ReadonlySet<Toggle>): number => (off.has(toggle) ? 0 : value)

const drawNetwork = (random: Random, timeout: number, off: ReadonlySet<Toggle>): Network => {
  const drawn = {
    delayMillis: timeout / random.pick([1000, 100, 30, 8]),
    tail: random.pick([0, 0, 0.01, 0.1]),
    loss: random.pick([0, 0, 0.01, 0.1, 0.3]),
    double: random.pick([0, 0.01, 0.2]),
    late: random.pick([0, 0.01, 0.05]),
    reorder: random.chance(0.5)
  }
  return {
    delayMillis: drawn.delayMillis,
    tail: on(drawn.tail, "tail", off),
    loss: on(drawn.loss, "loss", off),
    double: on(drawn.double, "double", off),
    late: on(drawn.late, "late", off),
    reorder: drawn.reorder && !off.has("reorder")
  }
}

const drawDisk = (random: Random, timeout: number, off: ReadonlySet<Toggle>): Plan["disk"] => {
  const drawn = {
    syncMillis: random.pick([0, 0, 0.2, timeout / 20]),
    stall: random.pick([0, 0.001, 0.02]),
    stallMillis: timeout * random.pick([0.5, 3]),
    error: on(random.pick([0, 0, 0.002, 0.01]), "syncError", off)
  }
  return off.has("disk") ? { ...drawn, syncMillis: 0, stall: 0, stallMillis: 0 } : drawn
}

const drawSnapshots = (random: Random, timeout: number, off: ReadonlySet<Toggle>): SnapshotPlan => ({
  takeMillis: timeout * random.pick([0, 0, 0.05, 1]),
  readMillis: timeout * random.pick([0, 0, 0.01, 0.1]),
  finishMillis: timeout * random.pick([0, 0.05, 0.5]),
  fail: on(random.pick([0, 0, 0.1, 0.5]), "snapshotFail", off),
  gone: on(random.pick([0, 0, 0.1]), "gone", off),
  spoil: on(random.pick([0, 0, 0.01, 0.05]), "spoil", off)
})

const drawClocks = (random: Random, drift: number | undefined, off: ReadonlySet<Toggle>): ReadonlyArray<number> => {
  const wild = random.pick([0, 0, 0.02, 0.2, 0.7])
  const spread = drift ?? wild
  return Array.from({ length: maxHosts }, () => (off.has("clock") ? 1 : random.between(1 - spread, 1 + spread)))
}

/** A sequence of its own, for which the others must leave room. */
const staged: ReadonlyArray<FaultKind> = ["overtake", "bounce", "lag", "amnesia", "amnesia", "patience"]

const likely: { readonly [Kind in FaultKind]?: number } = {
  power: 0.2,
  depose: 0.6,
  bridge: 0.2,
  ring: 0.2,
  swizzle: 0.2,
  slowDisk: 0.2,
  full: 0.15,
  wipe: 0.3,
  rot: 0.3,
  alter: 0.1,
  lag: 0.5,
  amnesia: 0.2,
  patience: 0.3
}

/** Every seed has these, some of them rarely. */
const rhythms: { readonly [Kind in FaultKind]?: ReadonlyArray<number> } = {
  amend: [1, 3, 8, 25],
  transfer: [1.5, 5, 15, 40]
}

const lasting: { readonly [Kind in FaultKind]?: ReadonlyArray<number> } = { bounce: [0.1], overtake: [0.1] }

/** Some seeds have many kinds of faults, some hardly any, some just one: they get in each other's way. */
const drawStrikes = (seed: number, timeout: number): ReadonlyArray<Strike> => {
  const shape = stream(seed, "plan.strikes")
  const density = shape.pick([0.3, 1, 1.5])
  const only = shape.chance(0.3) ? shape.pick([...faultKinds, ...staged, ...staged, ...staged]) : undefined
  return faultKinds.flatMap((kind) => {
    const random = stream(seed, `plan.${kind}`)
    const drawn = random.chance((likely[kind] ?? 0.4) * density)
    const always = kind === "amend" || kind === "transfer"
    const chosen = always || (only === undefined ? drawn : kind === only)
    const everyMillis = timeout * random.pick(rhythms[kind] ?? (staged.includes(kind) ? [6, 8, 12] : [2, 6, 20]))
    const lastMillis = timeout * random.pick(lasting[kind] ?? [0.3, 1.5, 5])
    return chosen ? [{ kind, everyMillis, lastMillis }] : []
  })
}
