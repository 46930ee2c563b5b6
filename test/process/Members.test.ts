/** Real replicas that join a cluster, are added, removed, lost and wiped, while clients go on. */
import { rmSync } from "node:fs"
import * as path from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { stream } from "../../src/sim/Random.ts"
import { Clients } from "./Clients.ts"
import { byKey, Recorder } from "./History.ts"
import { judgeKey, judgeRevisions } from "./Judge.ts"
import { base64, eventually, outcome, RealCluster, run } from "./RealCluster.ts"

let cluster: RealCluster | undefined

afterEach(async () => {
  await cluster?.stopAll()
  cluster = undefined
})

const start = async (ids: ReadonlyArray<string>): Promise<RealCluster> => {
  cluster = await RealCluster.make(ids)
  return cluster
}

const votersAre = (among: RealCluster, asked: string, voters: ReadonlyArray<string>): Promise<true> =>
  eventually(`voters ${voters.join(", ")} as ${asked} has it`, async () =>
    (await among.voters(asked))?.join() === voters.join() ? true : undefined
  )

const put = async (among: RealCluster, id: string, key: string): Promise<void> => {
  const { status, body } = await among.post(id, "/v3/kv/put", { key: base64(key), value: base64(key) })
  assert.strictEqual(status, 200, JSON.stringify(body))
}

const has = async (among: RealCluster, id: string, key: string): Promise<boolean> => {
  const { body } = await among.post(id, "/v3/kv/range", { key: base64(key) })
  return (body as { count?: string }).count === "1"
}

/** Waits for a line in its log. */
const says = (among: RealCluster, id: string, text: string): Promise<true> =>
  eventually(`${id} says "${text}"`, async () => (among.process(id).log().includes(text) ? true : undefined))

const remove = async (among: RealCluster, through: string, name: string): Promise<void> => {
  const { status, body } = await among.post(through, "/v3/cluster/member/remove", { name })
  assert.strictEqual(status, 200, JSON.stringify(body))
}

