/** Redis' patterns of keys: `*`, `?`, `[a-z]`, `[^a]`, and `\` before what is meant as it is. */
export interface Glob {
  /** What every key that fits begins with. */
  readonly prefix: string
  readonly fits: (key: string) => boolean
}

export const parse = (pattern: string): Glob => {
  let source = ""
  let prefix = ""
  let isPrefix = true
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === "*" || character === "?") {
      isPrefix = false
      source += character === "*" ? "[^]*" : "[^]"
    } else if (character === "[") {
      isPrefix = false
      const end = endOfClass(pattern, at)
      source += classOf(pattern.slice(at + 1, end))
      at = end
    } else {
      const literal = character === "\\" && at + 1 < pattern.length ? pattern[++at]! : character
      if (isPrefix) prefix += literal
      source += escaped(literal)
    }
  }
  const expression = new RegExp(`^${source}$`)
  return { prefix, fits: (key) => expression.test(key) }
}

/** Where the bracket closes, or the end of the pattern. */
const endOfClass = (pattern: string, from: number): number => {
  let at = from + 1
  while (at < pattern.length && pattern[at] !== "]") at += pattern[at] === "\\" ? 2 : 1
  return Math.min(at, pattern.length)
}

const classOf = (inner: string): string => {
  const isNot = inner.startsWith("^")
  const body = isNot ? inner.slice(1) : inner
  if (body === "") return isNot ? "[^]" : "[]"
  let source = ""
  for (let at = 0; at < body.length; at++) {
    const low = body[at] === "\\" && at + 1 < body.length ? body[++at]! : body[at]!
    if (body[at + 1] === "-" && at + 2 < body.length) {
      const high = body[at + 2]!
      at += 2
      source += low <= high ? `${escaped(low)}-${escaped(high)}` : `${escaped(high)}-${escaped(low)}`
    } else source += escaped(low)
  }
  return `[${isNot ? "^" : ""}${source}]`
}

const escaped = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0").slice(-2)}`
