/** The program beside etcdctl, on a real etcd: what lasts, what is taken away from it, and who waits for whom. */
import { spawn } from "node:child_process"
import { afterAll, afterEach, beforeAll, expect } from "vitest"
import { etcd, EtcdCluster, etcdctl } from "../client/EtcdCluster.ts"
import { itNeeds, type Probe } from "../faults/Probe.ts"
import { Conversation } from "./Conversation.ts"
import { Program } from "./Program.ts"

let program: Program
let cluster: Promise<EtcdCluster> | undefined
beforeAll(async () => {
  program = await Program.build()
})
afterAll(async () => {
  await (await cluster)?.[Symbol.asyncDispose]()
})

const running: Array<Conversation> = []
afterEach(async () => {
  for (const conversation of running.splice(0)) await conversation.end("SIGKILL")
})

interface Balsa {
  readonly start: (...argv: ReadonlyArray<string>) => Conversation
  readonly run: (...argv: ReadonlyArray<string>) => ReturnType<Program["run"]>
  readonly etcdctl: (...argv: ReadonlyArray<string>) => Conversation
  readonly endpoint: string
}

const onEtcd = (name: string, use: (balsa: Balsa) => Promise<void>, alsoNeeds: ReadonlyArray<Probe> = []): void =>
  itNeeds([etcd, ...alsoNeeds], name, async () => {
    cluster ??= EtcdCluster.start(1)
    const [endpoint] = (await cluster).endpoints as [string]
    const env = { BALSA_ENDPOINTS: endpoint }
    const keep = (conversation: Conversation): Conversation => {
      running.push(conversation)
      return conversation
    }
    await use({
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

onEtcd("watch prints a line for each event, and ends with 130 when interrupted", async (balsa) => {
  const revision = revisionOf((await balsa.run("put", "w/a", "1", "-o", "json")).out)
  const watch = balsa.start("watch", "w/", "--prefix", "-o", "json", "--prev-kv", "--rev", String(revision))
  await balsa.run("put", "w/a", "two\nlines")
  await balsa.run("del", "w/a")
  await watch.said(/DELETE/)
  expect(await watch.end()).toBe(130)
  expect(watch.err).toBe("")
  const seen = lines(watch.out).map(({ type, revision, key, value }) => [type, revision, key, value])
  expect(seen).toEqual([
    ["PUT", revision, "w/a", "1"],
    ["PUT", revision + 1, "w/a", "two\nlines"],
    ["DELETE", revision + 2, "w/a", undefined]
  ])
  expect((lines(watch.out)[2]!["prev_kv"] as { value: string }).value).toBe("two\nlines")
})

onEtcd("watch of what is compacted says what to do, and a compaction keeps the latest", async () => {
  // Of its own: what the other tests watch must stay.
  await using own = await EtcdCluster.start(1)
  const env = { BALSA_ENDPOINTS: own.endpoints.join(",") }
  const run = (...argv: ReadonlyArray<string>) => program.run(argv, { env })
  for (const value of ["1", "2", "3"]) await run("put", "compacted", value)
  expect((await run("compact", "4", "--physical")).out).toBe("compacted revision 4\n")
  const watch = await run("watch", "compacted", "--rev", "3")
  expect(watch.code).toBe(1)
  expect(watch.err).toMatch(/^BALSA_COMPACTED: .*add --rev 4 to begin there/)
  const get = await run("get", "compacted", "--rev", "3")
  expect([get.code, get.err]).toEqual([1, expect.stringMatching(/^BALSA_COMPACTED: /)])
  expect((await run("get", "compacted", "--rev", "4")).out).toBe("3\n")
})

onEtcd("watch ends when nobody reads it any more", async (balsa) => {
  const child = program.start(["watch", "head", "--rev", "1", "-o", "plain", "-e", balsa.endpoint])
  const watch = new Conversation(child)
  running.push(watch)
  const at = revisionOf((await balsa.run("get", "none", "-o", "json")).out)
  await balsa.run("put", "head", "1")
  await watch.said(new RegExp(`^${at + 1}\tPUT\thead\t1\n`))
  child.stdout!.destroy()
  await balsa.run("put", "head", "2")
  expect([await watch.ended, watch.err]).toEqual([0, ""])
})

onEtcd("watch --exec runs a program for each event, and ends with the exit code of one that fails", async (balsa) => {
  const revision = revisionOf((await balsa.run("put", "exec", "one", "-o", "json")).out)
  await balsa.run("del", "exec")
  await balsa.run("put", "exec", "-", "-o", "json")
  const script =
    'echo "$BALSA_WATCH_TYPE $BALSA_WATCH_REVISION $BALSA_WATCH_KEY ${BALSA_WATCH_VALUE-none} $(cat)"; [ "$BALSA_WATCH_TYPE" = PUT ] || exit 7'
  const watch = await balsa.run("watch", "exec", "--rev", String(revision), "--exec", "--", "sh", "-c", script)
  expect(watch.out).toBe(`PUT ${revision} exec one one\nDELETE ${revision + 1} exec none \n`)
  expect([watch.code, watch.err]).toEqual([
    7,
    `balsa: sh ended with 7 at revision ${revision + 1}; the watch ends with it\n`
  ])
})

onEtcd("a watch outlives the member that it was connected to, and says so", async () => {
  await using three = await EtcdCluster.start(3)
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
  expect(watch.err).toMatch(/127\.0\.0\.1:\d+ goes on with revision \d+/)
  expect(await watch.end()).toBe(130)
  const revisions = lines(watch.out).map(({ revision }) => Number(revision))
  expect(revisions).toEqual(revisions.map((_, at) => revisions[0]! + at))
})

onEtcd("lock runs a program with a token that grows, and has its exit code", async (balsa) => {
  const script = 'echo "$BALSA_FENCING_TOKEN $BALSA_LOCK_KEY"; exit 5'
  const first = await balsa.run("lock", "L/exec", "--", "sh", "-c", script)
  const second = await balsa.run("lock", "L/exec", "--", "sh", "-c", script)
  expect([first.code, first.out]).toEqual([5, expect.stringMatching(/^\d+ L\/exec\/[0-9a-f]+\n$/)])
  expect(Number.parseInt(second.out)).toBeGreaterThan(Number.parseInt(first.out))
  expect((await balsa.run("get", "L/exec/", "--prefix")).code).toBe(3)
  const missing = await balsa.run("lock", "L/exec", "--", "no-such-program")
  expect([missing.code, missing.err]).toEqual([127, expect.stringContaining("there is no such program")])
})

onEtcd(
  "etcdctl waits for a lock of balsa's, and balsa for one of etcdctl's",
  async (balsa) => {
    const mine = balsa.start("lock", "L/both")
    await mine.said(/^L\/both\/[0-9a-f]+\n$/)
    expect((await balsa.run("lock", "L/both", "--try", "--", "true")).code).toBe(3)
    const theirs = balsa.etcdctl("lock", "L/both")
    await eventuallyWaiting(balsa, "L/both/", 2)
    expect(theirs.out).toBe("")
    expect(await mine.end()).toBe(0)
    await theirs.said(/^L\/both\/[0-9a-f]+\n$/)
    const again = balsa.start("lock", "L/both", "--", "echo", "mine again")
    await eventuallyWaiting(balsa, "L/both/", 2)
    expect(again.out).toBe("")
    await theirs.end()
    await again.said(/mine again/)
    expect(await again.ended).toBe(0)
  },
  [etcdctl]
)

/** Until so many stand in a line. */
const eventuallyWaiting = async (balsa: Balsa, prefix: string, count: number): Promise<void> => {
  const watch = balsa.start("watch", prefix, "--prefix", "--rev", "1", "-o", "plain")
  await watch.said((text) => {
    const keys = new Set<string>()
    for (const line of text.split("\n")) {
      const [, type, key = ""] = line.split("\t")
      if (type === "PUT") keys.add(key)
      else keys.delete(key)
    }
    return keys.size >= count
  })
  await watch.end()
}

onEtcd("a program under a lock that is lost is told to end, and so is the user", async (balsa) => {
  const script = `trap 'echo told; exit 9' TERM; echo "$BALSA_LOCK_KEY"; while :; do sleep 0.05; done`
  const lock = balsa.start("lock", "L/lost", "--ttl", "2", "--", "sh", "-c", script)
  await lock.said(/L\/lost\/[0-9a-f]+\n/)
  const lease = /L\/lost\/([0-9a-f]+)/.exec(lock.out)![1]!
  expect((await balsa.run("lease", "revoke", lease)).code).toBe(0)
  expect(await lock.ended).toBe(1)
  expect(lock.out).toMatch(/told\n$/)
  expect(lock.err).toMatch(/^BALSA_LOCK_LOST: .*the program was told to end/)
})

onEtcd("SIGTERM goes on to the program, whose exit code counts, and the lock is given back", async (balsa) => {
  const script = `trap 'echo told; exit 9' TERM; echo started; while :; do sleep 0.05; done`
  const lock = balsa.start("lock", "L/term", "--", "sh", "-c", script)
  await lock.said(/started/)
  expect([await lock.end("SIGTERM"), lock.out]).toEqual([9, "started\ntold\n"])
  expect((await balsa.run("get", "L/term/", "--prefix")).code).toBe(3)
})

onEtcd(
  "balsa and etcdctl stand in one election, and see each other lead",
  async (balsa) => {
    const listening = balsa.start("elect", "E", "--listen")
    const theirView = balsa.etcdctl("elect", "E", "--listen")
    const mine = balsa.start("elect", "E", "first", "--proclaim")
    await mine.said(/^E\/[0-9a-f]+\tfirst\n/)
    await listening.said(/\tfirst\n/)
    await theirView.said(/first/)
    mine.say("second\n")
    await listening.said(/\tsecond\n/)
    const theirs = balsa.etcdctl("elect", "E", "theirs")
    await eventuallyWaiting(balsa, "E/", 2)
    expect(await mine.end()).toBe(0)
    await theirs.said(/theirs/)
    await listening.said(/\ttheirs\n/)
    expect(await listening.end()).toBe(130)
  },
  [etcdctl]
)

onEtcd("a key goes with its lease", async (balsa) => {
  const granted = await balsa.run("lease", "grant", "60")
  const id = granted.out.trim()
  expect(id).toMatch(/^[0-9a-f]{1,16}$/)
  await balsa.run("put", "leased", "v", "--lease", id)
  expect(JSON.parse((await balsa.run("lease", "timetolive", id, "--keys", "-o", "json")).out)).toMatchObject({
    id,
    granted_ttl: 60,
    keys: ["leased"]
  })
  expect((await balsa.run("lease", "keep-alive", id, "--once")).out).toBe(`${id}\t60\n`)
  expect((await balsa.run("lease", "list")).out).toContain(id)
  expect((await balsa.run("lease", "revoke", id)).code).toBe(0)
  expect((await balsa.run("get", "leased")).code).toBe(3)
  expect((await balsa.run("lease", "keep-alive", id)).code).toBe(3)
})
