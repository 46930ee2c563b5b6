/**
 * The story of one run: two PostgreSQL under Patroni over three replicas of a store, and what becomes
 * of the primary and of acknowledged rows when one after the other is killed.
 *
 * All of it is judged by what PostgreSQL, Patroni and the store themselves say. An acknowledged row
 * that is missing, a failover that takes too long, a primary that steps down without need: each ends
 * the run with an error.
 */
import type { Cast } from "./Cast.ts"
import type { DatabaseNode } from "./DatabaseNode.ts"
import * as Stores from "./Store.ts"
import { seconds, until } from "./Timeline.ts"

export interface Result {
  readonly what: string
  readonly millis: number
}

/** Machines that build and test are slow at times. */
const slackMillis = 30_000
/** How long the primary may take no rows while the store elects a leader. It does not need the store to write. */
const longestPauseMillis = 3000

/** Runs all acts, or, if it has to be short, those without which nothing would be shown. */
export const play = async (cast: Cast, short: boolean): Promise<ReadonlyArray<Result>> => {
  const results: Array<Result> = []
  results.push(await begin(cast))
  if (!short) results.push(...(await postgresDies(cast)))
  results.push(...(await databaseNodeDies(cast)))
  results.push(...(await storeLeaderDies(cast)))
  if (!short) results.push(...(await bothDie(cast)))
  if (!short) results.push(...(await majorityDies(cast)))
  await compareRows(cast)
  return results
}

const begin = async (cast: Cast): Promise<Result> => {
  const { store, nodes, timeline, writer } = cast
  for (const id of store.ids) store.start(id)
  const leader = await until(`${store.kind} has a leader`, slackMillis, () => Stores.leaderOf(store))
  timeline.say(`${store.kind}: three replicas, ${leader} leads`)
  const start = performance.now()
  for (const node of nodes) node.start()
  const primary = await cast.primary(2 * slackMillis)
  timeline.say(`Patroni: ${primary.name} is the primary, timeline ${(await primary.status())?.timeline}`)
  await standbyStreams(cast, primary)
  const ready = performance.now() - start
  timeline.say(`Patroni: ${cast.other(primary).name} is its standby, synchronous, after ${seconds(ready)}`)
  await cast.query(primary, "CREATE TABLE rows (id bigint PRIMARY KEY)")
  writer.start()
  await moreRows(cast, 20)
  await tellList(cast, primary)
  return { what: "from nothing to a primary and a standby", millis: ready }
}

/** PostgreSQL alone. Its Patroni sees it at once, gives the leader's key back, and the standby hears of that by its watch. */
const postgresDies = async (cast: Cast): Promise<ReadonlyArray<Result>> => {
  const primary = await cast.primary(slackMillis)
  cast.timeline.say(`--- PostgreSQL of ${primary.name}, the primary, is killed; its Patroni lives`)
  const failover = await fails(cast, primary, () => primary.killPostgres())
  const back = await rejoins(cast, primary)
  return [
    { what: "failover, PostgreSQL killed", millis: failover },
    { what: "that one is a standby again", millis: back }
  ]
}

/** Nobody is left to give the key back: the lease has to run out in the store. */
const databaseNodeDies = async (cast: Cast): Promise<ReadonlyArray<Result>> => {
  const primary = await cast.primary(slackMillis)
  cast.timeline.say(`--- ${primary.name}, the primary, is killed: PostgreSQL and Patroni`)
  const failover = await fails(cast, primary, () => primary.kill())
  cast.timeline.say(`--- ${primary.name} is started again`)
  primary.start()
  const back = await rejoins(cast, primary)
  return [
    { what: "failover, PostgreSQL and Patroni killed", millis: failover },
    { what: "that one is a standby again", millis: back }
  ]
}

