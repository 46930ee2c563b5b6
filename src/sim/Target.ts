/** Whom and what faults befall. */
import type { Configuration } from "../raft/Configuration.ts"
import type { Host } from "./Host.ts"
import type { Route } from "./Links.ts"
import type { Random } from "./Random.ts"
import * as Standings from "./Standings.ts"
import type { AnyMessage } from "./Subject.ts"
import type { World } from "./World.ts"

/** A leader if there is one: what befalls it shows most. */
export const someLeader = (world: World, random: Random): Host => {
  const leaders = world.hosts.filter((host) => host.state?._tag === "Leader")
  return random.pick(leaders.length > 0 ? leaders : world.hosts)
}

/** A follower if there is one: it asks others, and its answers can come too late. */
export const someFollower = (world: World, random: Random): Host => {
  const followers = world.hosts.filter((host) => host.state?._tag === "Follower")
  return random.pick(followers.length > 0 ? followers : world.hosts)
}

/** Of the members: the committed one, and what stands in any log behind it. */
export const configurationsInForce = ({ oracle, hosts }: World): ReadonlyArray<Configuration> =>
  Standings.inForce(oracle.standings, [...oracle.chains, ...hosts.map(({ disk }) => disk.chain)])

/** They are members by nothing that may be in force. */
export const outsiders = (world: World): ReadonlyArray<Host> => {
  const members = Standings.allMembers(configurationsInForce(world))
  return world.hosts.filter(({ id }) => !members.has(id))
}

/** Kinds of messages that may come when nobody waits for them any more. */
export const overtaken: ReadonlyArray<ReadonlyArray<AnyMessage["_tag"]>> = [
  ["PreVoteReply"],
  ["RequestVote"],
  ["RequestVoteReply"],
  ["RequestVote", "RequestVoteReply"],
  ["ReadIndexReply"],
  ["AppendEntriesReply"],
  ["AppendEntries"],
  ["Forward"],
  ["InstallSnapshot"],
  ["InstallSnapshotReply"],
  ["Introduce", "IntroduceReply"],
  ["TimeoutNow"],
  ["Heartbeat", "HeartbeatReply"],
  ["NotAMember"],
  ["ForwardAmendment"]
]

export const routes = (world: World, chosen: (from: number, to: number) => boolean): ReadonlyArray<Route> =>
  world.hosts.flatMap(({ number: from }) =>
    world.hosts.filter(({ number: to }) => from !== to && chosen(from, to)).map(({ number: to }) => ({ from, to }))
  )
