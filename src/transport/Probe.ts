/**
 * Looks who is at an address, for instance before a member is added: dials it once, says hello, and
 * tells what came of it. The connection is for nothing else and replaces none that stands.
 */
import { Effect } from "effect"
import * as Handshake from "../codec/Handshake.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import { noAddress, parseAddress } from "./Address.ts"
import { OutboundConnection } from "./OutboundConnection.ts"
import { defaultTcpLimits } from "./TcpLimits.ts"

export interface ProbeOptions {
  /** HOST:PORT. */
  readonly address: string
  readonly cluster: string
  /** Who asks. */
  readonly from: ReplicaId
  /** Who should be there. */
  readonly to: ReplicaId
  /** Of the one who asks, as in its handshakes. */
  readonly incarnation: number
  readonly epoch: number | undefined
  readonly timeoutMillis: number
}

export type ProbeResult =
  /** It is the one that was looked for, and would take messages of the one who asks. */
  | { readonly _tag: "Reachable"; readonly replica: Probed }
  /** A replica is there, but another one, or one that has nothing to do with who asks. */
  | { readonly _tag: "Refused"; readonly verdict: Handshake.Verdict; readonly explanation: string }
  /** Nothing is there that answers, or no replica. */
  | { readonly _tag: "Unreachable"; readonly reason: string }

/** What it says of itself. */
export interface Probed {
  readonly id: ReplicaId
  readonly cluster: string
  readonly incarnation: number
  /** `undefined` for one that is not admitted, as one that has yet to be added. */
  readonly epoch: number | undefined
}

export const probe = (options: ProbeOptions): Effect.Effect<ProbeResult> => {
  const { cluster, from, to, incarnation, epoch, timeoutMillis } = options
  const address = parseAddress(options.address)
  if (address === undefined) return Effect.succeed({ _tag: "Unreachable", reason: noAddress(options.address) })
  const limits = { ...defaultTcpLimits, connectTimeoutMillis: timeoutMillis, handshakeTimeoutMillis: timeoutMillis }
  return Effect.callback<ProbeResult>((resume) => {
    const connection = new OutboundConnection({
      address,
      hello: Handshake.hello({ cluster, from, to, incarnation, epoch, purpose: "Probe", address: undefined }),
      epoch: () => epoch,
      limits,
      onOpen: (peer) => {
        connection.dispose()
        const replica = { id: peer.from, cluster: peer.cluster, incarnation: peer.incarnation, epoch: peer.epoch }
        resume(Effect.succeed({ _tag: "Reachable", replica }))
      },
      onEnd: (ending) => {
        const { reason } = ending
        const result: ProbeResult =
          ending._tag === "Refused"
            ? { _tag: "Refused", verdict: ending.verdict, explanation: reason }
            : { _tag: "Unreachable", reason }
        resume(Effect.succeed(result))
      },
      // It sends none.
      onTooLong: () => {}
    })
    return Effect.sync(() => connection.dispose())
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => Effect.succeed({ _tag: "Unreachable", reason: `no answer within ${timeoutMillis} ms` } as const)
    })
  )
}
