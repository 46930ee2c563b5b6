/**
 * A comparison as etcdctl writes it: `mod("key") > "0"`. What may stand in front of the bracket is value, version, create, mod or
 * lease, or its abbreviation; quotes may be left out where no blank is.
 */
import { Result } from "effect"
import * as Compare from "../client/Compare.ts"
import * as LeaseText from "./LeaseText.ts"
import * as Words from "./Words.ts"

type Parsed<A> = Result.Result<A, Words.WordError>

const example = `write for example: mod("key") > "0"`

/** By what it compares, and all names of that. */
const targets: ReadonlyMap<string, "value" | "version" | "create" | "mod" | "lease"> = new Map([
  ["val", "value"],
  ["value", "value"],
  ["ver", "version"],
  ["version", "version"],
  ["c", "create"],
  ["create", "create"],
  ["m", "mod"],
  ["mod", "mod"],
  ["lease", "lease"]
])

const operators = new Map([
  ["=", "equals"],
  ["==", "equals"],
  ["!=", "differs"],
  [">", "greater"],
  ["<", "less"]
] as const)

type Operator = "equals" | "differs" | "greater" | "less"

export const parse = (line: string): Parsed<Compare.Compare> =>
  Result.gen(function* () {
    const head = /^\s*(\w*)\s*/.exec(line)!
    const name = head[1]!
    const target = targets.get(name)
    const nameAt = head[0].search(/\S|$/)
    if (target === undefined) {
      return yield* fail(nameAt, `"${name === "" ? line.trim() : name}" is nothing to compare; ${example}`)
    }
    let at = head[0].length
    if (line[at] !== "(") return yield* fail(at, `"(" and a key must follow ${name}; ${example}`)
    const key = yield* readOperand(line, skip(line, at + 1), ")")
    if (key.text === "") return yield* fail(skip(line, at + 1), "the key is empty; a key has at least one byte")
    at = skip(line, key.end)
    if (line[at] !== ")") return yield* fail(at, `")" is missing behind the key`)
    at = skip(line, at + 1)
    const sign = /^[=!<>]+/.exec(line.slice(at))?.[0] ?? ""
    const operator = operators.get(sign as "=")
    if (operator === undefined) return yield* fail(at, `one of = != > < must stand here; ${example}`)
    at = skip(line, at + sign.length)
    const operand = yield* readOperand(line, at, "")
    const rest = skip(line, operand.end)
    if (rest < line.length) return yield* fail(rest, "this is more than one comparison; each has a line of its own")
    return yield* compare(target, key.text, operator, operand.text, at)
  })

const compare = (
  target: "value" | "version" | "create" | "mod" | "lease",
  key: string,
  operator: Operator,
  operand: string,
  at: number
): Parsed<Compare.Compare> => {
  switch (target) {
    case "value":
      return Result.succeed(Compare.value(key)[operator](operand))
    case "version":
      return Result.map(count(operand, at), (version) => Compare.version(key)[operator](version))
    case "create":
      return Result.map(count(operand, at), (revision) => Compare.createRevision(key)[operator](revision))
    case "mod":
      return Result.map(count(operand, at), (revision) => Compare.modRevision(key)[operator](revision))
    case "lease":
      if (/^0+$/.test(operand)) return Result.succeed(Compare.lease(key)[operator](undefined))
      return Result.mapBoth(LeaseText.parse("txn", "lease", operand), {
        onSuccess: (lease) => Compare.lease(key)[operator](lease),
        onFailure: ({ message }) => ({ column: at + 1, message })
      })
  }
}

const count = (text: string, at: number): Parsed<number> =>
  /^\d{1,15}$/.test(text) ? Result.succeed(Number(text)) : fail(at, `"${text}" is no number, such as "0"`)

/** Quoted, or up to a blank or `until`. */
const readOperand = (
  line: string,
  at: number,
  until: string
): Parsed<{ readonly text: string; readonly end: number }> => {
  if (line[at] === '"') return Words.readQuoted(line, at, "go")
  if (line[at] === "'") {
    const end = line.indexOf("'", at + 1)
    return end < 0
      ? fail(at, "the quote ' is not closed")
      : Result.succeed({ text: line.slice(at + 1, end), end: end + 1 })
  }
  let end = at
  while (end < line.length && !/\s/.test(line[end]!) && line[end] !== until) end++
  return end > at || until !== ""
    ? Result.succeed({ text: line.slice(at, end), end })
    : fail(at, `what is it compared with? ${example}`)
}

const skip = (line: string, at: number): number => {
  let next = at
  while (next < line.length && /\s/.test(line[next]!)) next++
  return next
}

const fail = (at: number, message: string): Result.Result<never, Words.WordError> =>
  Result.fail({ column: at + 1, message })
