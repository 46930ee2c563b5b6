/** The program on real stores, etcd and Balsa: what lasts, what is taken away from it, and, beside etcdctl, who waits for whom. */
import { spawn } from "node:child_process"
import { afterEach, assert, beforeAll } from "vitest"
import { etcdStore, type Store, storeOf, stores } from "../client/AskStores.ts"
import { etcdctl } from "../client/EtcdCluster.ts"
import { itNeeds } from "../faults/Probe.ts"
import { Conversation } from "./Conversation.ts"
import { Program } from "./Program.ts"

let program: Program
beforeAll(async () => {
  program = await Program.build()
})
const running: Array<Conversation> = []
afterEach(async () => {
  for (const conversation of running.splice(0)) await conversation.end("SIGKILL")
})

interface Balsa {
  readonly store: Store
  readonly start: (...argv: ReadonlyArray<string>) => Conversation
  readonly run: (...argv: ReadonlyArray<string>) => ReturnType<Program["run"]>
  readonly etcdctl: (...argv: ReadonlyArray<string>) => Conversation
  readonly endpoint: string
}

const onEach = (name: string, use: (balsa: Balsa) => Promise<void>): void => {
  for (const store of stores) on(store, name, use)
}

/** etcd's client speaks gRPC, which only etcd does. */
const besideEtcdctl = (name: string, use: (balsa: Balsa) => Promise<void>): void =>
  on({ ...etcdStore, needs: [...etcdStore.needs, etcdctl] }, name, use)

const on = (store: Store, name: string, use: (balsa: Balsa) => Promise<void>): void =>
  itNeeds(store.needs, `${name} (${store.name})`, async () => {
    const [endpoint] = (await storeOf(store)).endpoints as [string]
    const env = { BALSA_ENDPOINTS: endpoint }
    const keep = (conversation: Conversation): Conversation => {
      running.push(conversation)
      return conversation
    }
    await use({
      store,
      endpoint,
      run: (...argv) => program.run(argv, { env }),
      start: (...argv) => keep(new Conversation(program.start(argv, { env }))),
      etcdctl: (...argv) =>
        keep(
          new Conversation(
            spawn("etcdctl", ["--endpoints", endpoint, ...argv], { env: { ...process.env, ETCDCTL_API: "3" } })
          )
        )
    })
  })

/** Of JSON. */
const lines = (text: string): ReadonlyArray<Record<string, unknown>> =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const revisionOf = (text: string): number => (JSON.parse(text) as { header: { revision: number } }).header.revision

onEach("watch prints a line for each event, and ends with 130 when interrupted", async (balsa) => {
  const revision = revisionOf((await balsa.run("put", "w/a", "1", "-o", "json")).out)
  const watch = balsa.start("watch", "w/", "--prefix", "-o", "json", "--prev-kv", "--rev", String(revision))
  await balsa.run("put", "w/a", "two\nlines")
  await balsa.run("del", "w/a")
  await watch.said(/DELETE/)
  assert.strictEqual(await watch.end(), 130)
  assert.strictEqual(watch.err, "")
  const seen = lines(watch.out).map(({ type, revision, key, value }) => [type, revision, key, value])
  assert.deepEqual(seen, [
    ["PUT", revision, "w/a", "1"],
    ["PUT", revision + 1, "w/a", "two\nlines"],
    ["DELETE", revision + 2, "w/a", undefined]
  ])
  assert.strictEqual((lines(watch.out)[2]!["prev_kv"] as { value: string }).value, "two\nlines")
})

onEach("watch of what is compacted says what to do, and a compaction keeps the latest", async ({ store }) => {
  // Of its own: what the other tests watch must stay.
  await using own = await store.start(1)
  const env = { BALSA_ENDPOINTS: own.endpoints.join(",") }
  const run = (...argv: ReadonlyArray<string>) => program.run(argv, { env })
  for (const value of ["1", "2", "3"]) await run("put", "compacted", value)
  assert.strictEqual((await run("compact", "4", "--physical")).out, "compacted revision 4\n")
  const watch = await run("watch", "compacted", "--rev", "3")
  assert.strictEqual(watch.code, 1)
  assert.match(watch.err, /^BALSA_COMPACTED: .*add --rev 4 to begin there/)
  const get = await run("get", "compacted", "--rev", "3")
  assert.strictEqual(get.code, 1)
  assert.match(get.err, /^BALSA_COMPACTED: /)
  assert.strictEqual((await run("get", "compacted", "--rev", "4")).out, "3\n")
})