/** Nothing may happen to PostgreSQL: Patroni renews its lease at another replica, in time. */
const storeLeaderDies = async (cast: Cast): Promise<ReadonlyArray<Result>> => {
  const { store, timeline, writer } = cast
  const primary = await cast.primary(slackMillis)
  const before = { postmaster: primary.postmaster, timeline: (await primary.status())?.timeline }
  const leader = await until(`${store.kind} has a leader`, slackMillis, () => Stores.leaderOf(store))
  timeline.say(`--- ${leader}, the leader of ${store.kind}, is killed`)
  const killed = performance.now()
  await store.kill(leader)
  const others = store.ids.filter((id) => id !== leader)
  const next = await until(`${store.kind} elects`, slackMillis, () => Stores.leaderOf(store, others))
  const elected = performance.now() - killed
  timeline.say(`${store.kind}: ${next} leads, ${seconds(elected)} later`)
  await renewed(cast, primary)
  const renewedAfter = performance.now() - killed
  timeline.say(
    `Patroni: ${primary.name} has renewed its lease ${rounds} times since, the last ${seconds(renewedAfter)} after`
  )
  const after = { postmaster: primary.postmaster, timeline: (await primary.status())?.timeline }
  if (JSON.stringify(after) !== JSON.stringify(before) || (await cast.primary(slackMillis)) !== primary)
    throw new Error(`${primary.name} did not stay the primary: ${JSON.stringify({ before, after })}`)
  const gap = writer.longestGapMillis(killed, performance.now())
  if (gap > longestPauseMillis) throw new Error(`no row was taken for ${seconds(gap)} though PostgreSQL was well`)
  timeline.say(`${primary.name} is the primary as before; at most ${Math.round(gap)} ms between two rows`)
  await storeReturns(cast, leader)
  await tellList(cast, primary)
  return [
    { what: `election in ${store.kind}, its leader killed`, millis: elected },
    { what: "longest time without a row meanwhile", millis: gap }
  ]
}

/** The worst moment: the leader of the store and the primary go together. */
const bothDie = async (cast: Cast): Promise<ReadonlyArray<Result>> => {
  const { store, timeline } = cast
  const primary = await cast.primary(slackMillis)
  const leader = await until(`${store.kind} has a leader`, slackMillis, () => Stores.leaderOf(store))
  timeline.say(`--- ${leader}, the leader of ${store.kind}, and ${primary.name}, the primary, are killed together`)
  const failover = await fails(cast, primary, () => Promise.all([store.kill(leader), primary.kill()]))
  timeline.say(`--- both are started again`)
  primary.start()
  await storeReturns(cast, leader)
  const back = await rejoins(cast, primary)
  return [
    { what: `failover, the leader of ${store.kind} killed too`, millis: failover },
    { what: "that one is a standby again", millis: back }
  ]
}

/** Nobody can hold the leader's key any more: the primary has to stop before another could think that it may begin. */
const majorityDies = async (cast: Cast): Promise<ReadonlyArray<Result>> => {
  const { store, timeline, times, writer } = cast
  const primary = await cast.primary(slackMillis)
  const leader = await until(`${store.kind} has a leader`, slackMillis, () => Stores.leaderOf(store))
  const doomed = [leader, store.ids.find((id) => id !== leader)!]
  timeline.say(`--- ${doomed.join(" and ")} of ${store.kind} are killed: two of three`)
  const killed = performance.now()
  await Promise.all(doomed.map((id) => store.kill(id)))
  await until(`${primary.name} takes no more rows`, times.ttl * 1000, async () =>
    (await cast.query(primary, "SELECT pg_is_in_recovery()").catch(() => "t")) === "t" ? true : undefined
  )
  const stopped = performance.now()
  timeline.say(`${primary.name} takes no more rows ${seconds(stopped - killed)} after`)
  timeline.say(`--- both are started again`)
  for (const id of doomed) store.start(id)
  const next = await cast.primary(times.ttl * 1000 + slackMillis)
  const taken = await until("a row is taken", slackMillis, () => writer.firstAfter(stopped))
  timeline.say(`${next.name} is the primary and takes rows ${seconds(taken.at - stopped)} after it had stopped`)
  await standbyStreams(cast, next)
  await tellList(cast, next)
  return [
    { what: `read-only, without a majority of ${store.kind}`, millis: stopped - killed },
    { what: "rows again, with it", millis: taken.at - stopped }
  ]
}

/** From the kill to the first row that the other one takes. */
const fails = async (cast: Cast, primary: DatabaseNode, kill: () => Promise<unknown>): Promise<number> => {
  const { timeline, writer, nodes, store } = cast
  const next = cast.other(primary)
  await standbyStreams(cast, primary)
  const limit = cast.times.ttl * 1000 + slackMillis
  const killed = performance.now()
  await kill()
  // Whatever is acknowledged from now on comes from the other one.
  const gone = performance.now()
  const acknowledged = writer.acknowledged.map(({ row }) => row)
  timeline.say(`${acknowledged.length} rows were acknowledged until then`)
  await until(`${next.name} is promoted`, limit, async () => (await cast.isPrimary(next)) || undefined)
  timeline.say(`Patroni: ${next.name} is promoted ${seconds(performance.now() - killed)} after`)
  const taken = await until("a row is taken", slackMillis, () => writer.firstAfter(gone))
  const failover = taken.at - killed
  timeline.say(`${next.name} takes rows ${seconds(failover)} after; timeline ${(await next.status())?.timeline}`)
  await rowsAreThere(cast, next, acknowledged)
  const leader = await until(`${store.kind} has a leader`, slackMillis, () => Stores.leaderOf(store))
  timeline.say(`all ${acknowledged.length} rows are there; ${store.kind}: ${leader} leads`)
  if (nodes.some((node) => !node.isRunning)) await tellList(cast, next)
  return failover
}

