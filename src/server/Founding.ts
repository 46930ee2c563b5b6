/**
 * Of which cluster a replica is, and where it listens: what its directory says, which was written when it was first started;
 * or, on that first start, what the operator says or, for one that joins, what the cluster says.
 */
import { Effect } from "effect"
import * as path from "node:path"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { MembersStatus } from "../runtime/Membership.ts"
import { attempt } from "../storage/DiskError.ts"
import * as Identity from "../storage/Identity.ts"
import type { StorageError } from "../storage/Storage.ts"
import { type Address, formatAddress, parseAddress } from "../transport/Address.ts"
import * as Joining from "./Joining.ts"
import { ServerError } from "./ServerError.ts"

export interface Join {
  /** Members' addresses for clients. */
  readonly members: ReadonlyArray<Address>
  /** It stays a learner. */
  readonly learner: boolean
}

export interface FoundingOptions {
  readonly id: ReplicaId
  readonly cluster: string
  readonly listenClient: Address
  readonly listenPeer: Address
  /** Whether the operator said so; otherwise one that joins finds a place beside the others, and stays there. */
  readonly given?: { readonly client: boolean; readonly peer: boolean } | undefined
  readonly peers: ReadonlyMap<ReplicaId, unknown>
  readonly join?: Join | undefined
  readonly dataDir: string
}

export interface Founding {
  readonly owner: Identity.Owner
  readonly listenClient: Address
  readonly listenPeer: Address
  /** This is not the directory's first start. */
  readonly isKnown: boolean
}

export const find = Effect.fnUntraced(function* (
  options: FoundingOptions
): Effect.fn.Return<Founding, ServerError | StorageError> {
  const { id, cluster, listenClient, listenPeer, peers, join, dataDir } = options
  const directory = path.resolve(dataDir)
  const found = yield* attempt(`read ${directory}`, "Unreadable", () => Identity.read(directory))
  if (found !== undefined) {
    const { voters, joined, recovery } = found
    const owner = { cluster, replica: id, voters, joined, recovery }
    return { owner, ...placeOf(options, joined), isKnown: true }
  }
  if (join === undefined) {
    const owner = { cluster, replica: id, voters: [id, ...peers.keys()].toSorted() }
    return { owner, listenClient, listenPeer, isKnown: false }
  }
  const asking = { id, cluster, join: join.members }
  const known = yield* Joining.learn(asking)
  const place =
    options.given?.client !== false && options.given?.peer !== false
      ? undefined
      : yield* Joining.defaultPlace(asking, known)
  const joined = {
    client: formatAddress(place?.client ?? listenClient),
    peer: formatAddress(place?.peer ?? listenPeer)
  }
  const listen = placeOf(options, joined)
  if (["0.0.0.0", "::"].includes(listen.listenPeer.host)) {
    return yield* new ServerError({
      message: `${id} cannot join at ${formatAddress(listen.listenPeer)}: the others need an address that they can dial; give one with --listen-peer HOST:PORT`
    })
  }
  yield* Joining.checkName(asking, known, formatAddress(listen.listenPeer))
  const owner = { cluster, replica: id, voters: known.founders, joined, recovery: known.recovery }
  return { owner, ...listen, isKnown: false }
})

/** What the operator says holds; otherwise one that joined stays where it was. */
const placeOf = (
  { listenClient, listenPeer, given }: FoundingOptions,
  joined: Identity.Joined | undefined
): Pick<Founding, "listenClient" | "listenPeer"> => ({
  listenClient: (given?.client === false && joined && parseAddress(joined.client)) || listenClient,
  listenPeer: (given?.peer === false && joined && parseAddress(joined.peer)) || listenPeer
})

/**
 * Who the members are stands in the log once they have changed, and --peers only tells where some are. Before that, other
 * peers than those with whom the cluster began mean that this is the wrong directory, or that somebody
 * thinks that this changes them.
 */
export const checkPeers = (
  { id, peers, dataDir, join }: FoundingOptions,
  { owner, isKnown }: Founding,
  { index, members }: MembersStatus
): Effect.Effect<void, ServerError> => {
  const named = [id, ...peers.keys()].toSorted()
  if (!isKnown || owner.joined !== undefined || join !== undefined) return Effect.void
  const ids = members.map((member) => member.id)
  if (named.join() === ids.join()) return Effect.void
  const neverChanged = owner.recovery === undefined && (index === 0 || ids.join() === owner.voters.join())
  if (neverChanged) {
    return Effect.fail(
      new ServerError({
        message: `${path.resolve(dataDir)} belongs to a cluster of ${ids.join(", ")}, and this replica was started in one of ${named.join(", ")}. ${Identity.sameVoters}`
      })
    )
  }
  return named.join() === owner.voters.join()
    ? Effect.void
    : Effect.logWarning(
        `--peers names ${named.join(", ")}, and the members are ${ids.join(", ")}: the members stand in the log, and --peers only ` +
          "tells where those are of which the log does not know it"
      )
}
