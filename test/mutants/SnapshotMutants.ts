/** Bugs in snapshots: when they are taken, what is in them, what they let go of, and how they are installed. */
import { type Mutant, mutant } from "./Mutant.ts"

const onReceived = "snapshot.last.index > state.stateMachine.commitIndex && snapshot.last.term <= state.currentTerm"

export const snapshotMutants: ReadonlyArray<Mutant> = [
  mutant(
    "two snapshots of one position are two to fall back on",
    ["etcd 18055", "[109]"],
    ["Snapshot.ts", "rest.find(({ last }) => last.index < latest!.last.index)", "rest[0]"]
  ),
  mutant(
    "an older snapshot is installed",
    ["openraft#543", "I8 [99]"],
    ["Snapshotting.ts", onReceived, "snapshot.last.term <= state.currentTerm"]
  ),
  mutant(
    "a snapshot of a term to come is installed",
    ["own", "[99]"],
    ["Snapshotting.ts", onReceived, "snapshot.last.index > state.stateMachine.commitIndex"]
  ),
  mutant(
    "a snapshot that says nothing new is fetched all the same",
    ["openraft#543", "[99]"],
    ["Snapshotting.ts", "snapshot.last.index <= commitIndex || Logs.holds(log, snapshot.last)", "false"]
  ),
  mutant(
    "a snapshot whose last entry is in the log is fetched all the same",
    ["etcd", "[99]"],
    [
      "Snapshotting.ts",
      "snapshot.last.index <= commitIndex || Logs.holds(log, snapshot.last)",
      "snapshot.last.index <= commitIndex"
    ]
  ),
  mutant(
    "any entry at a snapshot's index makes it needless",
    ["own", "I5 [100]"],
    ["Snapshotting.ts", "Logs.holds(log, snapshot.last)) {", "snapshot.last.index <= Logs.lastIndex(log)) {"]
  ),
  mutant(
    "a snapshot holds no watermarks",
    ["LogCabin, RethinkDB", "I15 [106]"],
    [
      "StateMachine.ts",
      "applied: machine.applied,\n  hash: machine.hash,",
      "applied: new Map(),\n  hash: machine.hash,"
    ]
  ),
  mutant(
    "watermarks are not restored",
    ["LogCabin, RethinkDB", "I15 [106]"],
    ["StateMachine.ts", "applied: image.applied,", "applied: new Map(),"]
  ),
  mutant(
    "a snapshot holds no hash",
    ["own", "I22 [115]"],
    ["StateMachine.ts", "hash: machine.hash,\n  epoch", "hash: 0,\n  epoch"]
  ),
  mutant(
    "the chain begins anew with a snapshot",
    ["own", "I22 [115]"],
    ["StateMachine.ts", "hash: image.hash,", "hash: 0,"]
  ),
  mutant(
    "a snapshot holds no members",
    ["hashicorp, camunda", "I11 [106]"],
    [
      "StateMachine.ts",
      "  configuration,\n  applied: machine",
      "  configuration: { ...configuration, voters: [] },\n  applied: machine"
    ]
  ),
  mutant(
    "a snapshot's members are not taken",
    ["openraft#1808", "I11 [108]"],
    [
      "Snapshotting.ts",
      "...withConfigurations(state, Succession.restore(image.configuration, snapshot.last.index, kept)),",
      "...state,"
    ]
  ),
  mutant(
    "a snapshot's members are forgotten on a restart",
    ["openraft#1808", "I11 [106]"],
    ["Replica.ts", "image?.configuration ?? configuration", "configuration"]
  ),
  mutant(
    "a snapshot is said to be of what is committed",
    ["own", "I12 [97]"],
    [
      "StateMachine.ts",
      "last: { index: machine.lastApplied, term: Logs.termAt(machine.log, machine.lastApplied)! }",
      "last: { index: machine.commitIndex, term: Logs.termAt(machine.log, machine.commitIndex)! }"
    ]
  ),
  mutant(
    "a snapshot is begun before what it is of is stored",
    ["own", "I10 [97]"],
    [
      "Durability.ts",
      `effect._tag === "Send" && effect.message._tag === "AppendEntries"`,
      `effect._tag === "TakeSnapshot" || (effect._tag === "Send" && effect.message._tag === "AppendEntries")`
    ]
  ),
  mutant(
    "another snapshot is begun with every entry",
    ["own", "I21 [97]"],
    ["Snapshotting.ts", "lastApplied - snapshots.begun >= enoughEntries", "lastApplied >= enoughEntries"]
  ),
  mutant(
    "bytes are counted from the first snapshot on",
    ["own", "I21 [97]"],
    ["Snapshotting.ts", "stateMachine: { ...stateMachine, appliedBytes: 0 },", "stateMachine,"]
  ),
  mutant(
    "a large state is stored as often as a small one",
    ["own", "I21 [97]"],
    ["Snapshotting.ts", "Math.max(options.snapshotLogBytes, stored / 4)", "options.snapshotLogBytes"]
  ),
  mutant(
    "bytes are no reason for a snapshot",
    ["own", "I21 [97]"],
    ["Snapshotting.ts", "(appliedBytes >= enoughBytes || ", "("]
  ),
  mutant(
    "two snapshots are taken at a time",
    ["own", "[109]"],
    ["Snapshotting.ts", "if (snapshots.taking !== undefined || ", "if ("]
  ),
  mutant(
    "a snapshot that failed is never taken again",
    ["own", "I21 [90]"],
    ["Snapshotting.ts", "state.snapshots.taking === last.index ? {", "last.index < 0 ? {"]
  ),
  mutant(
    "an older snapshot takes the place of the latest",
    ["own", "I8 [109]"],
    ["Snapshotting.ts", "if (isOld) return", "if (isOld && snapshots.latest === undefined) return"]
  ),
  mutant(
    "what failed to be read is fallen back on",
    ["own", "[105]"],
    ["Snapshotting.ts", "latest === unreadable || latest?.last", "latest?.last"]
  ),
  mutant(
    "what is taken anew is its own fallback",
    ["own", "[105]"],
    ["Snapshotting.ts", "latest === unreadable || latest?.last.index === snapshot.last.index", "latest === unreadable"],
    ["Snapshotting.ts", "unreadable: latest } }", "unreadable: { ...latest } } }"]
  ),
  mutant(
    "a damaged snapshot is not taken anew",
    ["own", "I20 [105]"],
    ["Snapshotting.ts", "wanted: true, unreadable: latest", "unreadable: latest"]
  ),
  mutant(
    "a snapshot that is gone is sent for ever",
    ["own", "I20 [105] [110]"],
    ["Snapshotting.ts", "return redirect(known, snapshot)", "return known"]
  ),
  mutant(
    "a snapshot that was gone is sent when there is another",
    ["own", "I20 [105] [110]"],
    ["Snapshotting.ts", "unreadable === undefined ? stored : redirect(stored, unreadable)", "stored"]
  ),
  mutant(
    "a damaged older snapshot is fallen back on",
    ["own", "[105]"],
    ["Snapshotting.ts", "const known = isPrevious ?", "const known = isPrevious && previous === latest ?"]
  ),
  mutant(
    "the log is dropped up to the latest snapshot",
    ["own", "[105]"],
    [
      "Snapshotting.ts",
      "  const { latest, previous } = state.snapshots\n",
      "  const { latest, latest: previous } = state.snapshots\n"
    ]
  ),
  mutant(
    "the log is dropped beyond what is applied",
    ["etcd", "I12 [97]"],
    [
      "Snapshotting.ts",
      "neededFrom(options, state, previous.last.index, at) : previous.last.index",
      "neededFrom(options, state, previous.last.index, at) : Logs.lastIndex(log)"
    ]
  ),
  mutant(
    "the log is never dropped",
    ["own", "I21 [97]"],
    [
      "Snapshotting.ts",
      "if (upTo <= log.base.index || term === undefined || !isWorthIt) return state",
      "if (term !== 0) return state"
    ]
  ),
  mutant(
    "every answer of one that catches up moves the base",
    ["own: a write to the disk each", "[112]"],
    ["Snapshotting.ts", "term === undefined || !isWorthIt", "term === undefined"]
  ),
  mutant(
    "little is never dropped",
    ["own", "I21 [97]"],
    ["Snapshotting.ts", "const isWorthIt = upTo === previous.last.index || ", "const isWorthIt = "]
  ),
  mutant(
    "the log is dropped while a follower is on its way",
    ["own", "I20 [112]"],
    [
      "Snapshotting.ts",
      "if (isNear && needed >= furthest)",
      `if (progress._tag !== "Snapshot" && isNear && needed >= furthest)`
    ]
  ),
  mutant(
    "the log is dropped before a follower that is a little behind",
    ["etcd", "[112]"],
    ["Snapshotting.ts", "progress.catchingUp || needed >= upTo - 2 * interval", "progress.catchingUp"]
  ),
  mutant(
    "the log is kept for whoever is behind",
    ["own", "I21 [110]"],
    ["Snapshotting.ts", "progress.catchingUp || needed >= upTo - 2 * interval", "interval >= 0"]
  ),
  mutant(
    "the log is dropped as soon as a snapshot is installed",
    ["etcd: slow_follower_after_compaction", "I20 [112]"],
    ["Snapshotting.ts", "progress.catchingUp || needed", "needed"]
  ),
  mutant(
    "who once needed a snapshot is waited for ever after",
    ["own", "I21 [112]"],
    ["Replication.ts", "progress = { ...progress, catchingUp: false }", "progress = { ...progress, catchingUp: true }"]
  ),
  mutant(
    "the log is kept for one that is slower, however far it falls behind",
    ["own", "I21 [112]"],
    ["Snapshotting.ts", "if (isNear && needed >= furthest)", "if (isNear)"]
  ),
  mutant(
    "the log is kept for one that cannot use what it is sent",
    ["own", "I21 [105]"],
    ["Snapshotting.ts", "if (failuresOf(progress) > 0) continue", ""]
  ),
  mutant(
    "the log is kept for one that never comes back",
    ["own", "I21 [110]"],
    ["Snapshotting.ts", "if (progress.heardAt + options.snapshotPatienceMillis <= at) continue", ""]
  ),
  mutant(
    "a new base is not stored",
    ["own", "I7 [100]"],
    ["Durability.ts", "base: change?.base, log", "base: undefined, log"]
  ),
  mutant(
    "an install keeps what conflicts with it",
    ["openraft: snapshot_delete_conflict", "I3 [100]"],
    ["Log.ts", "holds(log, base) ? compact(log, base) : after(base, log.packer)", "compact(log, base)"]
  ),
  mutant(
    "an install drops what follows it",
    ["Figure 13, rule 6", "I7 [100]"],
    ["Snapshotting.ts", "Logs.rebase(state.stateMachine.log, snapshot.last)", "Logs.make<C>(snapshot.last, [])"]
  ),
  mutant(
    "what is dropped stays in memory",
    ["own", "I21 [97]"],
    ["Log.ts", "at < whole ? [] : at === whole", "at < whole ? block : at === whole"]
  ),
  mutant(
    "an install leaves an older snapshot to fall back on",
    ["own", "[105]"],
    ["Snapshotting.ts", "  latest,\n  previous: undefined,", "  latest,\n  previous: before.latest,"]
  ),
  mutant(
    "a leader installs a snapshot",
    ["own", "I2 [109]"],
    ["Snapshotting.ts", `if (!isNew || state._tag === "Leader") return state`, "if (!isNew) return state"]
  ),
  mutant(
    "nobody is told that a snapshot is installed",
    ["own", "[111]"],
    [
      "Snapshotting.ts",
      "if (leader !== undefined) send(batch, leader, matched(core, installed, snapshot.last.index))",
      ""
    ]
  ),
  mutant(
    "clients do not hear that a snapshot took their requests' place",
    ["own", "I20 [148]"],
    ["Snapshotting.ts", `batch.said.push({ _tag: "SnapshotInstalled", upTo })`, ""]
  ),
  mutant(
    "an earlier start's requests are taken for this one's",
    ["own", "[148]"],
    ["Snapshotting.ts", "own?.incarnation === state.incarnation ? own : undefined", "own"]
  ),
  mutant(
    "a restart applies a snapshot's entries again",
    ["own", "I5, I15 [114]"],
    [
      "StateMachine.ts",
      "commitIndex: image.last.index,\n  lastApplied: image.last.index,",
      "commitIndex: image.last.index,\n  lastApplied: log.base.index,"
    ]
  ),
  mutant(
    "after a restart nothing of a snapshot is committed",
    ["own", "I8 [76]"],
    ["StateMachine.ts", "commitIndex: image.last.index,", "commitIndex: log.base.index,"]
  )
]
