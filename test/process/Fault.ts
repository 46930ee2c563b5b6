/**
 * What can happen to real replicas and to the links between them: drawn from a seed, begun,
 * and ended. A plan names the leader, not a replica; who that is shows when the fault begins,
 * so a seed fixes the plan and not the run.
 */
import type { Random } from "../../src/sim/Random.ts"
import { sleep } from "./Clients.ts"
import type { Network } from "./Network.ts"
import type { Passage } from "./Proxy.ts"
import type { RealCluster } from "./RealCluster.ts"

export type Who = "leader" | "follower" | "anyone"

/** How a link is cut. */
export type Cut = Exclude<Passage["_tag"], "Open">

export type Fault =
  /** kill -9, and a restart at the end. */
  | { readonly _tag: "Kill"; readonly who: Who }
  /** kill -9 and restart, again and again. */
  | { readonly _tag: "KillOften"; readonly who: Who; readonly everyMillis: number }
  /** Every replica is killed at once. */
  | { readonly _tag: "PowerLoss" }
  | { readonly _tag: "Freeze"; readonly who: Who }
  /**
   * What it hears is late, and then it cannot speak: it goes on believing what its followers said
   * for so long that they may have another leader by then. Only asking them anew for every
   * read (thesis §6.4) keeps it from answering what is old.
   */
  | { readonly _tag: "HearLate"; readonly who: Who; readonly delayMillis: number; readonly cut: Cut }
  | { readonly _tag: "Isolate"; readonly who: Who; readonly cut: Cut }
  | { readonly _tag: "Deafen"; readonly who: Who; readonly cut: Cut }
  | { readonly _tag: "Mute"; readonly who: Who; readonly cut: Cut }
  | { readonly _tag: "Bridge"; readonly who: Who; readonly cut: Cut }
  | { readonly _tag: "Slow"; readonly delayMillis: number }
  /** Connections break in mid-frame, again and again. */
  | { readonly _tag: "Tear"; readonly everyMillis: number }

export const kinds: ReadonlyArray<Fault["_tag"]> = [
  "Kill",
  "KillOften",
  "PowerLoss",
  "Freeze",
  "HearLate",
  "Isolate",
  "Deafen",
  "Mute",
  "Bridge",
  "Slow",
  "Tear"
]

export const draw = (random: Random, kind: Fault["_tag"]): Fault => {
  const who = random.pick(["leader", "leader", "follower", "anyone"] as const)
  const cut = random.pick(["Held", "Refused", "HalfOpen"] as const)
  switch (kind) {
    case "Kill":
    case "Freeze":
      return { _tag: kind, who }
    case "KillOften":
      return { _tag: kind, who, everyMillis: Math.round(random.between(200, 900)) }
    case "PowerLoss":
      return { _tag: kind }
    case "HearLate":
      return { _tag: kind, who: "leader", delayMillis: Math.round(random.between(250, 450)), cut }
    case "Isolate":
    case "Deafen":
    case "Mute":
    case "Bridge":
      return { _tag: kind, who, cut }
    case "Slow":
      return { _tag: kind, delayMillis: Math.round(random.between(5, 150)) }
    case "Tear":
      return { _tag: kind, everyMillis: Math.round(random.between(20, 300)) }
  }
}

export const show = (fault: Fault): string => {
  const { _tag, ...rest } = fault
  return [_tag, ...Object.values(rest)].join(" ")
}

export interface Stage {
  readonly cluster: RealCluster
  readonly network: Network
  readonly random: Random
}

export interface Running {
  /** Whom it met. */
  readonly target: string | undefined
  /** Healing the links is not its business: that happens after it, for all at once. */
  readonly end: () => Promise<void>
}

export const begin = async (fault: Fault, stage: Stage): Promise<Running> => {
  const { cluster, network } = stage
  const target = "who" in fault ? await find(fault.who, stage) : undefined
  switch (fault._tag) {
    case "Kill":
      await cluster.kill(target!)
      return { target, end: async () => cluster.revive(target!) }
    case "KillOften":
      return { target, end: again(fault.everyMillis, () => restart(cluster, target!)) }
    case "PowerLoss":
      await Promise.all(cluster.ids.map((id) => cluster.kill(id)))
      return { target, end: async () => cluster.ids.forEach((id) => cluster.revive(id)) }
    case "Freeze":
      cluster.freeze(target!)
      return { target, end: async () => cluster.thaw(target!) }
    case "HearLate":
      await network.hearLate(target!, fault.delayMillis)
      network.mute(target!, { _tag: fault.cut })
      return { target, end: nothing }
    case "Isolate":
      network.isolate(target!, { _tag: fault.cut })
      return { target, end: nothing }
    case "Deafen":
      network.deafen(target!, { _tag: fault.cut })
      return { target, end: nothing }
    case "Mute":
      network.mute(target!, { _tag: fault.cut })
      return { target, end: nothing }
    case "Bridge":
      network.bridge(target!, { _tag: fault.cut })
      return { target, end: nothing }
    case "Slow":
      network.slow(fault.delayMillis)
      return { target, end: nothing }
    case "Tear":
      return { target, end: again(fault.everyMillis, async () => network.tear()) }
  }
}

const nothing = async (): Promise<void> => {}

const restart = async (cluster: RealCluster, id: string): Promise<void> => {
  await cluster.kill(id)
  cluster.revive(id)
}

/** Does it from now on until the result is called, which waits for the last time to be over. */
const again = (millis: number, act: () => Promise<void>): (() => Promise<void>) => {
  const over = new AbortController()
  const acting = (async () => {
    while (!over.signal.aborted) {
      await act()
      await sleep(millis)
    }
  })()
  return () => {
    over.abort()
    return acting
  }
}

const find = async (who: Who, { cluster, random }: Stage): Promise<string> => {
  const anyone = random.pick(cluster.ids)
  if (who === "anyone") return anyone
  const leader = (await cluster.leaderNow()) ?? anyone
  return who === "leader" ? leader : random.pick(cluster.ids.filter((id) => id !== leader))
}
