/**
 * What clients were told, judged against the canonical log: a write that was acknowledged
 * has taken effect, after all that was acknowledged before it was asked for; a read sees a
 * state that is no older than that; what was refused never happens.
 *
 * The log fixes the order of all effects, so this decides linearizability at once: give
 * every read the earliest place that fits, and nothing that came later forbids it.
 */
import type * as Canon from "./CanonicalLog.ts"
import type { Operation } from "./Operation.ts"
import { inWords } from "./Subject.ts"
import { require } from "./Violation.ts"

export interface Ledger {
  readonly canon: Canon.CanonicalLog
  readonly operations: Array<Operation>
  /** The latest place in the canonical log that anybody has been told of. */
  acknowledged: number
}

export const empty = (canon: Canon.CanonicalLog): Ledger => ({
  canon,
  operations: [],
  acknowledged: 0
})

export const invoke = (
  ledger: Ledger,
  asked: Pick<Operation, "client" | "replica" | "kind" | "input" | "invokedAt">
): Operation => {
  const number = ledger.operations.length + 1
  const operation: Operation = { ...asked, number, floor: ledger.acknowledged, ending: undefined }
  ledger.operations.push(operation)
  if (operation.kind === "Command") ledger.canon.operations.set(operation.input, number)
  return operation
}

/** The first ending counts: a client that has given up hears no more. */
export const end = (ledger: Ledger, operation: Operation, ending: NonNullable<Operation["ending"]>): void => {
  if (operation.ending !== undefined) return
  operation.ending = ending
  if (operation.kind === "Amendment") return
  if (ending._tag === "Done") acknowledge(ledger, operation, ending.output)
  if (ending._tag !== "Refused") return
  ledger.canon.refused.add(operation.number)
  require(!ledger.canon.effects.has(operation.number), "what was refused never happens", () => describe(operation))
}

const acknowledge = (ledger: Ledger, operation: Operation, output: unknown): void => {
  const place =
    operation.kind === "Command" ? placeOfWrite(ledger, operation, output) : placeOfRead(ledger, operation, output)
  ledger.acknowledged = Math.max(ledger.acknowledged, place)
}

const placeOfWrite = ({ canon }: Ledger, operation: Operation, output: unknown): number => {
  const place = canon.effects.get(operation.number)
  require(place !== undefined, "an acknowledged write is committed", () => describe(operation))
  require(place! > operation.floor, "a write comes after all that was acknowledged before it", () =>
    `${describe(operation)} took effect at ${place}, though ${operation.floor} was acknowledged before`)
  const { result } = canon.entries[place!]!
  require(canon.subject.sameResult(result, output), "a write's answer is the machine's", () =>
    `${describe(operation)}: told ${inWords(output)}, not ${inWords(result)}`)
  return place!
}

const placeOfRead = ({ canon }: Ledger, operation: Operation, output: unknown): number => {
  for (let place = operation.floor; place < canon.entries.length; place++) {
    const answer = canon.subject.machine.query(canon.entries[place]!.value, operation.input)
    if (canon.subject.sameAnswer(answer, output)) return place
  }
  const now = canon.subject.machine.query(canon.entries[operation.floor]!.value, operation.input)
  require(false, "a read sees all that was acknowledged before it", () =>
    `${describe(operation)}: told ${inWords(output)}; at ${operation.floor} it was ${inWords(now)}`)
  return 0
}

const describe = ({ number, client, replica, input }: Operation): string =>
  `operation ${number} of client ${client} at ${replica} (${inWords(input)})`
