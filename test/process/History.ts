/**
 * What clients asked of real replicas and what became of it, in a form that any checker can
 * judge: JSON lines, an operation each, in the order in which they ended. A key starts
 * absent. Fields that do not apply are left out.
 *
 * Checkers that take a history apart by process must know: a client has one operation under
 * way at a time, and one that gave up on an answer is never heard of again under its number.
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"

export type Outcome =
  /** Done, at one instant between start and end. */
  | "ok"
  /** Not done, and never will be. A get without an answer counts as refused: it changes nothing. */
  | "refused"
  /** Done at any instant since start, perhaps after end, or never. */
  | "unknown"

/** A key's value, and how many puts it has seen since it was absent. */
export interface Found {
  readonly value: string
  readonly version: number
}

export interface Asked {
  readonly op: "put" | "get" | "delete"
  readonly key: string
  /** What a put writes; no two puts of a history write the same. */
  readonly value?: string
  /** Whether a put or a delete asks for what was there before. */
  readonly previous?: boolean
}

export interface Answered {
  readonly outcome: Outcome
  /** What a get found, or what was there before a put or a delete that asked for it; null is absent. */
  readonly found?: Found | null
  /** How many keys a delete deleted: 0 or 1. */
  readonly deleted?: number
  /** The store's revision that the answer names: each change of any key takes the next one. */
  readonly revision?: number
  /** Why it was not done, or why nobody knows. */
  readonly reason?: string
}

export interface Operation extends Asked, Answered {
  readonly id: number
  readonly client: number
  /** Which replica was asked. */
  readonly replica: string
  /** Milliseconds of one monotonic clock, since the history began. */
  readonly start: number
  readonly end: number
}

type Begun = Omit<Operation, "end" | "outcome">

/** Notes operations as they begin and as they end. */
export class Recorder {
  private readonly began = performance.now()
  private readonly open = new Map<number, Begun>()
  private readonly done = new Map<string, Array<Operation>>()
  private order: Array<Operation> = []
  private readonly counts = { ok: 0, refused: 0, unknown: 0 }
  private lastId = 0

  now(): number {
    return performance.now() - this.began
  }

  /** A number for what is about to be asked; a put may write it. */
  nextId(): number {
    return ++this.lastId
  }

  begin(asked: Asked & { readonly id: number; readonly client: number; readonly replica: string }): void {
    this.open.set(asked.id, { ...asked, start: this.now() })
  }

  end(id: number, answered: Answered): void {
    const end = this.now()
    const operation: Operation = { ...this.open.get(id)!, end, ...answered }
    this.open.delete(id)
    this.counts[answered.outcome]++
    this.order.push(operation)
    const ofKey = this.done.get(operation.key)
    if (ofKey === undefined) this.done.set(operation.key, [operation])
    else ofKey.push(operation)
  }

  get total(): Readonly<Record<Outcome, number>> {
    return this.counts
  }

  /** All so far: what is under way may have been done, and nobody knows yet. */
  history(): ReadonlyArray<Operation> {
    const now = this.now()
    return [...this.order, ...[...this.open.values()].map((begun) => unfinished(begun, now))]
  }

  /** The same, of one key. */
  ofKey(key: string): ReadonlyArray<Operation> {
    const now = this.now()
    const open = [...this.open.values()].filter((begun) => begun.key === key)
    return [...(this.done.get(key) ?? []), ...open.map((begun) => unfinished(begun, now))]
  }
}

const unfinished = (begun: Begun, now: number): Operation => ({
  ...begun,
  end: now,
  outcome: begun.op === "get" ? "refused" : "unknown",
  reason: "no answer yet"
})

/**
 * Writes it where somebody wants histories kept (BALSA_HISTORY_DIR, unless `folder` names a place),
 * or, if nobody does and the run has failed, where temporary files go. Gives the path.
 */
export const keep = (
  name: string,
  history: ReadonlyArray<Operation>,
  {
    folder = process.env["BALSA_HISTORY_DIR"],
    failed
  }: { readonly folder?: string | undefined; readonly failed: boolean }
): string | undefined => {
  if (folder === undefined && !failed) return undefined
  const place = folder ?? mkdtempSync(path.join(tmpdir(), "balsa-history-"))
  mkdirSync(place, { recursive: true })
  const file = path.resolve(place, `${name}.jsonl`)
  writeFileSync(file, toLines(history))
  return file
}

export const read = (file: string): ReadonlyArray<Operation> => fromLines(readFileSync(file, "utf8"))

export const toLines = (history: ReadonlyArray<Operation>): string =>
  history.map((operation) => `${JSON.stringify(operation)}\n`).join("")

export const fromLines = (text: string): ReadonlyArray<Operation> =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Operation)

export const byKey = (history: ReadonlyArray<Operation>): ReadonlyMap<string, ReadonlyArray<Operation>> =>
  Map.groupBy(history, ({ key }) => key)
