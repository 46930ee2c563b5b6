/** Locks and elections of the client beside those of etcdctl: they wait in one line. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { assert, describe } from "vitest"
import { Election } from "../../src/client/Election.ts"
import { prefixRange } from "../../src/client/KeyRange.ts"
import { Lock } from "../../src/client/Lock.ts"
import { Watch } from "../../src/client/Watch.ts"
import { environment } from "../faults/Command.ts"
import { eventually } from "../process/RealCluster.ts"
import { etcdStore, itAsks, storeOf, text } from "./AskStores.ts"
import { etcdctl as probe } from "./EtcdCluster.ts"

/** etcd's own client, until the scope closes. */
const etcdctl = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const env = { ...environment, ETCDCTL_API: "3", ETCDCTL_ENDPOINTS: (await storeOf(etcdStore)).endpoints[0] }
      const child = spawn("etcdctl", args, { env, stdio: ["ignore", "pipe", "inherit"] })
      let said = ""
      child.stdout.on("data", (piece) => (said += String(piece)))
      const stop = Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = once(child, "exit")
        child.kill("SIGTERM")
        await gone
      })
      const hears = (part: string) =>
        Effect.promise(() => eventually(part, async () => said.includes(part) || undefined))
      return { said: () => said, hears, stop }
    }),
    ({ stop }) => stop
  )

/** Until a key was put there. */
const arrivals = (prefix: string, startRevision: number, count: number) =>
  Effect.flatMap(Watch, (watch) =>
    watch.events(prefixRange(prefix), { startRevision, only: "puts" }).pipe(Stream.take(count), Stream.runDrain)
  )

describe("beside etcdctl, locks and elections of a real etcd", () => {
  itAsks(
    "wait in one line with etcdctl's",
    Effect.gen(function* () {
      const lock = yield* Lock
      const holding = yield* Scope.make()
      const { token } = yield* Scope.provide(lock.acquire("lock/c"), holding)
      const theirs = yield* etcdctl("lock", "lock/c")
      yield* arrivals("lock/c/", token + 1, 1)
      assert.strictEqual(theirs.said(), "", "it waits for ours")
      yield* Scope.close(holding, Exit.void)
      yield* theirs.hears("lock/c/")
      assert.isUndefined(yield* Effect.scoped(lock.tryAcquire("lock/c")), "ours waits for it")
      const ours = yield* Effect.forkChild(Effect.scoped(lock.acquire("lock/c")))
      yield* theirs.stop
      assert.isAbove((yield* Fiber.join(ours)).token, 0)
    }).pipe(Effect.scoped),
    [{ ...etcdStore, needs: [...etcdStore.needs, probe] }]
  )

  itAsks(
    "stand in one election with etcdctl's",
    Effect.gen(function* () {
      const election = yield* Election
      const theirs = yield* etcdctl("elect", "el/b", "theirs")
      yield* theirs.hears("theirs")
      assert.strictEqual(text((yield* election.leader("el/b"))?.value), "theirs")
      const ours = yield* Effect.forkChild(Effect.scoped(election.campaign("el/b", "ours")))
      yield* theirs.stop
      assert.strictEqual(text((yield* Fiber.join(ours)).key)?.slice(0, 5), "el/b/")
    }).pipe(Effect.scoped),
    [{ ...etcdStore, needs: [...etcdStore.needs, probe] }]
  )
})
