/** A process of its own that opens the directory it is given, says so, and holds it until it is killed. */
import { Effect, Layer } from "effect"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as FileStorage from "../../src/storage/FileStorage.ts"

const layer = FileStorage.layer({
  directory: process.argv[2]!,
  cluster: "harbour",
  replica: ReplicaId("A"),
  voters: [ReplicaId("A"), ReplicaId("B")],
  segmentBytes: 4096
})
const hold = Effect.andThen(
  Effect.sync(() => process.stdout.write("held\n")),
  Effect.never
)
setInterval(() => {}, 1_000_000)
Effect.runPromise(Effect.scoped(Effect.andThen(Layer.build(layer), hold))).catch((error) => {
  process.stdout.write(`${error.reason}\n`)
  process.exit(1)
})
