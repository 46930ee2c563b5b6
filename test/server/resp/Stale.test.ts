/** READONLY: who takes stale answers gets them from the replica alone, whatever the others do. */
import { expect, test } from "vitest"
import { Effect } from "effect"
import { Unavailable } from "../../../src/runtime/RequestError.ts"
import { start, type TestServer } from "../TestServer.ts"
import { Conversation, type Words } from "./Conversation.ts"

/** Through which doors the replica was asked, since the last time. */
const asked = ({ replica: { calls } }: TestServer): typeof calls => {
  const seen = { ...calls }
  Object.assign(calls, { propose: 0, query: 0, queryLocal: 0 })
  return seen
}

const local = { propose: 0, query: 0, queryLocal: 1 }
const linearizable = { propose: 0, query: 1, queryLocal: 0 }
const logged = { propose: 1, query: 0, queryLocal: 0 }

const begin = async () => {
  const server = await start()
  const conversation = await Conversation.begin(server.port)
  return { server, conversation }
}

test.each<readonly [Words, string]>([
  [["GET", "a"], "$1\r\n1\r\n"],
  [["MGET", "a", "b"], "*2\r\n$1\r\n1\r\n$-1\r\n"],
  [["EXISTS", "a", "b"], ":1\r\n"],
  [["STRLEN", "a"], ":1\r\n"],
  [["TYPE", "a"], "+string\r\n"],
  [["KEYS", "*"], "*1\r\n$1\r\na\r\n"],
  [["SCAN", "0"], "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"],
  [["DBSIZE"], ":1\r\n"],
  [["GETEX", "a"], "$1\r\n1\r\n"]
])(
  "%j is answered by the replica alone after READONLY, and by all before and after READWRITE",
  async (words, reply) => {
    const { server, conversation } = await begin()
    await conversation.ask("SET", "a", "1")
    asked(server)
    expect([await conversation.ask(...words), asked(server)]).toEqual([reply, linearizable])
    expect(await conversation.ask("READONLY")).toBe("+OK\r\n")
    expect([await conversation.ask(...words), asked(server)]).toEqual([reply, local])
    expect(await conversation.ask("READWRITE")).toBe("+OK\r\n")
    expect([await conversation.ask(...words), asked(server)]).toEqual([reply, linearizable])
  }
)

test.each<Words>([
  ["SET", "a", "2"],
  ["INCR", "a"],
  ["DEL", "a"],
  ["GETDEL", "a"],
  ["TTL", "a"]
])("%j goes through the log all the same", async (...words) => {
  const { server, conversation } = await begin()
  await conversation.askAll([["SET", "a", "1"], ["READONLY"]])
  asked(server)
  await conversation.ask(...words)
  expect(asked(server)).toEqual(logged)
})

test("transactions, and what they watch, are linearizable all the same", async () => {
  const { server, conversation } = await begin()
  await conversation.ask("READONLY")
  expect([await conversation.ask("WATCH", "a"), asked(server)]).toEqual(["+OK\r\n", linearizable])
  await conversation.askAll([["MULTI"], ["GET", "a"]])
  expect([await conversation.ask("EXEC"), asked(server)]).toEqual(["*1\r\n$-1\r\n", linearizable])
  expect([await conversation.ask("GET", "a"), asked(server)]).toEqual(["$-1\r\n", local])
})

test("it holds from its place in a pipeline on, for its connection, until RESET", async () => {
  const { server, conversation } = await begin()
  const commands = [["GET", "a"], ["READONLY"], ["GET", "a"], ["GET", "b"], ["READWRITE"], ["GET", "a"]]
  expect(await conversation.askAll(commands)).toEqual([
    "$-1\r\n",
    "+OK\r\n",
    "$-1\r\n",
    "$-1\r\n",
    "+OK\r\n",
    "$-1\r\n"
  ])
  expect(asked(server)).toEqual({ propose: 0, query: 2, queryLocal: 1 })
  await conversation.ask("READONLY")
  const other = await Conversation.begin(server.port)
  await other.ask("GET", "a")
  expect(asked(server)).toEqual(linearizable)
  await conversation.askAll([["RESET"], ["GET", "a"]])
  expect(asked(server)).toEqual(linearizable)
  expect(await conversation.ask("READONLY", "now")).toMatch(/^-ERR wrong number of arguments/)
})

test("a write in the same pipeline takes the reads with it through the log, where they see it", async () => {
  const { server, conversation } = await begin()
  await conversation.ask("READONLY")
  const pipeline = [
    ["GET", "a"],
    ["SET", "a", "1"],
    ["GET", "a"]
  ]
  expect(await conversation.askAll(pipeline)).toEqual(["$-1\r\n", "+OK\r\n", "$1\r\n1\r\n"])
  expect(asked(server)).toEqual(logged)
})

test("it needs no leader, and a replica that differs from the others is not believed", async () => {
  const { server, conversation } = await begin()
  await conversation.askAll([["SET", "a", "1"], ["READONLY"]])
  server.replica.instead = Effect.fail(new Unavailable({ message: "no leader", outcomeUnknown: false }))
  expect(await conversation.ask("SET", "a", "2")).toBe("-CLUSTERDOWN no leader\r\n")
  expect(await conversation.ask("GET", "a")).toBe("$1\r\n1\r\n")
  server.replica.differing = { divergedAt: server.replica.status().lastIndex }
  expect(await conversation.ask("GET", "a")).toBe("-CLUSTERDOWN differs from the others\r\n")
})
