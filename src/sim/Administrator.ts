/**
 * Whoever runs the cluster: changes who its members are while it works, hands its leadership over, and
 * replaces programs. Every seed has it. It knows what it is told, which is what is committed, and now and then
 * asks for nonsense.
 */
import type { Amendment, MemberChange } from "../raft/Amendment.ts"
import * as Configurations from "../raft/Configuration.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import { kill } from "./DiskFaults.ts"
import * as Disks from "./Disk.ts"
import type { Host } from "./Host.ts"
import * as Hosts from "./Host.ts"
import * as Ledgers from "./Ledger.ts"
import * as Desks from "./Desk.ts"
import * as Marks from "./Marks.ts"
import * as Oracles from "./Oracle.ts"
import * as Members from "./MemberText.ts"
import type { Random } from "./Random.ts"
import * as Recordings from "./Recording.ts"
import { configurationsInForce, outsiders } from "./Target.ts"
import type { Operation } from "./Operation.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

/** Something about the cluster itself is to change. */
export const amend = (world: World, random: Random): string => {
  const { oracle, hosts } = world
  if (oracle.suspect) return "nobody changes anything while somebody may differ"
  const { configuration } = oracle.standings.committed
  const voters = new Set(configurationsInForce(world).flatMap(Configurations.allVoters))
  const forgetful = hosts.find(({ id, disk }) => voters.has(id) && disk.admitted !== true)
  // With one that may not vote others may not be spared either.
  if (forgetful !== undefined) return `nobody changes anything while ${forgetful.id} may not vote`
  const leaders = hosts.filter(({ state }) => state?._tag === "Leader")
  const up = hosts.filter(({ id, state }) => state !== undefined && Configurations.isMember(configuration, id))
  const host = leaders.length > 0 && random.chance(0.7) ? random.pick(leaders) : random.pick(up)
  if (host === undefined) return "nobody is there to change anything"
  const amendment = draw(world, random)
  if (amendment === undefined) return retire(world, random)
  prepare(world, amendment)
  if (host.state === undefined) return `${host.id} is given another program`
  submit(world, host, amendment)
  return `${host.id} is asked: ${Members.amendment(amendment)}`
}

export const submit = (world: World, host: Host, input: Amendment): Operation => {
  const { ledger } = world
  const kind = "Amendment"
  const client = Worlds.visitor
  world.amendedAt = world.now
  const operation = Ledgers.invoke(ledger, { client, replica: host.id, kind, input, invokedAt: Worlds.tick(world) })
  if (world.recording !== undefined) Recordings.onAsk(world.recording, operation)
  Worlds.deliver(world, host, Desks.submit(host.desk, operation, Hosts.localTime(host, world.now)))
  Worlds.plan(world, world.now + world.plan.clients.patienceMillis, { _tag: "GiveUp", operation })
  return operation
}

const members = (...changes: ReadonlyArray<MemberChange>): Amendment => ({
  _tag: "Members",
  changes,
  autoLeave: true,
  force: false
})

/** `undefined` where one that is no member is to lose its disk instead. */
const draw = (world: World, random: Random): Amendment | undefined => {
  const { configuration } = world.oracle.standings.committed
  const leave = members({ _tag: "Leave" })
  if (Configurations.isJoint(configuration) && random.chance(0.6)) return leave
  if (random.chance(0.12))
    return { _tag: "Version", ceiling: random.pick([undefined, undefined, 0, ...world.versions]) }
  if (random.chance(0.04)) return leave
  if (random.chance(0.15) && outsiders(world).some(({ disk }) => disk.admitted)) return undefined
  const several = random.chance(0.3) ? 2 + random.below(2) : 1
  const changes = Array.from({ length: several }, () => change(world, random))
  const autoLeave = random.chance(0.75)
  return { ...members(...changes), autoLeave, force: random.chance(0.15) && mayForce(world, changes) } as Amendment
}

/** Force is for who knows that those who stay can be reached again, and hold their promises. */
const mayForce = ({ oracle, hosts }: World, changes: ReadonlyArray<MemberChange>): boolean =>
  changes.every(({ _tag }) => _tag === "Remove" || _tag === "Demote") &&
  hosts.every(({ id, disk }) => disk.admitted || !Configurations.isVoter(oracle.standings.committed.configuration, id))

