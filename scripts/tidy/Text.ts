/**
 * Rules about files as such: their names, their length, their first words, and what must stand
 * in none of them.
 */
import { posix } from "node:path"
import { type Lock, missingOptionals } from "../lock.ts"
import type { Problem } from "./Problem.ts"
import { isIdentifier, isNode, lineAt, type Node, type Source, walk } from "./Source.ts"

const lengthToWarn = 200
const lengthToFail = 300
const testLengthToFail = 500

const linesOf = (text: string): number => text.split("\n").length - (text.endsWith("\n") ? 1 : 0)

export const checkLength = ({ path, text, comments }: Source): ReadonlyArray<Problem> => {
  const lines = linesOf(text)
  if (path.startsWith("test/")) {
    return lines > testLengthToFail
      ? [
          {
            path,
            line: testLengthToFail,
            rule: "length",
            message: `${lines} lines; a test file has at most ${testLengthToFail}`
          }
        ]
      : []
  }
  if (!path.startsWith("src/") || lines <= lengthToWarn) return []
  if (lines <= lengthToFail) {
    const message = `${lines} lines; aim for ${lengthToWarn}`
    return [{ path, line: lengthToWarn, rule: "length", message, warning: true }]
  }
  if (/^[\s*]*Long because: \S/m.test(comments[0]?.value ?? "")) return []
  const message = `${lines} lines; split it, or say "Long because: ..." in its first comment`
  return [{ path, line: lengthToFail, rule: "length", message }]
}

/** The first comment says what the module is for, before anything else. */
export const checkOpening = ({ path, comments, program, text }: Source): ReadonlyArray<Problem> => {
  const first = comments[0]
  const statement = (program["body"] as ReadonlyArray<Node>)[0]
  const opens = first !== undefined && (statement === undefined || first.start < statement.start)
  const blank = first === undefined || first.value.replace(/[\s*]/g, "") === ""
  if (opens && !blank) return []
  const line = statement === undefined ? 1 : lineAt(text, statement.start)
  return [{ path, line, rule: "opening", message: "a module opens with a comment that says what it is for" }]
}

export const checkName = (path: string): ReadonlyArray<Problem> =>
  path.split("/").some((part) => /^(utils?|helpers?|common|misc)(\.|$)/i.test(part))
    ? [{ path, line: 1, rule: "name", message: `${posix.basename(path)} says nothing: name the noun that it is about` }]
    : []

/** A promise to do it later belongs on an issue, where somebody reads it. */
const promises = /\b(TODO|FIXME|XXX)\b/

export const checkPromises = ({ path, text, comments }: Source): ReadonlyArray<Problem> =>
  comments.flatMap((comment) => {
    const found = promises.exec(comment.value)
    if (found === null) return []
    // A comment's text begins after its two opening characters.
    const line = lineAt(text, comment.start + 2 + found.index)
    return [{ path, line, rule: "word", message: `${found[1]}: do it, or open an issue` }]
  })

const folders = ["work", "home", "root", "farm", "tmp"].join("|")
const machinePath = new RegExp(`(?<![\\w.$})\\]~-])/(${folders})/`)

export const checkMachinePaths = (path: string, text: string): ReadonlyArray<Problem> =>
  text.split("\n").flatMap((content, index) => {
    const found = machinePath.exec(content)
    if (found === null) return []
    const instead = found[1] === "tmp" ? "ask os.tmpdir() (or mktemp) for a place" : "no other machine has it"
    return [{ path, line: index + 1, rule: "path", message: `${found[0]} is a path of one machine: ${instead}` }]
  })

/** A test that is switched off, switches others off, or cannot fail. */
export const checkTests = (source: Source): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  walk(source.program, (node) => {
    const message = idleOf(node)
    if (message === undefined) return
    problems.push({ path: source.path, line: lineAt(source.text, node.start), rule: "test", message })
  })
  return problems
}

const idleOf = (node: Node): string | undefined => {
  if (node.type === "MemberExpression" && isSuite(node["object"])) {
    const property = node["property"]
    const name = ["only", "skip", "todo"].find((word) => isIdentifier(property, word))
    return name === undefined ? undefined : `.${name} must not be committed`
  }
  if (node.type === "CallExpression" && ["expect", "assert"].some((name) => isIdentifier(node["callee"], name))) {
    const argument = (node["arguments"] as ReadonlyArray<unknown>)[0]
    return isNode(argument) && argument["value"] === true ? "asserting a literal true cannot fail" : undefined
  }
  return undefined
}

/** `it`, `test`, `describe`, and what hangs on them: `it.effect`, `describe.each(...)`. */
const isSuite = (node: unknown): boolean => {
  if (!isNode(node)) return false
  if (node.type === "MemberExpression") return isSuite(node["object"])
  if (node.type === "CallExpression") return isSuite(node["callee"])
  return ["it", "test", "describe"].some((name) => isIdentifier(node, name))
}

export const checkLock = (path: string, text: string): ReadonlyArray<Problem> => {
  const addresses = text
    .split("\n")
    .flatMap((content, index) =>
      /^\s*"resolved":/.test(content)
        ? [{ path, line: index + 1, rule: "lock", message: "a download address: run `node scripts/lock.ts`" }]
        : []
    )
  const missing = missingOptionals(JSON.parse(text) as Lock)
  if (missing[0] === undefined) return addresses
  const { name, version } = missing[0]
  const others = missing.length > 1 ? ` and ${missing.length - 1} more` : ""
  const message = `no ${name}@${version}${others}, so npm ci will refuse: run \`node scripts/lock.ts\``
  return [...addresses, { path, line: 1, rule: "lock", message }]
}