const rejoins = async (cast: Cast, node: DatabaseNode): Promise<number> => {
  const started = performance.now()
  const lines = node.log.length
  await standbyStreams(cast, cast.other(node))
  const took = performance.now() - started
  const said = node.log.slice(lines).join("\n")
  const how = said.includes("pg_rewind") ? "rewound" : said.includes("pg_basebackup") ? "copied anew" : "as it was"
  cast.timeline.say(`Patroni: ${node.name} is a synchronous standby again after ${seconds(took)} (${how})`)
  await tellList(cast, node)
  return took
}

const storeReturns = async ({ store, timeline }: Cast, id: string): Promise<void> => {
  const others = store.ids.filter((other) => other !== id)
  const applied = await until(`${store.kind} answers`, slackMillis, () => Stores.appliedBy(store, others[0]!))
  store.start(id)
  const caughtUp = async () => ((await Stores.appliedBy(store, id)) ?? 0) >= applied || undefined
  await until(`${id} of ${store.kind} catches up`, slackMillis, caughtUp)
  timeline.say(`${store.kind}: ${id} is started again and has caught up`)
}

/** The other one takes every row before it is acknowledged: from here on a failover may lose none. */
const standbyStreams = async (cast: Cast, primary: DatabaseNode): Promise<void> => {
  const streaming = `SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')`
  await until(`${primary.name} has a standby that streams`, cast.times.ttl * 1000 + 2 * slackMillis, async () =>
    (await cast.query(primary, streaming).catch(() => "0")) === "1" ? true : undefined
  )
  // Patroni promotes only whom it knows from the store to be synchronous.
  const standby = cast.other(primary)
  await until(`${standby.name} is known as synchronous`, 2 * slackMillis, async () =>
    (await standby.status())?.sync_standby === true ? true : undefined
  )
}

const rounds = 3

/** Patroni says so each time, after the store has taken it. */
const renewed = async ({ times }: Cast, primary: DatabaseNode): Promise<void> => {
  const known = primary.log.length
  await until(`${primary.name} renews its lease`, slackMillis + rounds * times.loopWait * 1000, () =>
    primary.log.slice(known).filter((line) => line.includes("the leader with the lock")).length >= rounds
      ? true
      : undefined
  )
}

const moreRows = async ({ writer }: Cast, count: number): Promise<void> => {
  const target = writer.acknowledged.length + count
  await until(`${count} more rows`, slackMillis, () => (writer.acknowledged.length >= target ? true : undefined))
}

const rowsAreThere = async (cast: Cast, node: DatabaseNode, rows: ReadonlyArray<number>): Promise<void> => {
  const found = new Set((await cast.query(node, "SELECT id FROM rows")).split("\n").map(Number))
  const missing = rows.filter((row) => !found.has(row))
  if (missing.length > 0) throw new Error(`acknowledged, and not in ${node.name}: rows ${missing.join(", ")}`)
}

/** In the end both hold every row that was ever acknowledged. */
const compareRows = async (cast: Cast): Promise<void> => {
  const { writer, timeline, nodes } = cast
  await moreRows(cast, 20)
  await writer.stop()
  const rows = writer.acknowledged.map(({ row }) => row)
  const last = rows.at(-1)!
  for (const node of nodes) {
    await until(`${node.name} has the last row`, slackMillis, async () =>
      (await cast.query(node, `SELECT count(*) FROM rows WHERE id = ${last}`)) === "1" ? true : undefined
    )
    await rowsAreThere(cast, node, rows)
  }
  timeline.say(`all ${rows.length} acknowledged rows are in both`)
}

const tellList = async ({ timeline }: Cast, asked: DatabaseNode): Promise<void> => {
  timeline.say(await asked.patronictl("list"))
}
