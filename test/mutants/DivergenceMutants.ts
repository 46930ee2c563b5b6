/** Bugs in how replicas find out that they have come to differ, and in what one that differs still does. */
import { type Mutant, mutant } from "./Mutant.ts"

export const divergenceMutants: ReadonlyArray<Mutant> = [
  mutant(
    "the chain does not see what is applied",
    ["own", "I22"],
    ["Chain.ts", "mix(mix(mix(hash, index), term), digest)", "mix(mix(hash, index), term)"]
  ),
  mutant(
    "the chain does not see what was before",
    ["own", "I22"],
    ["Chain.ts", "mix(mix(mix(hash, index), term), digest)", "mix(mix(mix(0, index), term), digest)"]
  ),
  mutant(
    "what was skipped is no link of the chain",
    ["own", "I22"],
    [
      "StateMachine.ts",
      "hash = Chain.extend(hash, entry.index, entry.term, digest)",
      "if (digest !== 0) hash = Chain.extend(hash, entry.index, entry.term, digest)"
    ]
  ),
  mutant(
    "checkpoints are kept for ever",
    ["own", "I21"],
    ["Chain.ts", "marks.slice(marks.length >= keptMarks ? 1 : 0)", "marks"]
  ),
  mutant(
    "checkpoints are of nobody else's places",
    ["own", "I22"],
    ["Chain.ts", "index % interval === 0", "(index + (hash & 63)) % interval === 0"]
  ),
  mutant(
    "what cannot be compared differs",
    ["own", "I20"],
    [
      "Chain.ts",
      "marks.find((one) => one.index === index)?.hash)",
      "(marks.find((one) => one.index === index)?.hash ?? tip.hash))"
    ]
  ),
  mutant(
    "nobody differs",
    ["own", "I22"],
    ["Divergence.ts", "const agrees = own === hash", "const agrees = own !== undefined"]
  ),
  mutant(
    "an older comparison takes the place of a later one",
    ["own", "I20"],
    ["Divergence.ts", "own === undefined || (compared !== undefined && compared.index > index)", "own === undefined"]
  ),
  mutant(
    "the leader is always right",
    ["own", "I22"],
    ["Divergence.ts", `if (isMajority(differing)) return "Follower"`, `if (isMajority(differing)) return "Leader"`]
  ),
  mutant(
    "the leader is always wrong",
    ["own", "I20"],
    [
      "Divergence.ts",
      `if (isMajority(voters.filter(agrees))) return "Leader"`,
      `if (isMajority(voters.filter(agrees))) return "Follower"`
    ]
  ),
  mutant(
    "a tie stops the leader alone",
    ["own", "I22"],
    ["Divergence.ts", "for (const other of differing) tell(other)\n", ""]
  ),
  mutant(
    "a tie stops nobody",
    ["own", "I22"],
    ["Divergence.ts", `if (unheard.length === 0) return "Nobody"`, `if (unheard.length === 0) return "Unknown"`]
  ),
  mutant(
    "nobody stops while one is away",
    ["own", "I22"],
    ["Divergence.ts", `unheard.every(gone) ? "Leader" : "Unknown"`, `"Unknown"`]
  ),
  mutant(
    "the leader does not wait for one that could decide",
    ["own", "I20"],
    ["Divergence.ts", `unheard.every(gone) ? "Leader" : "Unknown"`, `"Leader"`]
  ),
  mutant(
    "who differs is told with every step",
    ["own", "I21"],
    ["Divergence.ts", "compared: { ...compared!, told: true }", "compared: { ...compared!, told: false }"]
  ),
  mutant(
    "who did not hear that it differs is not told again",
    ["own", "I22"],
    ["Divergence.ts", "{ index, agrees, told: false }", "{ index, agrees, told: compared?.told ?? false }"]
  ),
  mutant(
    "a leader that differs leads on",
    ["own", "I22"],
    ["Settling.ts", "if (differs === undefined) return judged", "if (differs !== null) return judged"]
  ),
  mutant(
    "who differs may lead again",
    ["own", "I22"],
    ["Admission.ts", "state.diverged === undefined &&\n  state.removedAt", "state.removedAt"]
  ),
  mutant(
    "who differs goes on serving",
    ["own", "I22"],
    [
      "Settling.ts",
      `if (state.diverged !== undefined) return applyAll(core, refuseAll(state, "Diverged", batch), batch)`,
      ""
    ]
  ),
  mutant(
    "who differs answers what it was asked before",
    ["own", "I22"],
    ["Settling.ts", "isOwn(state, { request }) && state.diverged === undefined", "isOwn(state, { request })"]
  ),
  mutant(
    "who differs takes snapshots of that",
    ["own", "I12"],
    ["Snapshotting.ts", "|| state.diverged !== undefined || lastApplied === 0", "|| lastApplied === 0"]
  ),
  mutant(
    "who differs is compared for ever",
    ["own", "I21"],
    [
      "Admission.ts",
      "state.diverged === undefined ? StateMachines.checkpoints(state.stateMachine) : []",
      "StateMachines.checkpoints(state.stateMachine)"
    ]
  ),
  mutant(
    "a snapshot of the leader does not heal",
    ["own", "I20"],
    [
      "Snapshotting.ts",
      "    snapshots: installedSnapshots(state.snapshots, snapshot),\n    diverged: undefined",
      "    snapshots: installedSnapshots(state.snapshots, snapshot)"
    ]
  ),
  mutant(
    "who is told that it differs does not mind",
    ["own", "I22"],
    [
      "Divergence.ts",
      "isMeant && own !== at.hash && state.diverged === undefined ?",
      "isMeant && own === at.hash && state.diverged === undefined ?"
    ]
  ),
  mutant(
    "who is told that it differs does not look",
    ["own", "I20"],
    ["Divergence.ts", "isMeant && own !== at.hash && state", "isMeant && state"]
  ),
  mutant(
    "an earlier life's difference is this one's",
    ["own", "I20"],
    ["Divergence.ts", "incarnation === state.incarnation && own !== undefined", "own !== undefined"]
  ),
  mutant(
    "anybody may say that a follower differs",
    ["own", "I20"],
    [
      "Divergence.ts",
      `state._tag === "Follower" && state.leader === from && incarnation`,
      `state._tag === "Follower" && incarnation`
    ]
  ),
  mutant(
    "clients do not hear that their replica differs",
    ["own", "I20"],
    ["Durability.ts", `[{ _tag: "DivergenceFound", at: after.diverged }]`, "[]"]
  )
]