describe("a real cluster", () => {
  it("grows from one to three to five and shrinks back to one under load, and stays linearizable", async () => {
    const five = await start(["A", "B", "C", "D", "E"])
    five.start("A", five.place("A"))
    await five.leader(["A"])
    const recorder = new Recorder()
    const clients = new Clients({ cluster: five, recorder, random: stream(1, "clients") })
    const asking = clients.run()
    const more = async (): Promise<void> => {
      const before = recorder.total.ok
      await eventually("answers", async () => (recorder.total.ok >= before + 100 ? true : undefined))
    }
    const grown: Array<string> = ["A"]
    for (const id of ["B", "C", "D", "E"]) {
      five.join(id, grown)
      grown.push(id)
      await votersAre(five, "A", grown)
      await more()
    }
    // Whoever leads goes first, so that it has to hand over.
    let left = grown
    while (left.length > 1) {
      const gone = await five.leader(left)
      const rest = left.filter((id) => id !== gone)
      await remove(five, rest[0]!, gone)
      await votersAre(five, rest[0]!, rest)
      await says(five, gone, "was removed from the cluster")
      left = rest
      await more()
    }
    clients.stop()
    await asking
    const history = recorder.history()
    const problems = [...byKey(history).values()].flatMap((ofKey) => judgeKey(ofKey))
    assert.deepStrictEqual([...problems, ...judgeRevisions(history)], [])
    assert.deepStrictEqual(five.endedByThemselves(), [])
    assert.isAtLeast(recorder.total.ok, 800)
    console.log(`grown to five and back under load: ${JSON.stringify(recorder.total)}`)
  }, 120_000)

  it("is not troubled by a member that was removed, which says what has become of it", async () => {
    const four = await start(["A", "B", "C", "D"])
    const three = ["A", "B", "C"]
    four.start("A", four.place("A"))
    await four.leader(["A"])
    for (const id of ["B", "C", "D"]) {
      four.join(id, ["A"])
      await eventually(`${id} votes`, async () => ((await four.voters("A"))?.includes(id) ? true : undefined))
    }
    await remove(four, "A", "D")
    await votersAre(four, "A", three)
    await says(four, "D", "was removed from the cluster")
    const { status, body } = await four.post("D", "/v3/kv/range", { key: base64("x"), serializable: true })
    assert.strictEqual(status, 503)
    assert.include(JSON.stringify(body), "not a member")
    const ready = await fetch(`http://127.0.0.1:${four.ports.get("D")!.client}/readyz`)
    assert.strictEqual(ready.status, 503)
    assert.include(await ready.text(), "[-]member failed")

    // Started again it still is none, --join or not, and nobody's term changes for it.
    const leader = await four.leader(three)
    const termOf = async (): Promise<unknown> =>
      ((await four.post(leader, "/balsa/v1/members", {})).body as { term: number }).term
    const term = await termOf()
    assert.strictEqual(await four.stop("D"), 0)
    four.join("D", ["A"])
    await says(four, "D", "replica D of cluster balsa")
    for (let at = 0; at < 40; at++) await put(four, three[at % 3]!, `key-${at}`)
    // Longer than it takes any follower to stand for election.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    assert.strictEqual(await termOf(), term)
    assert.strictEqual(await four.leader(three), leader)
    assert.deepStrictEqual(await four.voters(leader), three)

    // With an empty directory it is as good as new.
    await four.stop("D")
    rmSync(path.join(four.directory, "D"), { recursive: true })
    four.join("D", ["A"])
    await votersAre(four, leader, ["A", "B", "C", "D"])
    assert.isTrue(await has(four, "D", "key-39"))
  }, 60_000)

  it("goes on from one replica when the two others are lost for good", async () => {
    const four = await start(["A", "B", "C", "D"])
    const [a, b, c] = ["A", "B", "C"] as const
    const peers = (id: string): ReadonlyArray<string> => [
      "--peers",
      [a, b, c]
        .filter((other) => other !== id)
        .map((other) => `${other}=127.0.0.1:${four.ports.get(other)!.peer}`)
        .join(",")
    ]
    for (const id of [a, b, c]) four.start(id, [...four.place(id), ...peers(id)])
    await put(four, await four.leader([a, b, c]), "before")
    await eventually("the write on A", async () => ((await has(four, a, "before")) ? true : undefined))
    const directory = path.join(four.directory, a)
    const busy = await outcome(run(["recover", "--data-dir", directory, "--force-new-cluster"]))
    assert.strictEqual(busy.code, 1)
    assert.include(busy.log, "BALSA_IN_USE")
    for (const id of [a, b, c]) await four.kill(id)

    const look = await outcome(run(["recover", "--data-dir", directory, "-o", "json"]))
    assert.strictEqual(look.code, 0, look.log)
    assert.include(look.log, `"given_up":["B","C"]`)
    assert.include(look.log, "Nothing was changed")
    const forced = await outcome(run(["recover", "--data-dir", directory, "--id", a, "--force-new-cluster"]))
    assert.strictEqual(forced.code, 0, forced.log)

    // With the flags that it always had.
    four.start(a, [...four.place(a), ...peers(a)])
    await four.leader([a])
    assert.isTrue(await has(four, a, "before"))
    await put(four, a, "after")

    // One that comes back all the same is told why it is not let in.
    four.start(b, [...four.place(b), ...peers(b)])
    await says(four, b, "forced on as")
    await four.stop(b)
    assert.deepStrictEqual(await four.voters(a), [a])

    rmSync(path.join(four.directory, b), { recursive: true })
    four.join(b, [a])
    four.join("D", [a])
    await votersAre(four, a, [a, b, "D"])
    for (const id of [b, "D"]) assert.isTrue(await has(four, id, "after"))
  }, 60_000)

  it("takes a member that lost its disk for what it is, and no other for it", async () => {
    const four = await start(["A", "B", "C", "D"])
    four.start("A", four.place("A"))
    await four.leader(["A"])
    for (const id of ["B", "C"]) four.join(id, ["A"])
    await votersAre(four, "A", ["A", "B", "C"])
    await put(four, "A", "x")

    // Another process that calls itself C, elsewhere.
    const elsewhere = four.place("D").map((word) => (word === "D" ? "C" : word))
    const other = await outcome(run([...elsewhere, "--join", `127.0.0.1:${four.ports.get("A")!.client}`]))
    assert.strictEqual(other.code, 1)
    assert.include(other.log, "has a member C already")

    await four.kill("C")
    rmSync(path.join(four.directory, "C"), { recursive: true })
    four.join("C", ["A"])
    await says(four, "C", "is a member already, whose disk is empty")
    await says(four, "C", "admitted: it holds all")
    assert.isTrue(await has(four, "C", "x"))
    assert.deepStrictEqual(await four.voters("A"), ["A", "B", "C"])
  }, 60_000)

  it("says what is wrong with an attempt to join", async () => {
    const two = await start(["A", "B"])
    two.start("A", two.place("A"))
    await two.leader(["A"])
    const through = `127.0.0.1:${two.ports.get("A")!.client}`
    const attempt = (...args: ReadonlyArray<string>) => outcome(run([...two.place("B"), ...args]))

    const nobody = await attempt("--join", `127.0.0.1:${two.ports.get("B")!.client}`)
    assert.strictEqual(nobody.code, 1)
    assert.match(nobody.log, /no member of the cluster answers \(127\.0\.0\.1:\d+: ECONNREFUSED\)/)
    const another = await attempt("--join", through, "--cluster", "other")
    assert.strictEqual(another.code, 1)
    assert.include(another.log, `the cluster there is "balsa", and this replica was started for "other"`)
    const notClients = await attempt("--join", `127.0.0.1:${two.ports.get("A")!.peer}`)
    assert.strictEqual(notClients.code, 1)
    assert.include(notClients.log, "cannot join")
    assert.strictEqual((await attempt("--learner")).code, 2)

    // The leader looks before it adds anybody.
    const add = { name: "B", peerURLs: [`http://127.0.0.1:${two.ports.get("B")!.peer}`] }
    const refused = await two.post("A", "/v3/cluster/member/add", add)
    assert.strictEqual(refused.status, 412)
    assert.include(JSON.stringify(refused.body), "nobody can be reached")
    two.start("B", [...two.place("B"), "--cluster", "other"])
    await two.leader(["B"])
    const foreign = await two.post("A", "/v3/cluster/member/add", add)
    assert.strictEqual(foreign.status, 412)
    assert.include(JSON.stringify(foreign.body), `it belongs to cluster \\"other`)
    assert.deepStrictEqual(await two.voters("A"), ["A"])
  }, 60_000)
})
