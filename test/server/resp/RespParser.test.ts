/** Redis' protocol as it is read: whole, in pieces, and when it is wrong. */
import { describe, expect, test } from "vitest"
import { defaultLimits, RespParser } from "../../../src/server/resp/RespParser.ts"

const limits = { ...defaultLimits, maxBulkBytes: 100, maxWords: 10, maxCommandBytes: 200 }

const read = (
  text: string,
  pieces = 1
): { commands: ReadonlyArray<ReadonlyArray<string>>; problem: string | undefined } => {
  const parser = new RespParser(limits)
  const bytes = Buffer.from(text, "latin1")
  const commands: Array<ReadonlyArray<string>> = []
  const step = Math.max(1, Math.ceil(bytes.length / pieces))
  for (let at = 0; at < bytes.length; at += step) {
    parser.feed(bytes.subarray(at, at + step))
    while (parser.next()) {
      const words = parser.words.map((word) => word.toString("latin1"))
      expect(Array.from({ length: parser.count }, (_, word) => parser.text(word))).toEqual(words)
      expect(parser.bytes).toBe(words.join("").length)
      commands.push(words)
    }
  }
  return { commands, problem: parser.problem }
}

const sound: ReadonlyArray<readonly [text: string, commands: ReadonlyArray<ReadonlyArray<string>>]> = [
  ["*1\r\n$4\r\nPING\r\n", [["PING"]]],
  ["*2\r\n$3\r\nGET\r\n$0\r\n\r\n", [["GET", ""]]],
  ["*2\r\n$3\r\nGET\r\n$4\r\n\r\n\xff\0\r\n", [["GET", "\r\n\xff\0"]]],
  ["*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\nc d\r\n", [["a"], ["b"], ["c", "d"]]],
  ["*0\r\n*-1\r\n\r\n*1\r\n$1\r\na\r\n", [["a"]]],
  ['SET  a \'b c\' "d\\x41\\n\\""\n', [["SET", "a", "b c", 'dA\n"']]],
  [`*2\r\n$1\r\na\r\n$100\r\n${"x".repeat(100)}\r\n`, [["a", "x".repeat(100)]]]
]

const wrong: ReadonlyArray<readonly [text: string, problem: string]> = [
  ["*a\r\n", "invalid multibulk length"],
  ["*11\r\n", "invalid multibulk length"],
  ["*99999999999999999\r\n", "invalid multibulk length"],
  ["*1\r\n:1\r\n", "expected '$', got ':'"],
  ["*1\r\n$x\r\n", "invalid bulk length"],
  ["*1\r\n$-1\r\n", "invalid bulk length"],
  ["*1\r\n$101\r\n", "invalid bulk length"],
  ["*1\r\n$1\r\nabc\r\n", "invalid bulk length"],
  [`*3\r\n$90\r\n${"x".repeat(90)}\r\n$90\r\n${"x".repeat(90)}\r\n$90\r\n`, "too big command"],
  ['SET "a\r\n', "unbalanced quotes in request"]
]

describe("commands", () => {
  test.each(sound)("%j", (text, commands) => {
    // In pieces of every size, down to one byte.
    for (let pieces = 1; pieces <= text.length; pieces++)
      expect(read(text, pieces)).toEqual({ commands, problem: undefined })
  })

  test.each(sound)("%j is none until it is whole", (text, commands) => {
    const last = commands.at(-1)!
    expect(read(text.slice(0, -1)).commands).toEqual(commands.slice(0, commands.indexOf(last)))
  })
})

describe("what is wrong", () => {
  test.each(wrong)("%j: %s", (text, problem) => {
    for (let pieces = 1; pieces <= text.length; pieces++) expect(read(text, pieces)).toEqual({ commands: [], problem })
    expect(read(`*1\r\n$1\r\na\r\n${text}*1\r\n$1\r\nb\r\n`).commands).toEqual([["a"]])
  })
})
