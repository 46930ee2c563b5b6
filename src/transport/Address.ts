/** Where a replica listens for its peers: a host and a port, and as people and the configuration write them. */
import { quote } from "../codec/Handshake.ts"

export interface Address {
  readonly host: string
  readonly port: number
}

/** HOST:PORT, with brackets around an IPv6 address. */
export const formatAddress = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

const shape = /^(?:\[([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/

/** Reads what `formatAddress` writes; `undefined` for anything else. */
export const parseAddress = (text: string): Address | undefined => {
  const match = shape.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

/** Completes a sentence about a text that is no address. */
export const noAddress = (text: string): string =>
  `${quote(text)} is not HOST:PORT, for example 10.0.0.1:7501 or [::1]:7501`
