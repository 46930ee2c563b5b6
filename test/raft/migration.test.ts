/** What a machine makes of a version that comes up or down, at the entry that says so. */
import { describe, expect, it } from "vitest"
import * as Configurations from "../../src/raft/Configuration.ts"
import { ClusterTime, Index, type LogEntry, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Machine } from "../../src/raft/Machine.ts"
import * as StateMachines from "../../src/raft/StateMachine.ts"

type Words = ReadonlyArray<string>

const machine: Machine<Words, string, number, never, never> = {
  initial: [],
  version: 2,
  apply: (words, word, { version }) => [[...words, `${word} at ${version}`], words.length],
  migrate: (words, version) => [...words, `to ${version}`],
  query: (_, query) => query,
  sizeOf: () => 1,
  digest: () => 1
}

const A = ReplicaId("A")

const command = (word: string, sequence: number): LogEntry<string>["payload"] => ({
  _tag: "Command",
  request: { replica: A, incarnation: 1, sequence },
  time: ClusterTime(0),
  command: word
})

const versionEntry = (version: number, ceiling?: number): LogEntry<string>["payload"] => ({
  _tag: "Version",
  version,
  ceiling,
  request: undefined
})

const applied = (payloads: ReadonlyArray<LogEntry<string>["payload"]>, understands = 2) => {
  const entries = payloads.map((payload, at) => ({ index: Index(at + 1), term: Term(1), payload }))
  const begun = StateMachines.commitTo(StateMachines.make<Words, string>([], entries), Index(entries.length))
  return StateMachines.apply(begun, { ...machine, version: understands }, () => {})
}

describe("a version in the log", () => {
  it("changes the machine's state where it stands, once, and only if it is another", () => {
    const { value } = applied([
      command("a", 1),
      versionEntry(2),
      command("b", 2),
      versionEntry(2, 2),
      versionEntry(1, 1)
    ])
    expect(value).toEqual(["a at 1", "to 2", "b at 2", "to 1"])
  })

  it("that comes down makes a snapshot due, and one that rises does not", () => {
    expect(applied([versionEntry(2), command("a", 1)]).appliedBytes).toBe(1)
    expect(applied([versionEntry(2), versionEntry(1, 1)]).appliedBytes).toBeGreaterThan(2 ** 50)
  })

  it("that is not understood changes nothing, and nothing after it is applied", () => {
    const machine = applied([command("a", 1), versionEntry(2), command("b", 2)], 1)
    expect([machine.value, machine.lastApplied, machine.outdated]).toEqual([["a at 1"], 1, 2])
  })

  it("is part of an image, which whoever does not understand it does not go on from", () => {
    const image = StateMachines.image(applied([command("a", 1), versionEntry(2)]), Configurations.of([A]))
    const restored = [1, 2].map((understood) => StateMachines.restore(image, applied([]).log, understood).outdated)
    expect(restored).toEqual([2, undefined])
  })
})
