/**
 * The end of a run: nothing is wrong any more, and within a bounded time the cluster has to
 * show it. Each replica takes fresh writes, every key that was ever used can be read (what
 * is read joins its history, so a lost write makes that unlinearizable), and all replicas
 * come to hold the same.
 */
import type { Clients } from "./Clients.ts"
import type { Stage } from "./Fault.ts"
import type { Answered, Asked } from "./History.ts"
import { base64, eventually, type RealCluster } from "./RealCluster.ts"

const boundMillis = 30_000
const together = 8

/** What it fails to show, in lines. */
export const recover = async (
  { cluster, network }: Stage,
  { clients, stop }: { readonly clients: Clients; readonly stop: () => Promise<void> }
): Promise<ReadonlyArray<string>> => {
  network.heal()
  for (const id of cluster.ids) {
    cluster.thaw(id)
    cluster.revive(id)
  }
  await stop()
  const problems: Array<string> = []
  const show = async (what: string, attempt: () => Promise<true | undefined>): Promise<void> => {
    await eventually(what, attempt, boundMillis).catch((error: unknown) => problems.push(String(error)))
  }
  const asked = async (id: string, what: Omit<Asked, "value">): Promise<true | undefined> =>
    done(await clients.ask(id, what))

  await show("a leader after everything healed", async () =>
    (await cluster.leaderNow()) === undefined ? undefined : true
  )
  for (const id of cluster.ids) {
    clients.keys.add(`fresh.${id}`)
    await show(`a fresh write through ${id}`, () => asked(id, { op: "put", key: `fresh.${id}`, previous: true }))
  }
  const keys = [...clients.keys]
  for (let from = 0; from < keys.length && problems.length === 0; from += together) {
    const some = keys.slice(from, from + together)
    await Promise.all(
      some.map((key, at) => {
        const id = cluster.ids[(from + at) % cluster.ids.length]!
        return show(`a read of ${key} through ${id}`, () => asked(id, { op: "get", key }))
      })
    )
  }
  await show("the same data on every replica", () => agree(cluster))
  return problems
}

const done = ({ outcome }: Answered): true | undefined => (outcome === "ok" ? true : undefined)

const agree = async (cluster: RealCluster): Promise<true | undefined> => {
  const copies = await Promise.all(cluster.ids.map((id) => everything(cluster, id).catch(() => undefined)))
  return copies[0] !== undefined && copies.every((copy) => copy === copies[0]) ? true : undefined
}

/** All that a replica holds, and the revision of its last change, from itself alone. */
const everything = async (cluster: RealCluster, id: string): Promise<string> => {
  const all = { key: base64("\0"), range_end: base64("\0"), serializable: true }
  const { body } = await cluster.post(id, "/v3/kv/range", all)
  const { header, kvs } = body as { header: { revision: string }; kvs?: ReadonlyArray<object> }
  return JSON.stringify([header.revision, kvs])
}
