/** Redis' commands against a real Redis: the same words to both, the same bytes back. */
import { describe, expect, test } from "vitest"
import { start } from "../TestServer.ts"
import { Conversation, type Words } from "./Conversation.ts"
import { conversations } from "./Conversations.ts"
import * as RealRedis from "./RealRedis.ts"

if (!RealRedis.isHere && process.env.CI !== undefined) throw new Error(RealRedis.howToGet)

const shown = (words: Words): string => words.map((word) => JSON.stringify(String(word).slice(0, 40))).join(" ")

/** Debian's Redis is older than the one that is told of here, and its words have changed since. */
const modern = (reply: string): string =>
  reply
    .replace("Unknown subcommand or wrong number of arguments for", "unknown subcommand")
    // Its list of arguments ends with a space less in some versions.
    .replace(/args beginning with: ?(.*?) ?\r\n/, "args beginning with: $1\r\n")

const held = (replies: ReadonlyArray<string>, commands: ReadonlyArray<Words>) =>
  commands.map((words, at) => `${shown(words)} -> ${modern(replies[at] ?? "")}`)

describe.skipIf(!RealRedis.isHere)("as Redis answers", () => {
  const abouts = Object.keys(conversations)
  test.each(abouts.flatMap((about) => [[about, "2"] as const, [about, "3"] as const]))(
    "about %s, in version %s of the protocol",
    async (about, version) => {
      const commands = conversations[about]!
      const [server, redisPort] = await Promise.all([start(), RealRedis.start()])
      const replies: Array<ReadonlyArray<string>> = []
      for (const port of [redisPort, server.port]) {
        const conversation = await Conversation.begin(port)
        if (version === "3") await conversation.ask("HELLO", "3")
        const heard: Array<string> = []
        for (const words of commands) heard.push(await conversation.ask(...words))
        replies.push(heard)
        conversation.end()
      }
      expect(held(replies[1]!, commands)).toEqual(held(replies[0]!, commands))
    }
  )

  test.each(abouts)("about %s, all at once", async (about) => {
    const commands = conversations[about]!
    const [server, redisPort] = await Promise.all([start(), RealRedis.start()])
    const replies: Array<ReadonlyArray<string>> = []
    for (const port of [redisPort, server.port]) {
      const conversation = await Conversation.begin(port)
      replies.push(await conversation.askAll(commands))
      conversation.end()
    }
    expect(held(replies[1]!, commands)).toEqual(held(replies[0]!, commands))
  })
})
