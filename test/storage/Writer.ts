/**
 * A process of its own that opens the directory it is given and appends entries of so many bytes until one
 * fails, and says why. Told so, it opens other files first, until there may be no more.
 */
import * as fs from "node:fs"
import { Context, Effect, Layer } from "effect"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as FileStorage from "../../src/storage/FileStorage.ts"
import { Storage, StorageError } from "../../src/storage/Storage.ts"
import { append, command } from "./Entries.ts"

const [directory = "", bytes = "", crowd = ""] = process.argv.slice(2)

const layer = FileStorage.layer({
  directory,
  cluster: "harbour",
  replica: ReplicaId("A"),
  voters: [ReplicaId("A"), ReplicaId("B")],
  segmentBytes: 4096
})

const openAll = (): void => {
  try {
    for (;;) fs.openSync("/dev/null", "r")
  } catch {
    // As many as there may be.
  }
}

const write = Effect.gen(function* () {
  const storage = Context.get(yield* Layer.build(layer), Storage)
  if (crowd === "crowd") openAll()
  const from = storage.recovered.entries.length
  for (let i = 1; i <= 100; i++) yield* storage.persist(append(command(from + i, 1, Buffer.alloc(Number(bytes), i))))
})

const said = await Effect.runPromise(Effect.result(Effect.scoped(write)))
const { reason, message } =
  said._tag === "Failure" ? said.failure : new StorageError({ reason: "InUse", message: "none" })
fs.writeSync(1, JSON.stringify({ reason, message }))
