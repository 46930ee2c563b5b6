/**
 * Three replicas of a counter in this process, as promises. Somebody adds one after the other through any replica that
 * runs; then the leader dies, and nothing that was acknowledged is lost.
 */
import { add, Counter, value } from "./machine.ts"

await using cluster = await Counter.startCluster({
  replicas: 3,
  raft: { electionTimeoutMillis: 200, heartbeatMillis: 40 }
})
const first = await cluster.leader()
console.log(`three replicas: ${cluster.ids.join(", ")}; ${first} leads`)

let acknowledged = 0
for (let turn = 0; turn < 30; turn++) {
  const id = cluster.running()[turn % 3]!
  await cluster.replica(id).propose(add(1))
  acknowledged++
}
console.log(`30 additions through all three: ${await cluster.replica("A").query(value)}`)

await cluster.stop(first)
console.log(`${first} is dead`)
for (let turn = 0; turn < 20; turn++) {
  const id = cluster.running()[turn % 2]!
  try {
    await cluster.replica(id).propose(add(1))
    acknowledged++
  } catch (error) {
    // Only for as long as nobody leads, and it says whether it may have happened all the same.
    console.log(`not acknowledged: ${String(error)}`)
  }
}
console.log(`${await cluster.leader()} leads now; ${acknowledged} additions are acknowledged`)

const again = await cluster.start(first)
console.log(`${first} is back, and says ${await again.query(value)}`)
