/** What a connection does in its turn. */
import type { OperationResult } from "../../kv/KvCommand.ts"
import type { RespWriter } from "./RespWriter.ts"
import type { Step, Words } from "./Step.ts"

/** Written without asking the store. */
export type Said = (to: RespWriter) => void

export type Item =
  | { readonly _tag: "Said"; readonly say: Said }
  | { readonly _tag: "Step"; readonly step: Step; readonly bytes: number }
  /** What it is, is known only when all before it is done; and what comes after it waits for it. */
  | { readonly _tag: "Late"; readonly make: () => Step | Said }

export const said = (say: Said): Item => ({ _tag: "Said", say })

export const late = (say: Said): Item => ({ _tag: "Late", make: () => say })

export const bytesOf = (words: Words): number => words.reduce((sum, word) => sum + word.length, 0)

export const answer = (step: Step, result: OperationResult | undefined, to: RespWriter): void => {
  if (result === undefined || result._tag === "Rejected") to.error(`ERR ${result?.reason ?? "no result"}`)
  else step.reply(result, to)
}
