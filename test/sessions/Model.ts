/** What sessions promise, said as plainly as possible: lists that are searched from end to end. */
import type { Objection } from "../../src/sessions/Session.ts"

export interface Call {
  readonly name: string
  /** `undefined` for a key, 0 for a registration. */
  readonly sequence: number | undefined
  /** Which command. */
  readonly word: string
  readonly weight: number
}

export type Said =
  | { readonly _tag: "Count"; readonly count: number; readonly weight: number }
  | { readonly _tag: "Repeated"; readonly result: Said | undefined }
  | { readonly _tag: "Registered"; readonly sequence: number }
  | { readonly _tag: "NotApplied"; readonly reason: Objection }

interface Known {
  readonly name: string
  sequence: number
  word: string
  result: Said | undefined
  bytes: number
  time: number
}

export interface Limits {
  readonly lifetimeMillis: number
  readonly maxCount: number
  readonly maxBytes: number
}

export class Model {
  applied: Array<string> = []
  private keys: Array<Known> = []
  private clients: Array<Known> = []
  private readonly limits: { readonly keys: Limits; readonly clients: Limits; readonly maxResultBytes: number }

  constructor(limits: Model["limits"]) {
    this.limits = limits
  }

  say({ name, sequence, word, weight }: Call, time: number): Said {
    const isKey = sequence === undefined
    const all = isKey ? this.keys : this.clients
    const limits = isKey ? this.limits.keys : this.limits.clients
    const known = all.find((one) => one.name === name && one.time + limits.lifetimeMillis > time)
    if (sequence === 0) {
      this.enter(
        { name, sequence: 0, word: "", result: undefined, bytes: 128 + name.length, ...known, time },
        all,
        limits
      )
      return { _tag: "Registered", sequence: known?.sequence ?? 0 }
    }
    if (!isKey && known === undefined) return { _tag: "NotApplied", reason: "SessionExpired" }
    if (!isKey && sequence < known!.sequence) return { _tag: "NotApplied", reason: "TooOld" }
    if (known !== undefined && (isKey || sequence === known.sequence)) {
      if (known.word !== word) return { _tag: "NotApplied", reason: "KeyReused" }
      return { _tag: "Repeated", result: known.result }
    }
    this.applied.push(word)
    const result: Said = { _tag: "Count", count: this.applied.length, weight }
    const isKept = weight <= this.limits.maxResultBytes
    const bytes = 128 + name.length + (isKept ? weight : 0)
    this.enter({ name, sequence: sequence ?? 1, word, result: isKept ? result : undefined, bytes, time }, all, limits)
    return result
  }

  private enter(one: Known, all: Array<Known>, limits: Limits): void {
    const at = all.findIndex(({ name }) => name === one.name)
    if (at >= 0) all.splice(at, 1)
    all.push(one)
    const bytes = () => all.reduce((sum, { bytes }) => sum + bytes, 0)
    // Those whose time is over count until they are forgotten, and they are the oldest: whether they are is not to be seen.
    while (all.length > limits.maxCount || bytes() > limits.maxBytes) all.shift()
  }
}
