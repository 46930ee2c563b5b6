/**
 * A line of text as the words that a shell would make of it: blanks part them, quotes hold them together, `#` at the beginning of a
 * word begins a comment. Nothing is expanded: no variables, no patterns.
 */
import { Result } from "effect"

export interface Word {
  readonly text: string
  /** Of its first character, counted from 1. */
  readonly column: number
}

export interface WordError {
  readonly column: number
  /** Completes "at column 7: ". */
  readonly message: string
}

/**
 * What a backslash between double quotes does. In `sh` it only takes the meaning from `"`, `\`, `$` and a backquote; with `go`, as in
 * etcdctl's transactions, `\n`, `\t`, `\x41` and the like stand for a character.
 */
export type DoubleQuotes = "sh" | "go"

export const parse = (line: string, doubleQuotes: DoubleQuotes): Result.Result<ReadonlyArray<Word>, WordError> => {
  const words: Array<Word> = []
  let at = 0
  while (true) {
    while (at < line.length && isBlank(line[at]!)) at++
    if (at >= line.length || line[at] === "#") return Result.succeed(words)
    const read = readWord(line, at, doubleQuotes)
    if (Result.isFailure(read)) return Result.fail(read.failure)
    words.push({ text: read.success.text, column: at + 1 })
    at = read.success.end
  }
}

interface Read {
  readonly text: string
  readonly end: number
}

type Reading = Result.Result<Read, WordError>

const isBlank = (character: string): boolean => /\s/.test(character)

const readWord = (line: string, start: number, doubleQuotes: DoubleQuotes): Reading => {
  let text = ""
  let at = start
  while (at < line.length && !isBlank(line[at]!)) {
    const part = readPart(line, at, doubleQuotes)
    if (Result.isFailure(part)) return part
    text += part.success.text
    at = part.success.end
  }
  return Result.succeed({ text, end: at })
}

const readPart = (line: string, at: number, doubleQuotes: DoubleQuotes): Reading => {
  switch (line[at]) {
    case "'": {
      const end = line.indexOf("'", at + 1)
      return end < 0 ? unclosed(at, "'") : Result.succeed({ text: line.slice(at + 1, end), end: end + 1 })
    }
    case '"':
      return readQuoted(line, at, doubleQuotes)
    case "\\":
      return at + 1 < line.length
        ? Result.succeed({ text: line[at + 1]!, end: at + 2 })
        : fail(at, "nothing follows the backslash")
    default:
      return Result.succeed({ text: line[at]!, end: at + 1 })
  }
}

/** From the opening double quote at `at` to the closing one. */
export const readQuoted = (line: string, at: number, doubleQuotes: DoubleQuotes): Reading => {
  let text = ""
  let next = at + 1
  while (next < line.length && line[next] !== '"') {
    if (line[next] !== "\\") {
      text += line[next++]
      continue
    }
    const escape = doubleQuotes === "sh" ? readShEscape(line, next) : readGoEscape(line, next)
    if (Result.isFailure(escape)) return escape
    text += escape.success.text
    next = escape.success.end
  }
  return next < line.length ? Result.succeed({ text, end: next + 1 }) : unclosed(at, '"')
}

const readShEscape = (line: string, at: number): Reading => {
  const next = line[at + 1] ?? ""
  return Result.succeed({ text: '"\\$`'.includes(next) && next !== "" ? next : `\\${next}`, end: at + 2 })
}

const simpleEscapes: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
  "'": "'"
}

const readGoEscape = (line: string, at: number): Reading => {
  const simple = simpleEscapes[line[at + 1] ?? ""]
  if (simple !== undefined) return Result.succeed({ text: simple, end: at + 2 })
  const match = /^\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(line.slice(at))
  if (match === null) return fail(at, `"${line.slice(at, at + 2)}" is no escape; a backslash itself is written \\\\`)
  const [all, hex, octal, ...unicode] = match
  const code = octal === undefined ? Number.parseInt(hex ?? unicode[0] ?? unicode[1]!, 16) : Number.parseInt(octal, 8)
  // In Go the first two are bytes, which need not be text.
  if ((hex !== undefined || octal !== undefined) && code > 0x7f) {
    return fail(
      at,
      `${all} is a byte and no character; here only text can be written, such as \\u00${code.toString(16)}`
    )
  }
  return code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)
    ? fail(at, `${all} is no character`)
    : Result.succeed({ text: String.fromCodePoint(code), end: at + all.length })
}

const fail = (at: number, message: string): Result.Result<never, WordError> => Result.fail({ column: at + 1, message })

const unclosed = (at: number, quote: string): Result.Result<never, WordError> =>
  fail(at, `the quote ${quote} is not closed`)

/** As `parse` takes it for one word, for what completion puts in. */
export const quote = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
