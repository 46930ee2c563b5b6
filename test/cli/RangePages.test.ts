/** That the pages of one range are of one revision, whichever was asked for. */
import { Effect, Stream } from "effect"
import { assert, describe, it } from "vitest"
import * as RangePages from "../../src/cli/RangePages.ts"
import { prefixRange } from "../../src/client/KeyRange.ts"
import * as Kv from "../../src/client/Kv.ts"
import { answer, ScriptedGateway } from "../client/ScriptedGateway.ts"

/** A store that is written to all the time: each answer is of a later revision, unless one was asked for. */
const busy = (): Promise<ScriptedGateway> =>
  ScriptedGateway.listen(({ body }, response, at) => {
    const revision = Number(body["revision"] ?? 0) || 7 + at
    const kv = { key: Buffer.from(`k${at}`).toString("base64"), mod_revision: "2" }
    answer(response, { header: { revision: `${revision}` }, kvs: [kv], count: "3", more: at < 2 })
  })

const revisionsIn = ({ asked }: ScriptedGateway): ReadonlyArray<unknown> =>
  asked.map(({ body }) => body["revision"] ?? "latest")

const keys = prefixRange("k")

describe("pages of one revision", () => {
  for (const [revision, expected] of [
    [undefined, ["latest", "7", "7"]],
    [0, ["latest", "7", "7"]],
    [5, ["5", "5", "5"]]
  ] as const) {
    it(`asked for ${revision ?? "none"}`, async () => {
      await using cli = await busy()
      const read = RangePages.read(
        Kv.make({ endpoints: [cli.endpoint], timeoutMillis: 2000 }),
        keys,
        { revision },
        () => Effect.void
      )
      assert.strictEqual((await Effect.runPromise(read)).shown, 3)
      assert.deepStrictEqual(revisionsIn(cli), expected)

      await using library = await busy()
      const { stream } = Kv.make({ endpoints: [library.endpoint], timeoutMillis: 2000 })
      assert.strictEqual((await Effect.runPromise(Stream.runCollect(stream(keys, { revision })))).length, 3)
      assert.deepStrictEqual(revisionsIn(library), expected)
    })
  }
})
