/**
 * What clients asked and what became of it, judged when a run is over. Answers are compared
 * with a sequential store key by key (linearizability is local: Herlihy and Wing), revisions
 * across all keys, and both with the log that all replicas ended with: what was acknowledged
 * is in it once, what was called not done is not in it, and nothing takes effect twice.
 */
import { KvCommandCodec } from "../../src/codec/KvCommandCodec.ts"
import type { KeyValue } from "../../src/kv/KeyValue.ts"
import type { KvCommand, KvResult } from "../../src/kv/KvCommand.ts"
import type { KvAnswer } from "../../src/kv/KvQuery.ts"
import type { LogEntry, ReplicaId, RequestId } from "../../src/raft/LogEntry.ts"
import { type Call, check, type Model } from "../../src/sim/Linearizability.ts"

/** Every put writes a value of its own, so that its effects can be told apart. */
export type Action = { readonly _tag: "Put"; readonly value: string } | { readonly _tag: "Delete" | "Get" }

export type Ending =
  | { readonly _tag: "Answered"; readonly seen: Cell; readonly revision: number }
  /** It was said that nothing was done. */
  | { readonly _tag: "NotDone"; readonly why: string }
  | { readonly _tag: "Unknown"; readonly why: string }

/** A key's value and version; for a write, those that it found. */
export type Cell = { readonly value: string; readonly version: number } | undefined

export interface Operation {
  readonly client: number
  readonly replica: ReplicaId
  readonly key: string
  readonly action: Action
  readonly begun: number
  ended: number | undefined
  ending: Ending | undefined
}

export class History {
  readonly operations: Array<Operation> = []
  /** Orders beginnings and endings: time may stand still between them. */
  private moment = 0

  begin(what: Pick<Operation, "client" | "replica" | "key" | "action">): Operation {
    const operation: Operation = { ...what, begun: ++this.moment, ended: undefined, ending: undefined }
    this.operations.push(operation)
    return operation
  }

  end(operation: Operation, ending: Ending): void {
    operation.ended = ++this.moment
    operation.ending = ending
  }

  /** What is wrong with it, given the committed log that all replicas agree on. */
  judge(log: ReadonlyArray<LogEntry<Uint8Array>>): ReadonlyArray<string> {
    const times = countEffects(log)
    return [...this.openOnes(), ...this.wrongAnswers(times), ...this.wrongRevisions(), ...this.wrongEffects(times)]
  }

  private openOnes(): ReadonlyArray<string> {
    return this.operations.filter(({ ending }) => ending === undefined).map((one) => `no answer: ${describe(one)}`)
  }

  private wrongAnswers(times: ReadonlyMap<string, number>): ReadonlyArray<string> {
    // What has no answer and no effect only makes the search longer.
    const counts = ({ action, ending }: Operation): boolean =>
      ending?._tag === "Answered" ||
      (ending?._tag === "Unknown" && (action._tag === "Delete" || (action._tag === "Put" && times.has(action.value))))
    const keys = new Set(this.operations.map(({ key }) => key))
    return [...keys].flatMap((key) => {
      const calls = this.operations.filter((one) => one.key === key && counts(one)).map(toCall)
      const verdict = check(calls, model)
      if (verdict === "Linearizable") return []
      return [`${verdict}: key ${key}`, ...this.operations.filter((one) => one.key === key).map(describe)]
    })
  }

  /** Whoever asks after an answer sees at least its revision, and a put makes a new one. */
  private wrongRevisions(): ReadonlyArray<string> {
    const wrong: Array<string> = []
    const puts = new Map<number, Operation>()
    for (const one of this.operations) {
      const revision = revisionOf(one)
      if (revision === undefined) continue
      const before = this.operations.filter((other) => other.ended !== undefined && other.ended < one.begun)
      const least = Math.max(0, ...before.map((other) => revisionOf(other) ?? 0))
      const isPut = one.action._tag === "Put"
      if (isPut ? revision <= least : revision < least) wrong.push(`a revision after ${least}: ${describe(one)}`)
      if (isPut && puts.has(revision)) wrong.push(`one revision twice: ${describe(one)}`)
      if (isPut) puts.set(revision, one)
    }
    return wrong
  }