onEach("watch ends when nobody reads it any more", async (balsa) => {
  const child = program.start(["watch", "head", "--rev", "1", "-o", "plain", "-e", balsa.endpoint])
  const watch = new Conversation(child)
  running.push(watch)
  const at = revisionOf((await balsa.run("get", "none", "-o", "json")).out)
  await balsa.run("put", "head", "1")
  await watch.said(new RegExp(`^${at + 1}\tPUT\thead\t1\n`))
  child.stdout!.destroy()
  await balsa.run("put", "head", "2")
  assert.deepEqual([await watch.ended, watch.err], [0, ""])
})

onEach("watch --exec runs a program for each event, and ends with the exit code of one that fails", async (balsa) => {
  const revision = revisionOf((await balsa.run("put", "exec", "one", "-o", "json")).out)
  await balsa.run("del", "exec")
  await balsa.run("put", "exec", "-", "-o", "json")
  const script =
    'echo "$BALSA_WATCH_TYPE $BALSA_WATCH_REVISION $BALSA_WATCH_KEY ${BALSA_WATCH_VALUE-none} $(cat)"; [ "$BALSA_WATCH_TYPE" = PUT ] || exit 7'
  const watch = await balsa.run("watch", "exec", "--rev", String(revision), "--exec", "--", "sh", "-c", script)
  assert.strictEqual(watch.out, `PUT ${revision} exec one one\nDELETE ${revision + 1} exec none \n`)
  assert.deepEqual(
    [watch.code, watch.err],
    [7, `balsa: sh ended with 7 at revision ${revision + 1}; the watch ends with it\n`]
  )
})

onEach("a watch outlives the member that it was connected to, and says so", async ({ store }) => {
  await using three = await store.start(3)
  const env = { BALSA_ENDPOINTS: three.endpoints.join(",") }
  const watch = new Conversation(program.start(["watch", "f/", "--prefix", "-o", "json", "--rev", "1"], { env }))
  running.push(watch)
  await program.run(["put", "f/1", "before"], { env })
  await watch.said(/before/)
  await three.kill(0)
  await watch.said(/reconnecting, nothing is missed/, "err")
  const put = async (): Promise<void> => {
    const { code } = await program.run(["put", "f/2", "after"], { env })
    // Without a leader nothing is done, and with an unknown outcome a second put does no harm here.
    if (code !== 0) await put()
  }
  await put()
  await watch.said(/after/)
  assert.match(watch.err, /127\.0\.0\.1:\d+ goes on with revision \d+/)
  assert.strictEqual(await watch.end(), 130)
  const revisions = lines(watch.out).map(({ revision }) => Number(revision))
  assert.deepEqual(
    revisions,
    revisions.map((_, at) => revisions[0]! + at)
  )
})

onEach("lock runs a program with a token that grows, and has its exit code", async (balsa) => {
  const script = 'echo "$BALSA_FENCING_TOKEN $BALSA_LOCK_KEY"; exit 5'
  const first = await balsa.run("lock", "L/exec", "--", "sh", "-c", script)
  const second = await balsa.run("lock", "L/exec", "--", "sh", "-c", script)
  assert.strictEqual(first.code, 5)
  assert.match(first.out, /^\d+ L\/exec\/[0-9a-f]+\n$/)
  assert.isAbove(Number.parseInt(second.out), Number.parseInt(first.out))
  assert.strictEqual((await balsa.run("get", "L/exec/", "--prefix")).code, 3)
  const missing = await balsa.run("lock", "L/exec", "--", "no-such-program")
  assert.strictEqual(missing.code, 127)
  assert.include(missing.err, "there is no such program")
})

