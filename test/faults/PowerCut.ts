/**
 * Rounds of power cuts: three replicas, each on a file system of its own, under load; some of them
 * stop in the middle of whatever they do, their file systems lose all that was not synced, and
 * they start again. Threads are frozen first: a power cut stops everything at once, and none of
 * them shall see its disk fail.
 */
import { readdirSync, readFileSync } from "node:fs"
import { type Random, stream } from "../../src/sim/Random.ts"
import type { Operation } from "../process/History.ts"
import { base64, eventually } from "../process/RealCluster.ts"
import type { Ext4 } from "./Drives.ts"
import { Trial, type TrialOptions } from "./Trial.ts"

export interface PowerCutOptions {
  readonly rounds: number
  readonly seed: number
  readonly say: (line: string) => void
  /** What happens before each round, as to a disk that lies. */
  readonly before?: (trial: Trial) => Promise<void>
  readonly victims?: ReadonlyArray<Victims>
  readonly snapshots?: boolean
}

/** Who loses power. */
export type Victims = "everyone" | "leader" | "follower"
const all: ReadonlyArray<Victims> = ["everyone", "leader", "follower", "everyone"]

export interface Report {
  /** The files of the replicas in the end. */
  readonly files: ReadonlyArray<string>
  readonly problems: ReadonlyArray<string>
  readonly history: ReadonlyArray<Operation>
  readonly rounds: ReadonlyMap<Victims, number>
  readonly acknowledged: number
  readonly bulkBytes: number
}

const driveMegabytes = 512
/** Small, so that power fails while they are taken, the log is shortened, and they are sent to who was away. */
const smallSnapshots = ["--snapshot-log-size", "1MiB"]

/** A trial on file systems whose power can be cut; `cut` cuts it, and starts the replicas again. */
export const onDrives = <A>(
  options: Omit<TrialOptions, "drive">,
  act: (trial: Trial, cut: (ids: ReadonlyArray<string>) => Promise<void>) => Promise<A>
): Promise<A> => {
  const drives = new Map<string, Ext4>()
  const drive = async (place: Trial["drives"], id: string): Promise<Ext4> => {
    const own = await place.ext4(id, driveMegabytes)
    drives.set(id, own)
    return own
  }
  return Trial.of({ ...options, drive }, (trial) => act(trial, (ids) => cutPower(ids, trial, drives)))
}

export const run = async (options: PowerCutOptions): Promise<Report> => {
  const { rounds, seed, say, before, victims = all, snapshots = true } = options
  const flags = snapshots ? smallSnapshots : []
  return onDrives({ name: `power-cut-${seed}`, seed, flags }, async (trial, cut) => {
    const random = stream(seed, "power cuts")
    const counts = new Map<Victims, number>()
    const problems: Array<string> = []
    try {
      for (let round = 1; round <= rounds; round++) {
        const who = victims[(round - 1) % victims.length]!
        counts.set(who, (counts.get(who) ?? 0) + 1)
        await before?.(trial)
        await trial.progress(random.between(30, 200))
        const ids = await choose(who, trial, random)
        await cut(ids)
        const { ok, refused, unknown } = trial.recorder.total
        say(`round ${round}: ${who} (${ids.join(", ")}); ${ok} ok, ${refused} refused, ${unknown} unknown`)
        await serving(ids, trial)
      }
    } catch (error) {
      problems.push(`the run broke off: ${String(error)}`)
    }
    const verdict = await trial.verdict()
    problems.push(...verdict.problems)
    if (problems.length > 0) problems.push(...trial.story())
    const files = trial.cluster.ids.flatMap((id) => readdirSync(trial.directory(id)).map((name) => `${id}/${name}`))
    const { ok } = trial.recorder.total
    const bulkBytes = trial.bulk.acknowledgedBytes
    say(
      `${ok} operations acknowledged, and ${Math.round(bulkBytes / 1e6)} MB; ${problems.length === 0 ? "all is well" : "something is wrong"}`
    )
    return { files, problems, history: verdict.history, rounds: counts, acknowledged: ok, bulkBytes }
  })
}

const choose = async (who: Victims, { cluster }: Trial, random: Random): Promise<ReadonlyArray<string>> => {
  if (who === "everyone") return cluster.ids
  const leader = await cluster.leader()
  return who === "leader" ? [leader] : [random.pick(cluster.ids.filter((id) => id !== leader))]
}

const cutPower = async (
  ids: ReadonlyArray<string>,
  { cluster }: Trial,
  drives: ReadonlyMap<string, Ext4>
): Promise<void> => {
  for (const id of ids) cluster.freeze(id)
  for (const id of ids) await frozen(cluster.process(id).child.pid!)
  await Promise.all(ids.map((id) => drives.get(id)!.cut()))
  await Promise.all(ids.map((id) => cluster.kill(id)))
  await Promise.all(ids.map((id) => drives.get(id)!.restore()))
  for (const id of ids) cluster.start(id)
}

/** A thread in a system call, such as fdatasync, ends that first: on a slow disk it takes its time. */
const frozen = (pid: number): Promise<true> =>
  eventually(`every thread of ${pid} stands still`, async () => {
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.every((thread) => stateOf(`/proc/${pid}/task/${thread}/stat`) === "T") ? true : undefined
  })

/** The third field; the second is the thread's name, in parentheses, and may hold anything. */
const stateOf = (file: string): string => {
  const text = readFileSync(file, "utf8")
  return text.slice(text.lastIndexOf(")") + 2)[0]!.toUpperCase()
}

/** Each of those that came back takes a write, which makes it wait for a leader, and have its log in order. */
const serving = async (ids: ReadonlyArray<string>, { cluster }: Trial): Promise<void> => {
  const put = { key: base64("power"), value: base64("on") }
  for (const id of ids) {
    await eventually(`a write through ${id}`, async () => {
      const answer = await cluster.post(id, "/v3/kv/put", put, 2000).catch(() => undefined)
      return answer?.status === 200 ? true : undefined
    })
  }
}
