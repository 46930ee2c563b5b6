/**
 * What was typed in `balsa shell`, kept between sessions where the XDG specification has such things. Values may be secrets: the file is
 * its owner's alone, and a line that begins with a blank is not kept.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { Environment } from "./Host.ts"

export const maxLines = 1000
/** Longer ones are pasted, not typed. */
const maxLineCharacters = 4000

export interface ShellHistory {
  /** The latest first, as readline has it. */
  readonly lines: ReadonlyArray<string>
  /** Gives the reason why it was not kept. */
  readonly add: (line: string) => string | undefined
}

/** A relative XDG_STATE_HOME does not count, says the specification. */
export const fileIn = (environment: Environment): string => {
  const chosen = environment["XDG_STATE_HOME"]
  const state =
    chosen && path.isAbsolute(chosen) ? chosen : path.join(environment["HOME"] || os.homedir(), ".local/state")
  return path.join(state, "balsa", "history")
}

export const isKept = (line: string): boolean =>
  line.trim() !== "" && !/^\s/.test(line) && line.length <= maxLineCharacters && !line.includes("\n")

export const open = (file: string): ShellHistory => {
  const lines = read(file)
  let last = lines[0]
  return {
    lines,
    add: (line) => {
      if (!isKept(line) || line === last) return undefined
      last = line
      return attempt(() => {
        fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
        fs.appendFileSync(file, `${line}\n`, { mode: 0o600 })
      })
    }
  }
}

/** One that has grown to twice of what is kept is written anew, so that it does not grow for ever. */
const read = (file: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  attempt(() => {
    found.push(...fs.readFileSync(file, "utf8").split("\n").filter(isKept))
    fs.chmodSync(file, 0o600)
    if (found.length <= 2 * maxLines) return
    const fresh = `${file}.${process.pid}`
    fs.writeFileSync(fresh, `${found.slice(-maxLines).join("\n")}\n`, { mode: 0o600 })
    fs.renameSync(fresh, file)
  })
  return found.slice(-maxLines).reverse()
}

const attempt = (steps: () => void): string | undefined => {
  try {
    steps()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
