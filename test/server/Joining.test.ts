/** One that joins, and a member that knows less than it should. */
import { Effect } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, onTestFinished, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as Joining from "../../src/server/Joining.ts"

const id = ReplicaId("A")
const listed = { id: "A", address: "a:1" }
const other = { id: "B", address: "b:1" }

/** Answers with one list after the other, the last one again and again. */
const member = async (lists: ReadonlyArray<ReadonlyArray<object>>) => {
  const asked: Array<{ readonly path: string; readonly body: object }> = []
  let lookedUp = 0
  const server = createServer((request, response) => {
    let text = ""
    request.on("data", (chunk) => (text += chunk))
    request.on("end", () => {
      const path = request.url!
      asked.push({ path, body: JSON.parse(text) })
      const members = path === "/balsa/v1/members" ? lists[Math.min(lookedUp++, lists.length - 1)] : []
      response.end(JSON.stringify({ cluster: "test", founders: ["A", "B"], recovery: null, role: "Leader", members }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return { asked, options: { id, cluster: "test", join: [{ host: "127.0.0.1", port }] } }
}

test("it asks for a confirmed list, and again until its own log says that it is a member", async () => {
  const { asked, options } = await member([[listed, other], [other]])
  const wasAdded = (): boolean => asked.some(({ path }) => path.endsWith("/amend"))
  await Effect.runPromise(Joining.enter({ ...options, address: "a:1", promote: true, isMember: wasAdded }))
  expect(asked.map(({ path }) => path)).toEqual(["/balsa/v1/members", "/balsa/v1/members", "/balsa/v1/members/amend"])
  expect(asked[0]!.body).toEqual({ linearizable: true })
})

test("it seeks the members until it knows where each is", async () => {
  const { options } = await member([[{ id: "B", address: null }], [other]])
  let known: string | undefined
  const seek = Joining.seek(
    options,
    () => known !== undefined,
    ([first]) => void (known = first?.address)
  )
  await Effect.runPromise(seek)
  expect(known).toBe("b:1")
})
