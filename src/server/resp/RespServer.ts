/** All clients that speak Redis' protocol. */
import type { Socket } from "node:net"
import type { KvCommand } from "../../kv/KvCommand.ts"
import type { KvState } from "../../kv/KvState.ts"
import * as OrderedMap from "../../kv/OrderedMap.ts"
import type { DirectWaiter } from "../../runtime/Direct.ts"
import type { StoreResult } from "../../sessions/Store.ts"
import type { RedisServer } from "../ClientListener.ts"
import * as GatewayRequest from "../GatewayRequest.ts"
import type { KvReplica } from "../KvReplica.ts"
import * as Writes from "../Writes.ts"
import { Cursors } from "./Cursors.ts"
import { defaultLimits } from "./RespParser.ts"
import { type RespOptions, RespSession } from "./RespSession.ts"
import type * as ServerCommands from "./ServerCommands.ts"

export interface RespServerOptions {
  readonly replica: KvReplica
  /** What the replica has applied and carried out. */
  readonly store: () => KvState
  readonly quotaBytes?: number | undefined
  readonly version: string | undefined
  readonly port: number
  readonly maxRequestBytes?: number | undefined
}

/** Where nobody has to answer, this is how a connection that is gone is noticed. */
const keepAliveProbeMillis = 15_000

export class RespServer implements RedisServer {
  private readonly options: RespServerOptions
  private readonly all = new Map<Socket, RespSession>()
  private readonly session: RespOptions
  private readonly quota: Parameters<typeof Writes.isFull>[0]
  private nextId = 1

  constructor(options: RespServerOptions) {
    this.options = options
    const { replica, store, quotaBytes = Writes.defaultQuotaBytes } = options
    this.quota = { store, quotaBytes }
    const maxRequestBytes = options.maxRequestBytes ?? GatewayRequest.defaultMaxRequestBytes
    this.session = {
      store: {
        // No command here is named, so sessions have nothing to say about it.
        propose: (command, waiter) => replica.direct.propose(command, waiter as DirectWaiter<StoreResult>),
        query: (query, waiter) => replica.direct.query(query, waiter),
        queryLocal: (query, waiter) => {
          const answer = replica.direct.queryLocal(query)
          if (answer._tag === "Unavailable") waiter.fail(answer)
          else waiter.succeed(answer)
        }
      },
      cursors: new Cursors(),
      maxRequestBytes,
      limits: { ...defaultLimits, maxBulkBytes: maxRequestBytes },
      refusal: (command) => this.refusalOf(command),
      facts: () => this.facts(),
      sessions: () => [...this.all.values()],
      startedAt: Date.now()
    }
  }

  readonly accept = (socket: Socket): void => {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveProbeMillis)
    this.all.set(socket, new RespSession(this.nextId++, socket, this.session))
    socket.once("close", () => this.all.delete(socket))
  }

  readonly close = (): void => {
    for (const session of this.all.values()) session.close()
  }

  readonly destroy = (): void => {
    for (const socket of this.all.keys()) socket.destroy()
  }

  private refusalOf(command: KvCommand): string | undefined {
    if (!Writes.isFull(this.quota) || !Writes.takesSpaceByItself(command)) return undefined
    return `OOM ${Writes.fullText(this.quota.quotaBytes)}`
  }

  private facts(): ServerCommands.Facts {
    const { replica, store, version, port } = this.options
    const { id, role, leader } = replica.status()
    const { revision, keys, liveBytes } = store()
    return {
      balsaVersion: version ?? "",
      id,
      port,
      role,
      leader,
      revision,
      keys: OrderedMap.size(keys),
      liveBytes
    }
  }
}
