/** A program that runs while a test looks at what it has said so far, and says something to it. */
import type { ChildProcess } from "node:child_process"

export class Conversation {
  out = ""
  err = ""
  readonly ended: Promise<number | null>
  readonly #child: ChildProcess
  readonly #listeners = new Set<() => void>()

  constructor(child: ChildProcess) {
    this.#child = child
    child.stdout!.on("data", (piece) => {
      this.out += String(piece)
      this.#tell()
    })
    child.stderr!.on("data", (piece) => {
      this.err += String(piece)
      this.#tell()
    })
    this.ended = new Promise((resolve) => {
      child.on("close", (code) => {
        resolve(code)
        this.#tell()
      })
    })
  }

  /** Until standard output, or with `err` standard error, has it. Fails when the program has ended without. */
  async said(what: RegExp | ((text: string) => boolean), where: "out" | "err" = "out"): Promise<void> {
    const has = (): boolean => (what instanceof RegExp ? what.test(this[where]) : what(this[where]))
    while (!has()) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        await this.ended
        if (has()) return
        throw new Error(`ended (${this.#child.exitCode}) without ${what}:\n${this.out}\n${this.err}`)
      }
      await new Promise<void>((resolve) => {
        this.#listeners.add(resolve)
      })
    }
  }

  say(text: string): void {
    this.#child.stdin!.write(text)
  }

  /** No more is said. */
  endInput(): void {
    this.#child.stdin!.end()
  }

  /** With how it ended. */
  async end(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    this.#child.kill(signal)
    return this.ended
  }

  #tell(): void {
    for (const wake of this.#listeners) wake()
    this.#listeners.clear()
  }
}