  private wrongEffects(times: ReadonlyMap<string, number>): ReadonlyArray<string> {
    return this.operations.flatMap((one) => {
      if (one.action._tag !== "Put") return []
      const took = times.get(one.action.value) ?? 0
      const most = one.ending?._tag === "NotDone" ? 0 : 1
      const least = one.ending?._tag === "Answered" ? 1 : 0
      return took < least || took > most ? [`took effect ${took} times: ${describe(one)}`] : []
    })
  }
}

/** How often each value was put. */
const countEffects = (log: ReadonlyArray<LogEntry<Uint8Array>>): ReadonlyMap<string, number> => {
  const times = new Map<string, number>()
  for (const command of effective(log)) {
    if (command._tag !== "Put") continue
    const value = Buffer.from(command.value).toString()
    times.set(value, (times.get(value) ?? 0) + 1)
  }
  return times
}

/** The commands of a log that have an effect: of those under one name only the first (and none out of order). */
const effective = (log: ReadonlyArray<LogEntry<Uint8Array>>): ReadonlyArray<KvCommand> => {
  const latest = new Map<ReplicaId, RequestId>()
  const commands: Array<KvCommand> = []
  for (const { payload } of log) {
    if (payload._tag !== "Command") continue
    const { replica, incarnation, sequence } = payload.request
    const before = latest.get(replica) ?? { replica, incarnation: 0, sequence: 0 }
    const later = incarnation === before.incarnation ? sequence > before.sequence : incarnation > before.incarnation
    if (!later) continue
    latest.set(replica, payload.request)
    const command = KvCommandCodec.decode(payload.command)
    if (command !== undefined) commands.push(command)
  }
  return commands
}

const toCall = ({ action, begun, ended, ending }: Operation): Call<Action, Cell> => ({
  input: action,
  at: begun,
  answer: ending?._tag === "Answered" ? { output: ending.seen, at: ended! } : undefined
})

const model: Model<Cell, Action, Cell> = {
  initial: undefined,
  apply: (cell, action) => {
    switch (action._tag) {
      case "Put":
        return [{ value: action.value, version: (cell?.version ?? 0) + 1 }, cell]
      case "Delete":
        return [undefined, cell]
      case "Get":
        return [cell, cell]
    }
  },
  same: (one, other) => one?.value === other?.value && one?.version === other?.version,
  key: (cell) => (cell === undefined ? "" : `${cell.value} ${cell.version}`)
}

const revisionOf = ({ ending }: Operation): number | undefined =>
  ending?._tag === "Answered" ? ending.revision : undefined

/** What an answer says of its key. */
export const cellIn = (answer: KvResult | KvAnswer): Cell => {
  switch (answer._tag) {
    case "Put":
      return toCell(answer.prevKv)
    case "DeleteRange":
      return toCell(answer.prevKvs[0])
    case "Range":
      return toCell(answer.kvs[0])
    default:
      throw new Error(`nobody asked for this: ${answer._tag}`)
  }
}

const toCell = (kv: KeyValue | undefined): Cell =>
  kv === undefined ? undefined : { value: Buffer.from(kv.value).toString(), version: kv.version }

export const describe = ({ action, begun, client, ended, ending, key, replica }: Operation): string => {
  const asked = `${action._tag} ${key}${action._tag === "Put" ? `=${action.value}` : ""}`
  const end =
    ending === undefined
      ? "no ending"
      : ending._tag === "Answered"
        ? `saw ${ending.seen === undefined ? "nothing" : `${ending.seen.value} v${ending.seen.version}`} rev ${ending.revision}`
        : `${ending._tag}: ${ending.why}`
  return `client ${client} at ${replica} [${begun}, ${ended ?? ""}] ${asked} -> ${end}`
}
