/** What a connection does in its turn: it asks the store, or else only says something. */
import type { OperationResult } from "../../kv/KvCommand.ts"
import type { RespWriter } from "./RespWriter.ts"
import type { Step } from "./Step.ts"

/** Written without asking the store. */
export type Said = (to: RespWriter) => void

export type Item = Said | Step | Late

/** What it is, is known only when all before it is done; and what comes after it waits for it. */
export class Late {
  readonly make: () => Step | Said

  constructor(make: () => Step | Said) {
    this.make = make
  }
}

export const late = (say: Said): Item => new Late(() => say)

export const answer = (step: Step, result: OperationResult | undefined, to: RespWriter): void => {
  if (result === undefined || result._tag === "Rejected") to.error(`ERR ${result?.reason ?? "no result"}`)
  else step.reply(result, to)
}
