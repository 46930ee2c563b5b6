/**
 * Three replicas of a lock in this process. A worker gets the lock and falls asleep; somebody breaks it, and another works on. When
 * the first wakes up and still writes, its token is too low, and what the lock protects refuses.
 */
import { acquire, breakIt, holder, Lock } from "./machine.ts"

/** What the lock protects, elsewhere: it needs to know nothing of the lock, only the highest token that it has seen. */
const file = {
  highest: 0,
  write(token: number, text: string): string {
    if (token < this.highest) return `refused: token ${token} is lower than ${this.highest}`
    this.highest = token
    return `written: ${text}`
  }
}

await using cluster = await Lock.startCluster({
  replicas: 3,
  raft: { electionTimeoutMillis: 200, heartbeatMillis: 40 }
})
const leader = await cluster.leader()
const [one = "", other = ""] = cluster.ids.filter((id) => id !== leader)
console.log(`three replicas: ${cluster.ids.join(", ")}; ${leader} leads`)

const tokenOf = async (id: string, owner: string): Promise<number> => {
  const result = await cluster.replica(id).propose(acquire(owner))
  console.log(`${owner} asks ${id} for the lock: ${JSON.stringify(result)}`)
  return result._tag === "Acquired" ? result.token : 0
}

// Everybody who watches sees who gets it, in one order.
const watched: Array<string> = []
const watching = (async () => {
  for await (const change of cluster.replica(other).changes()) {
    if (change._tag === "Applied") watched.push(`${change.command._tag} ${change.result._tag}`)
    if (watched.length === 4) return
  }
})()

const ann = await tokenOf(leader, "ann")
await tokenOf(one, "bob")
console.log(`ann writes by token ${ann}: ${file.write(ann, "hello from ann")}`)

await cluster.stop(leader)
console.log(`ann falls asleep, and ${leader} dies`)

await cluster.replica(one).propose(breakIt(ann))
const bob = await tokenOf(one, "bob")
console.log(`bob writes by token ${bob}: ${file.write(bob, "hello from bob")}`)
console.log(`ann wakes up and writes by token ${ann}: ${file.write(ann, "still me")}`)
console.log(`the lock is held by ${JSON.stringify(await cluster.replica(other).query(holder))}`)

await watching
console.log(`watched at ${other}: ${watched.join(", ")}`)
