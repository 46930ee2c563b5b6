/**
 * Where clients reach each member. A replica knows its own address, and the others' as they told it when they
 * were connected; of one that has not been in reach since this replica started it knows none. Programs such as
 * Patroni take the list in place of the one that they were given.
 */
import type { ReplicaId } from "../raft/LogEntry.ts"
import { type Address, formatAddress, parseAddress } from "../transport/Address.ts"
import type { KvReplica } from "./KvReplica.ts"

/** A socket that stands for every address of the machine is none that anybody can dial. */
export const isAny = ({ host }: Address): boolean => host === "0.0.0.0" || host === "::"

/** One that listens for clients everywhere is reached where its peers reach it. */
export const ownAddress = (listenClient: Address, peerAddress: string | undefined): string | undefined => {
  if (!isAny(listenClient)) return formatAddress(listenClient)
  const reached = peerAddress === undefined ? undefined : parseAddress(peerAddress)
  return reached === undefined ? undefined : formatAddress({ host: reached.host, port: listenClient.port })
}

export const of = (replica: KvReplica, own: string | undefined): ((id: ReplicaId) => ReadonlyArray<string>) => {
  const { id: self, connections } = replica.status()
  const addresses = new Map(connections.map(({ id, clientAddress }) => [id, clientAddress]))
  addresses.set(self, own)
  return (id) => {
    const address = addresses.get(id)
    return address === undefined ? [] : [`http://${address}`]
  }
}
