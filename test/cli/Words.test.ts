/** A line as words: quotes and escapes in both dialects, and where a mistake is. */
import { Result } from "effect"
import { describe, expect, test } from "vitest"
import * as Words from "../../src/cli/Words.ts"

const words = (line: string, quotes: Words.DoubleQuotes = "sh") =>
  Result.match(Words.parse(line, quotes), {
    onSuccess: (found) => found.map(({ text }) => text),
    onFailure: ({ column, message }) => `${column}: ${message}`
  })

describe("as sh has them", () => {
  test.each([
    ["", []],
    ["  \t ", []],
    ["a  b\tc ", ["a", "b", "c"]],
    [`'one two' "three four"`, ["one two", "three four"]],
    [`''`, [""]],
    [`"" x`, ["", "x"]],
    [`a'b'"c"d`, ["abcd"]],
    [`a\\ b`, ["a b"]],
    [`'it'\\''s'`, ["it's"]],
    [`"say \\"hi\\" \\n \\$HOME"`, [`say "hi" \\n $HOME`]],
    ["a # b", ["a"]],
    ["a#b '#c'", ["a#b", "#c"]],
    ["# nothing", []],
    ["$HOME *", ["$HOME", "*"]]
  ])("%j", (line, expected) => {
    expect(words(line)).toEqual(expected)
  })
})

describe("as etcdctl has double quotes in a transaction", () => {
  test.each([
    [`"a\\nb\\t\\"\\x41\\101\\u00e9"`, [`a\nb\t"AAé`]],
    [`'a\\nb'`, ["a\\nb"]],
    [`"\\xff"`, "2: \\xff is a byte and no character; here only text can be written, such as \\u00ff"],
    [`"\\q"`, `2: "\\q" is no escape; a backslash itself is written \\\\`],
    [`"\\ud800"`, "2: \\ud800 is no character"]
  ])("%j", (line, expected) => {
    expect(words(line, "go")).toEqual(expected)
  })
})

test.each([
  [`put a "b`, '7: the quote " is not closed'],
  [`put 'a b`, "5: the quote ' is not closed"],
  ["put \\", "5: nothing follows the backslash"]
])("%j says where", (line, expected) => {
  expect(words(line)).toBe(expected)
})

test("columns are those of the first characters", () => {
  const found = Result.getOrThrow(Words.parse(`  a 'b c'  d`, "sh"))
  expect(found.map(({ column }) => column)).toEqual([3, 5, 12])
})

test.each(["a", "a/b-c.d", "a b", "it's", "", "$x", "#", "é", `"`])("%j is quoted so that it is read again", (text) => {
  expect(words(`x ${Words.quote(text)}`)).toEqual(["x", text])
})
