/**
 * Redis' protocol as clients send it (RESP2 and RESP3 are the same there): arrays of bulk strings, or one line of words. It is fed
 * with what a socket gives and gives whole commands; words are views into what it was fed.
 *
 * Source: redis.io/docs/latest/develop/reference/protocol-spec.
 */

export type Words = ReadonlyArray<Buffer>

export interface RespLimits {
  /** Of one word. */
  readonly maxBulkBytes: number
  /** Of one command. */
  readonly maxWords: number
  /** Of a whole command, all its words together: what one client can make us keep. */
  readonly maxCommandBytes: number
}

export const defaultLimits: RespLimits = {
  maxBulkBytes: 1.5 * 1024 * 1024,
  maxWords: 1024 * 1024,
  maxCommandBytes: 16 * 1024 * 1024
}

/** As Redis: longer than any line that means something. */
const maxLineBytes = 64 * 1024

const lineFeed = 0x0a
const carriageReturn = 0x0d
const asterisk = 0x2a
const dollar = 0x24
const digit0 = 0x30
const minus = 0x2d

export class RespParser {
  /** What is wrong with what came, as Redis words it; nothing after it can be read any more. */
  problem: string | undefined
  private readonly limits: RespLimits
  private held: Buffer = Buffer.alloc(0)
  private at = 0
  private words: Array<Buffer> = []
  /** Words that the command still lacks; 0 between commands. */
  private missing = 0
  private commandBytes = 0
  /** Of the word whose length was read; -1 where none was. */
  private bulk = -1
  /** So much more is needed before it is worth looking again. */
  private need = 0

  constructor(limits: RespLimits = defaultLimits) {
    this.limits = limits
  }

  /** The commands that are whole by now, in their order. */
  feed(chunk: Buffer): ReadonlyArray<Words> {
    if (this.problem !== undefined) return []
    const rest = this.held.length - this.at
    this.held = rest === 0 ? chunk : Buffer.concat([this.held.subarray(this.at), chunk])
    this.at = 0
    if (this.held.length < this.need) return []
    this.need = 0
    const commands: Array<Words> = []
    for (;;) {
      const command = this.next()
      if (command === undefined) return commands
      if (command.length > 0) commands.push(command)
    }
  }

  /** `undefined` where more has to come; an empty one means nothing. */
  private next(): Words | undefined {
    if (this.missing === 0) {
      if (this.at >= this.held.length) return undefined
      if (this.held[this.at] !== asterisk) return this.inline()
      const count = this.number()
      if (count === undefined) return undefined
      if (Number.isNaN(count) || count > this.limits.maxWords) return this.fail("invalid multibulk length")
      if (count <= 0) return []
      this.missing = count
      this.words = []
      this.commandBytes = 0
    }
    while (this.missing > 0) {
      const word = this.word()
      if (word === undefined) return undefined
      this.words.push(word)
      this.missing--
    }
    return this.words
  }

  private word(): Buffer | undefined {
    if (this.bulk < 0) {
      if (this.at >= this.held.length) return undefined
      const first = this.held[this.at]!
      if (first !== dollar) return this.fail(`expected '$', got '${String.fromCharCode(first).replace(/[^ -~]/, "?")}'`)
      const length = this.number()
      if (length === undefined) return undefined
      if (Number.isNaN(length) || length < 0 || length > this.limits.maxBulkBytes)
        return this.fail("invalid bulk length")
      this.commandBytes += length
      if (this.commandBytes > this.limits.maxCommandBytes) return this.fail("too big command")
      this.bulk = length
    }
    const end = this.at + this.bulk
    if (this.held.length < end + 2) {
      // A large word comes in many chunks: they are joined only now and then, not each time.
      this.need = Math.min(end + 2 - this.at, Math.max(2 * (this.held.length - this.at), 64 * 1024))
      return undefined
    }
    if (this.held[end] !== carriageReturn || this.held[end + 1] !== lineFeed) return this.fail("invalid bulk length")
    const word = this.held.subarray(this.at, end)
    this.at = end + 2
    this.bulk = -1
    return word
  }

  /** The number of a line such as `*3\r\n`; NaN for one that is none. */
  private number(): number | undefined {
    let at = this.at + 1
    let value = 0
    const negative = this.held[at] === minus
    if (negative) at++
    const begin = at
    for (; at < this.held.length; at++) {
      const digit = this.held[at]! - digit0
      if (digit < 0 || digit > 9) break
      if (at - begin > 15) return Number.NaN
      value = value * 10 + digit
    }
    if (at + 1 >= this.held.length) return this.held.length - this.at > 32 ? Number.NaN : undefined
    if (at === begin || this.held[at] !== carriageReturn || this.held[at + 1] !== lineFeed) return Number.NaN
    this.at = at + 2
    return negative ? -value : value
  }

  /** For people with telnet, and for load generators. */
  private inline(): Words | undefined {
    const end = this.held.indexOf(lineFeed, this.at)
    if (end < 0) {
      return this.held.length - this.at > maxLineBytes ? this.fail("too big inline request") : undefined
    }
    const line = this.held.subarray(this.at, this.held[end - 1] === carriageReturn && end > this.at ? end - 1 : end)
    this.at = end + 1
    const words = wordsOf(line.toString("latin1"))
    return words === undefined
      ? this.fail("unbalanced quotes in request")
      : words.map((word) => Buffer.from(word, "latin1"))
  }

  private fail(problem: string): undefined {
    this.problem = problem
    this.held = Buffer.alloc(0)
    this.at = 0
    return undefined
  }
}

const escapes: { readonly [letter: string]: string } = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" }

/** As Redis splits a line: quotes of either kind, escapes in double ones. `undefined` where quotes do not match. */
const wordsOf = (line: string): ReadonlyArray<string> | undefined => {
  const words: Array<string> = []
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|'((?:[^'\\]|\\.)*)'(?=\s|$)|([^\s"']\S*)|$)/sy
  while (pattern.lastIndex < line.length) {
    const found = pattern.exec(line)
    if (found === null) return undefined
    const [, double, single, bare] = found
    if (double !== undefined) words.push(unescaped(double))
    else if (single !== undefined) words.push(single.replaceAll("\\'", "'"))
    else if (bare !== undefined) words.push(bare)
    else break
  }
  return words
}

const unescaped = (text: string): string =>
  text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/gs, (_, hex: string | undefined, letter: string | undefined) =>
    hex === undefined ? (escapes[letter!] ?? letter!) : String.fromCharCode(Number.parseInt(hex, 16))
  )
