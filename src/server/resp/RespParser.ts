/**
 * Redis' protocol as clients send it (RESP2 and RESP3 are the same there): arrays of bulk strings, or one line of words. It is fed
 * with what a socket gives and finds whole commands; words are views into what it was fed, made for who asks for them.
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
const smallLetter = 0x20

/** What a line says instead of a number from 0 on: one below 0, no number, or not its end yet. */
const belowZero = -1
const noNumber = -2
const notWhole = -3

/** Beyond so many, room for the places of words is not kept for the next command. */
const keptPlaces = 1024

const nothing: Buffer = Buffer.alloc(0)

/** A name of three letters as one number, whatever their case. */
export const markOf = (name: Uint8Array, at = 0): number =>
  ((name[at]! | smallLetter) << 16) | ((name[at + 1]! | smallLetter) << 8) | (name[at + 2]! | smallLetter)

export class RespParser {
  /** What is wrong with what came, as Redis words it; nothing after it can be read any more. */
  problem: string | undefined
  private readonly limits: RespLimits
  private held: Buffer = nothing
  private at = 0
  /** What came after it, which is joined with it once there is as much as needed. */
  private later: Array<Buffer> = []
  private laterBytes = 0
  private need = 0
  /** Words of the command that came before what is held. */
  private early: Array<Buffer> = []
  /** Where the others begin and end in it: only who asks for a word gets a view. */
  private places: Array<number> = []
  private placed = 0
  /** Words that the command still lacks; 0 between commands. */
  private missing = 0
  private commandBytes = 0
  /** Of the word whose length was read; -1 where none was. */
  private bulk = -1

  constructor(limits: RespLimits = defaultLimits) {
    this.limits = limits
  }

  /** To be followed by calls of `next` until it gives false. */
  feed(chunk: Buffer): void {
    if (this.problem !== undefined) return
    const rest = this.held.length - this.at
    if (rest + this.laterBytes === 0) this.held = chunk
    else {
      this.later.push(chunk)
      this.laterBytes += chunk.length
      if (rest + this.laterBytes < this.need) return
      this.held = Buffer.concat([this.held.subarray(this.at), ...this.later])
      this.later = []
      this.laterBytes = 0
    }
    this.at = 0
    this.need = 0
  }

  /** Whether another command is whole. What follows is about it, until the next call. */
  next(): boolean {
    while (this.missing === 0) if (!this.begin()) return this.count > 0
    while (this.missing > 0) {
      if (!this.findWord()) return this.keepWords()
      this.missing--
    }
    return true
  }

  /** How many words it has. */
  get count(): number {
    return this.early.length + this.placed
  }

  /** How many bytes they have. */
  get bytes(): number {
    return this.commandBytes
  }

  /** The first word as `markOf` gives it; 0 where that has not three letters, or is of no use for other reasons. */
  get mark(): number {
    const { held, places, early, placed } = this
    if (early.length > 0 || placed === 0 || places[1]! - places[0]! !== 3) return 0
    return markOf(held, places[0])
  }

  /** A view into what was fed. */
  word(at: number): Buffer {
    const place = 2 * (at - this.early.length)
    return place < 0 ? this.early[at]! : this.held.subarray(this.places[place], this.places[place + 1])
  }

  /** The same as text, one byte a unit. */
  text(at: number): string {
    const place = 2 * (at - this.early.length)
    return place < 0
      ? this.early[at]!.toString("latin1")
      : this.held.toString("latin1", this.places[place], this.places[place + 1])
  }

  get words(): Words {
    return Array.from({ length: this.count }, (_, at) => this.word(at))
  }

  /** False where there is nothing to begin with, or where it was a line and is whole already. */
  private begin(): boolean {
    this.forgetWords()
    if (this.at >= this.held.length) return false
    if (this.held[this.at] !== asterisk) return this.inline()
    const count = this.number()
    if (count === notWhole) return false
    if (count === noNumber || count > this.limits.maxWords) return this.fail("invalid multibulk length")
    // None at all means nothing.
    this.missing = Math.max(count, 0)
    return true
  }

  private forgetWords(): void {
    if (this.early.length > 0) this.early = []
    if (this.placed > keptPlaces) this.places = []
    this.placed = 0
    this.commandBytes = 0
  }

  /** What is held will be replaced. */
  private keepWords(): false {
    const { held, places } = this
    for (let at = 0; at < this.placed; at++) this.early.push(held.subarray(places[2 * at], places[2 * at + 1]))
    this.placed = 0
    return false
  }

  private findWord(): boolean {
    const { held } = this
    if (this.bulk < 0) {
      if (this.at >= held.length) return false
      const first = held[this.at]!
      if (first !== dollar) return this.fail(`expected '$', got '${String.fromCharCode(first).replace(/[^ -~]/, "?")}'`)
      const length = this.number()
      if (length === notWhole) return false
      if (length < 0 || length > this.limits.maxBulkBytes) return this.fail("invalid bulk length")
      this.commandBytes += length
      if (this.commandBytes > this.limits.maxCommandBytes) return this.fail("too big command")
      this.bulk = length
    }
    const { at } = this
    const end = at + this.bulk
    if (held.length < end + 2) {
      // A large word comes in many chunks: they are joined only now and then, not each time.
      this.need = Math.min(end + 2 - at, Math.max(2 * (held.length - at), 64 * 1024))
      return false
    }
    if (held[end] !== carriageReturn || held[end + 1] !== lineFeed) return this.fail("invalid bulk length")
    const place = 2 * this.placed++
    this.places[place] = at
    this.places[place + 1] = end
    this.at = end + 2
    this.bulk = -1
    return true
  }

  /** The number of a line such as `*3\r\n`. */
  private number(): number {
    const { held } = this
    let at = this.at + 1
    let value = 0
    const negative = held[at] === minus
    if (negative) at++
    const begin = at
    for (; at < held.length; at++) {
      const digit = held[at]! - digit0
      if (digit < 0 || digit > 9) break
      if (at - begin > 15) return noNumber
      value = value * 10 + digit
    }
    if (at + 1 >= held.length) return held.length - this.at > 32 ? noNumber : notWhole
    if (at === begin || held[at] !== carriageReturn || held[at + 1] !== lineFeed) return noNumber
    this.at = at + 2
    return negative && value > 0 ? belowZero : value
  }

  /** For people with telnet, and for load generators. True where the line has no words and another command may follow. */
  private inline(): boolean {
    const end = this.held.indexOf(lineFeed, this.at)
    if (end < 0) return this.held.length - this.at > maxLineBytes && this.fail("too big inline request")
    const line = this.held.subarray(this.at, this.held[end - 1] === carriageReturn && end > this.at ? end - 1 : end)
    this.at = end + 1
    const words = wordsOf(line.toString("latin1"))
    if (words === undefined) return this.fail("unbalanced quotes in request")
    this.early = words.map((word) => Buffer.from(word, "latin1"))
    this.commandBytes = this.early.reduce((sum, word) => sum + word.length, 0)
    return words.length === 0
  }

  private fail(problem: string): false {
    this.problem = problem
    this.held = nothing
    this.at = 0
    this.missing = 0
    this.forgetWords()
    return false
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