besideEtcdctl("etcdctl waits for a lock of balsa's, and balsa for one of etcdctl's", async (balsa) => {
  const mine = balsa.start("lock", "L/both")
  await mine.said(/^L\/both\/[0-9a-f]+\n$/)
  // It enters the line and leaves it.
  assert.strictEqual((await balsa.run("lock", "L/both", "--try", "--", "true")).code, 3)
  const theirs = balsa.etcdctl("lock", "L/both")
  await untilPuts(balsa, "L/both/", 3)
  assert.strictEqual(theirs.out, "")
  assert.strictEqual(await mine.end(), 0)
  await theirs.said(/^L\/both\/[0-9a-f]+\n/)
  const again = balsa.start("lock", "L/both", "--", "echo", "mine again")
  await untilPuts(balsa, "L/both/", 4)
  assert.strictEqual(again.out, "")
  await theirs.end()
  await again.said(/mine again/)
  assert.strictEqual(await again.ended, 0)
})

/** Until so many times somebody entered a line, or said something in it. */
const untilPuts = async (balsa: Balsa, prefix: string, count: number): Promise<void> => {
  const watch = balsa.start("watch", prefix, "--prefix", "--rev", "1", "-o", "plain")
  await watch.said((text) => text.split("\tPUT\t").length > count)
  await watch.end()
}

onEach("a program under a lock that is lost is told to end, and so is the user", async (balsa) => {
  const script = `trap 'echo told; exit 9' TERM; echo "$BALSA_LOCK_KEY"; while :; do sleep 0.05; done`
  const lock = balsa.start("lock", "L/lost", "--ttl", "2", "--", "sh", "-c", script)
  await lock.said(/L\/lost\/[0-9a-f]+\n/)
  const lease = /L\/lost\/([0-9a-f]+)/.exec(lock.out)![1]!
  assert.strictEqual((await balsa.run("lease", "revoke", lease)).code, 0)
  assert.strictEqual(await lock.ended, 1)
  assert.match(lock.out, /told\n$/)
  assert.match(lock.err, /^BALSA_LOCK_LOST: .*the program was told to end/)
})

onEach("SIGTERM goes on to the program, whose exit code counts, and the lock is given back", async (balsa) => {
  const script = `trap 'echo told; exit 9' TERM; echo started; while :; do sleep 0.05; done`
  const lock = balsa.start("lock", "L/term", "--", "sh", "-c", script)
  await lock.said(/started/)
  assert.deepEqual([await lock.end("SIGTERM"), lock.out], [9, "started\ntold\n"])
  assert.strictEqual((await balsa.run("get", "L/term/", "--prefix")).code, 3)
})

besideEtcdctl("balsa and etcdctl stand in one election, and see each other lead", async (balsa) => {
  const listening = balsa.start("elect", "E", "--listen")
  const theirView = balsa.etcdctl("elect", "E", "--listen")
  const mine = balsa.start("elect", "E", "first", "--proclaim")
  await mine.said(/^E\/[0-9a-f]+\tfirst\n/)
  await listening.said(/\tfirst\n/)
  await theirView.said(/first/)
  mine.say("second\n")
  await listening.said(/\tsecond\n/)
  const theirs = balsa.etcdctl("elect", "E", "theirs")
  await untilPuts(balsa, "E/", 3)
  assert.strictEqual(await mine.end(), 0)
  await theirs.said(/theirs/)
  await listening.said(/\ttheirs\n/)
  assert.strictEqual(await listening.end(), 130)
})

onEach("a key goes with its lease", async (balsa) => {
  const granted = await balsa.run("lease", "grant", "60")
  const id = granted.out.trim()
  assert.match(id, /^[0-9a-f]{1,16}$/)
  await balsa.run("put", "leased", "v", "--lease", id)
  assert.containSubset(JSON.parse((await balsa.run("lease", "timetolive", id, "--keys", "-o", "json")).out), {
    id,
    granted_ttl: 60,
    keys: ["leased"]
  })
  assert.strictEqual((await balsa.run("lease", "keep-alive", id, "--once")).out, `${id}\t60\n`)
  assert.include((await balsa.run("lease", "list")).out, id)
  assert.strictEqual((await balsa.run("lease", "revoke", id)).code, 0)
  assert.strictEqual((await balsa.run("get", "leased")).code, 3)
  assert.strictEqual((await balsa.run("lease", "keep-alive", id)).code, 3)
})
