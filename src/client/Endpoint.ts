/**
 * Where something listens, as people write it: HOST:PORT, with brackets around an IPv6
 * address. Errors are phrases that complete a sentence about the text that was given.
 */
import { Result } from "effect"

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export const show = ({ host, port }: Endpoint): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`)

export const equals = (a: Endpoint, b: Endpoint): boolean => a.host === b.host && a.port === b.port

const shape = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([^:]*)$/

export const parse = (text: string): Result.Result<Endpoint, string> => {
  const match = shape.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3]
  if (host === undefined || port === undefined) {
    return Result.fail(`is not HOST:PORT, for example 127.0.0.1:7401 or [::1]:7401`)
  }
  return /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535
    ? Result.succeed({ host, port: Number(port) })
    : Result.fail(`has the port "${port}", which is not a number from 1 to 65535`)
}

/** As `parse`, and takes the http:// that people paste from elsewhere. */
export const parseUrl = (text: string): Result.Result<Endpoint, string> =>
  text.startsWith("https://")
    ? Result.fail("asks for TLS, which the gateway does not speak; use HOST:PORT")
    : parse(text.replace(/^http:\/\//, "").replace(/\/$/, ""))
