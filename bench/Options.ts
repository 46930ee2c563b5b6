/** The benchmark's flags, as one checked value. */
import { parseArgs } from "node:util"

export type SystemName = "balsa" | "etcd"
export type OperationName = "put" | "get" | "serializable"

export interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly clients: ReadonlyArray<number>
  readonly systems: ReadonlyArray<SystemName>
  readonly operations: ReadonlyArray<OperationName>
  readonly json: string | undefined
}

export const help = `npm run build && npm run bench [-- FLAGS]

Three replicas of dist/main.js and, where it is installed, three members of etcd, driven in turn
through the same JSON gateway. docs/performance.md says how to read the result.

  --rounds N        how often every measurement is repeated (5)
  --seconds N       how long one measurement takes (3)
  --clients N,N     numbers of connections (1,64,256)
  --only NAME,NAME  of the systems: balsa, etcd; of the operations: put, get, serializable
  --json FILE       write all that was measured, round by round
  --help`

const allSystems: ReadonlyArray<SystemName> = ["balsa", "etcd"]
const allOperations: ReadonlyArray<OperationName> = ["put", "get", "serializable"]

/** "help", a complaint, or what to do. */
export const parse = (args: ReadonlyArray<string>): Options | "help" | Error => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        rounds: { type: "string", default: "5" },
        seconds: { type: "string", default: "3" },
        clients: { type: "string", default: "1,64,256" },
        only: { type: "string", default: "" },
        json: { type: "string" },
        help: { type: "boolean", default: false }
      }
    })
    if (values.help) return "help"
    const only = values.only.split(",").filter((name) => name !== "")
    const unknown = only.find((name) => ![...allSystems, ...allOperations].some((known) => known === name))
    if (unknown !== undefined) throw new Error(`--only: there is no "${unknown}"`)
    return {
      rounds: whole("--rounds", values.rounds, 100),
      seconds: number("--seconds", values.seconds, 600),
      clients: values.clients.split(",").map((count) => whole("--clients", count, 2000)),
      systems: among(allSystems, only),
      operations: among(allOperations, only),
      json: values.json
    }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** Naming one of a kind leaves the others of its kind out; naming none keeps them all. */
const among = <Name extends string>(all: ReadonlyArray<Name>, only: ReadonlyArray<string>): ReadonlyArray<Name> => {
  const named = all.filter((name) => only.includes(name))
  return named.length === 0 ? all : named
}

const number = (flag: string, text: string, most: number): number => {
  const value = Number(text)
  if (value > 0 && value <= most) return value
  throw new Error(`${flag}: "${text}" is not a number above 0 and up to ${most}`)
}

const whole = (flag: string, text: string, most: number): number => {
  const value = number(flag, text, most)
  if (Number.isInteger(value)) return value
  throw new Error(`${flag}: "${text}" is not a whole number`)
}
