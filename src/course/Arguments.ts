/** What a replica of the course's network is started with. */
import type { ServerOptions } from "./Server.ts"

export const usage = `usage: 3700kvstore <UDP port> <own id> <peer ids...>, ids being 4 hexadecimal digits`

export type Parsed =
  | { readonly _tag: "Parsed"; readonly options: ServerOptions }
  | { readonly _tag: "Misused"; readonly why: string }

const misused = (why: string): Parsed => ({ _tag: "Misused", why })

const maxPort = 65_535

export const parse = ([port, id, ...peers]: ReadonlyArray<string>): Parsed => {
  const number = Number(port)
  if (!Number.isInteger(number) || number < 1 || number > maxPort) return misused(`there is no port "${port ?? ""}"`)
  for (const one of [id ?? "", ...peers]) if (!/^[0-9a-fA-F]{4}$/.test(one)) return misused(`"${one}" is no id`)
  const doubled = peers.find((peer, index) => peer === id || peers.indexOf(peer) !== index)
  if (doubled !== undefined) return misused(`the id ${doubled} is there twice`)
  return { _tag: "Parsed", options: { port: number, id: id!, peers } }
}
