/** Makes trouble for a while: cuts links, isolates replicas, crashes them, and lets disks fail, fill up and rot; one act after another. */
import { Effect, type Scope } from "effect"
import type { Random } from "../../src/sim/Random.ts"
import type { StorageError } from "../../src/storage/Storage.ts"
import type { Trouble } from "./SeededPlan.ts"
import type { Stage } from "./SeededRun.ts"
import type { TestCluster } from "./TestCluster.ts"

export const nemesis = (stage: Stage, random: Random): Effect.Effect<void, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const { caretaker, cluster, plan, scheduler } = stage
    const end = scheduler.currentTimeMillisUnsafe() + plan.troubleMillis
    while (scheduler.currentTimeMillisUnsafe() < end) {
      yield* Effect.sleep(1 + random.wait(plan.calmMillis))
      // Whatever is down comes back at some time, for it may fail without being asked to.
      for (const id of cluster.ids) if (!caretaker.isUp(id) && random.chance(0.5)) yield* caretaker.restart(id)
      if (plan.troubles.length > 0) yield* act(stage, random.pick(plan.troubles), random)
    }
  })

const act = (stage: Stage, trouble: Trouble, random: Random): Effect.Effect<void, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const { caretaker, cluster, witness } = stage
    const { ids, network } = cluster
    const one = random.pick(ids)
    const other = random.pick(ids.filter((id) => id !== one))
    witness.note(`trouble: ${trouble} ${one} ${other}`)
    switch (trouble) {
      case "Cut":
        return network.cut(one, other)
      case "CutOneWay":
        return network.cutOneWay(one, other)
      case "Isolate":
        return network.partition(random.chance(0.5) ? [one] : [one, other], ids)
      case "Heal":
        return network.healAll()
      case "Crash": {
        yield* caretaker.crash(one, random.pick(["Lost", "Kept"]))
        // At once: what it sent before is still under way.
        if (random.chance(0.4)) yield* caretaker.restart(one)
        return
      }
      case "FailDisk":
        stage.doomed.add(one)
        return
      case "Rot": {
        // What one replica loses here it must be able to get from the others: no second one before it has it back.
        const whole = ids.every((id) => caretaker.isUp(id) && cluster.get(id).replicated.status().admitted)
        if (!whole) return
        yield* caretaker.crash(one, random.pick(["Lost", "Kept"]))
        const found = cluster.disk(one).snapshots.found()
        for (const snapshot of found.slice(0, random.chance(0.7) ? 1 : found.length)) {
          witness.note(`the snapshot of ${one} at ${snapshot.last.index} rots`)
          cluster.disk(one).snapshots.damage(snapshot)
        }
        return yield* caretaker.restart(one)
      }
      case "Fill":
        return cluster.disk(one).room(false)
      case "MakeRoom":
        return makeRoom(cluster)
    }
  })

export const makeRoom = (cluster: TestCluster): void => {
  for (const id of cluster.ids) cluster.disk(id).room(true)
}
