/** The socket on which peers connect to this replica, bound while its scope is open. */
import { createServer, type Server } from "node:net"
import { Effect, type Scope } from "effect"
import { type Address, formatAddress } from "./Address.ts"
import type { ConnectionLog } from "./ConnectionLog.ts"
import type { InboundConnections } from "./InboundConnections.ts"
import { TransportError } from "./Transport.ts"

export interface Listener {
  readonly inbound: InboundConnections
  readonly log: ConnectionLog
  /** Asked whenever one comes. */
  readonly maxConnections: () => number
}

/** Binds, or fails with what to do about it; closes everything with the scope. */
export const listen = (
  address: Address,
  { inbound, log, maxConnections }: Listener
): Effect.Effect<Server, TransportError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server, TransportError>((resume) => {
      const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
        const most = maxConnections()
        if (inbound.size < most) return inbound.add(socket)
        const from = socket.remoteAddress ?? "an unknown address"
        socket.on("error", () => {})
        socket.destroy()
        log.complain("TooManyConnections", from, `refused a connection from ${from}: ${most} are open already`)
      })
      server.once("error", (error) =>
        resume(Effect.fail(new TransportError({ message: cannotListen(address, error) })))
      )
      server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
        server.removeAllListeners("error")
        // Accepting can fail later, for want of file descriptors; peers will try again.
        server.on("error", (error) => log.complain("AcceptFailed", "", `cannot accept connections: ${error.message}`))
        resume(Effect.succeed(server))
      })
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        inbound.closeAll()
      })
  )

const cannotListen = (address: Address, error: Error & { readonly code?: string }): string => {
  const subject = `cannot listen for peers on ${formatAddress(address)}`
  switch (error.code) {
    case "EADDRINUSE":
      return `${subject}: another process listens there; stop it, or choose another address with --listen-peer`
    case "EACCES":
      return `${subject}: not permitted; choose a port above 1023 with --listen-peer`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${subject}: this machine has no such address; choose one that it has with --listen-peer`
    default:
      return `${subject}: ${error.message}; choose another address with --listen-peer`
  }
}
