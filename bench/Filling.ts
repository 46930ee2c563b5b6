/** Many keys as fast as they go in: MSETs of many on few connections, each with one under way. */
import type { Dialect, Request } from "./Dialect.ts"
import { command, RespDialect } from "./RespDialect.ts"
import * as Workload from "./Workload.ts"

const connections = 4
/** Far below what a request may have (1.5 MiB), and enough for one write to the log to be worth it. */
const mostKeysAtOnce = 512
const mostBytesAtOnce = 256 * 1024

export interface FillOptions {
  readonly port: number
  readonly valueBytes: number
  /** From which key to which, that one not included. */
  readonly from: number
  readonly to: number
}

/** How many keys go into one request. */
export const keysAtOnce = (valueBytes: number): number =>
  Math.max(1, Math.min(mostKeysAtOnce, Math.floor(mostBytesAtOnce / valueBytes)))

/** Every key with the value that it always has. */
export const run = (
  { port, valueBytes, from, to }: FillOptions,
  dialect: Pick<Dialect, "open"> = RespDialect
): Promise<void> =>
  new Promise((resolve, reject) => {
    const step = keysAtOnce(valueBytes)
    let next = from
    let underWay = 0
    const lines = Array.from({ length: connections }, () => {
      const go = (): void => {
        if (next < to) {
          const until = Math.min(to, next + step)
          underWay++
          line.send(putAll(valueBytes, next, until), done)
          next = until
        } else if (underWay === 0) {
          for (const one of lines) one.close()
          resolve()
        }
      }
      const done = (problem: string | undefined): void => {
        underWay--
        if (problem === undefined) go()
        else reject(new Error(`a put of many fails: ${problem}`))
      }
      const line = dialect.open(port, { onOpen: go, onLost: (reason) => reject(new Error(reason)) })
      return line
    })
  })

const putAll = (valueBytes: number, from: number, to: number): Request => ({
  bytes: command(
    "MSET",
    ...Array.from({ length: to - from }, (_, at) => Workload.pairAt(valueBytes, from + at)).flatMap(
      ({ key, value }) => [key, value]
    )
  ),
  expected: Buffer.from("+OK\r\n")
})