const change = (world: World, random: Random): MemberChange => {
  const { hosts, oracle, plan } = world
  const { configuration } = oracle.standings.committed
  const { voters } = configuration
  const learners = configuration.learners.map(({ id }) => id)
  const outside = hosts.filter(({ id }) => !Configurations.isMember(configuration, id)).map(({ id }) => id)
  const any = (ids: ReadonlyArray<ReplicaId>): ReplicaId =>
    random.pick(ids.length > 0 ? ids : hosts.map(({ id }) => id))
  const leaders = hosts.filter(({ state }) => state?._tag === "Leader").map(({ id }) => id)
  const down = hosts.filter(({ id, state }) => state === undefined && voters.includes(id)).map(({ id }) => id)
  const grows = voters.length < plan.size || random.chance(0.4)
  const add = outside.length > 0 && (grows ? random.chance(0.7) : random.chance(0.2))
  if (add) {
    return {
      _tag: "Add",
      id: random.pick(outside),
      address: random.pick([undefined, "a:1"]),
      promote: random.chance(0.7)
    }
  }
  if (learners.length > 0 && random.chance(0.3)) return { _tag: "Promote", id: random.pick(learners) }
  if (random.chance(0.15)) return { _tag: "Promote", id: random.pick(hosts).id }
  if (random.chance(0.2)) return { _tag: "Demote", id: any(random.chance(0.3) ? leaders : voters) }
  if (random.chance(0.1)) return { _tag: "Move", id: random.pick(hosts).id, address: random.pick(["a:1", "b:2"]) }
  if (random.chance(0.1)) return { _tag: "Add", id: any(learners), address: undefined, promote: true }
  return { _tag: "Remove", id: any(random.pick([leaders, down, voters, learners, [...voters, ...learners]])) }
}

/** Nobody is added whose program is older than that of others. */
const prepare = (world: World, amendment: Amendment): void => {
  if (amendment._tag !== "Members") return
  const latest = Math.max(...world.hosts.map(({ version }) => version))
  for (const { _tag, ...of } of amendment.changes) {
    if (_tag !== "Add" || !("id" in of)) continue
    const host = world.hosts[Disks.replicaNumber(of.id)]!
    if (host.version < latest) replaceProgram(world, host, latest)
  }
}

export const replaceProgram = (world: World, host: Host, version: number): void => {
  kill(world, host, 0.1)
  host.version = version
  Marks.hit(world.marks, "a program replaced by a later one")
}

/** One that was a member, and is none any more, loses its disk; it may be added again. */
const retire = (world: World, random: Random): string => {
  const host = random.pick(outsiders(world).filter(({ disk }) => disk.admitted))
  kill(world, host, random.wait(world.plan.options.electionTimeoutMillis))
  Oracles.onRetire(world.oracle, host)
  Disks.wipe(host.disk)
  host.wipes++
  // Whoever joins a cluster knows, and has written down, that this is no beginning.
  host.disk.admitted = false
  Marks.hit(world.marks, "a removed replica loses its disk")
  if (world.recording !== undefined) Recordings.onRetire(world.recording, host)
  return `${host.id}, which is no member any more, loses its disk`
}

/** The leader is asked to hand over, or a follower is, which passes it on. */
export const transfer = (world: World, random: Random): string => {
  const { hosts } = world
  const leaders = hosts.filter(({ state }) => state?._tag === "Leader")
  const host = random.pick(leaders.length > 0 && random.chance(0.7) ? leaders : hosts)
  const to = random.chance(0.3) ? undefined : random.pick(hosts).id
  const instead = random.pick(hosts).id
  Worlds.deliver(world, host, { _tag: "TransferRequested", to })
  if (random.chance(0.3)) {
    const soon = world.now + world.plan.options.electionTimeoutMillis * random.between(0, 0.5)
    const mend = (): void => Worlds.deliver(world, host, { _tag: "TransferRequested", to: instead })
    Worlds.plan(world, soon, { _tag: "Mend", mend })
  }
  return `${host.id} shall see to it that ${to ?? "another"} leads`
}
