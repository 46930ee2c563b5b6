/** The example of the client does what it says, against a real etcd and a real Balsa. */
import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { promisify } from "node:util"
import { assert, describe } from "vitest"
import { stores } from "../client/AskStores.ts"
import { itNeeds } from "../faults/Probe.ts"

const root = resolve(import.meta.dirname, "../..")

describe.each(stores)("an example in one command, with $name", ({ needs, start }) => {
  itNeeds(needs, "client: configuration, a lock, and workers of which one leads at a time", async () => {
    await using cluster = await start(1)
    const env = { ...process.env, BALSA_ENDPOINTS: cluster.endpoints.join(",") }
    const options = { cwd: root, timeout: 50_000, env }
    const { stdout } = await promisify(execFile)(process.execPath, ["scripts/example.ts", "client"], options)
    const lines = stdout.trimEnd().split("\n")
    assert.deepEqual(
      lines.filter((line) => line.startsWith("watched")),
      ["watched: 10.0.0.1:80", "watched: 10.0.0.2:80", "watched: 10.0.0.3:443", "watched: one is gone"]
    )
    assert.deepEqual(
      lines.filter((line) => !line.startsWith("watched")),
      [
        "two services are registered",
        "moved",
        "migrated, under a lock",
        "three workers led, under 3 different tokens; nobody leads now"
      ]
    )
  })
})
