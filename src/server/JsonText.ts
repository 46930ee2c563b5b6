/** What is found out about JSON before it is parsed. A text may be as long as a request: each of its characters is looked at once or twice. */

/** Where the string that begins at `start` ends: at the next quote before which the backslashes are even in number. */
export const endOfString = (text: string, start: number): number => {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return end
  }
  return text.length
}

/**
 * What `token` finds outside of strings. A pattern that matched strings as well would try again behind each quote in one that does not
 * end: a body of some kilobytes would take minutes.
 */
export function* tokensIn(text: string, token: string): Generator<{ readonly token: string; readonly index: number }> {
  const next = new RegExp(`"|${token}`, "g")
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    const [token] = found
    if (token === '"') next.lastIndex = endOfString(text, found.index) + 1
    else yield { token, index: found.index }
  }
}
