/**
 * Lines that a person types, with a history and with Tab. The terminal is in raw mode for as long as this lasts, so Ctrl-C is a key like
 * any other and no signal: whoever runs something asks for it.
 */
import { Effect, type Scope } from "effect"
import { createInterface, type Interface } from "node:readline"
import type { Completion } from "./ShellCompletion.ts"

export type Typed =
  | { readonly _tag: "Line"; readonly text: string }
  /** Ctrl-C; what was on the line is gone. */
  | { readonly _tag: "Cancelled" }
  /** Ctrl-D, or the terminal is gone. */
  | { readonly _tag: "End" }

export interface LineEditor {
  readonly read: (prompt: string) => Effect.Effect<Typed>
  /** Ctrl-C while nobody reads a line for a command of its own. Completes once. */
  readonly cancelled: Effect.Effect<void>
}

export interface LineEditorOptions {
  readonly history: ReadonlyArray<string>
  readonly maxHistory: number
  readonly complete: (line: string) => Promise<Completion>
}

export const open = (options: LineEditorOptions): Effect.Effect<LineEditor, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        createInterface({
          input: process.stdin,
          output: process.stdout,
          terminal: true,
          history: [...options.history],
          historySize: options.maxHistory,
          removeHistoryDuplicates: true,
          completer: (line: string, answer: (error: null, result: [Array<string>, string]) => void) =>
            void options.complete(line).then(
              ({ offered, replaced }) => answer(null, [[...offered], replaced]),
              () => answer(null, [[], ""])
            )
        })
      ),
      (lines) => Effect.sync(() => lines.close())
    ),
    editorOf
  )

const editorOf = (lines: Interface): LineEditor => {
  /** Typed ahead, while a command ran. */
  const waiting: Array<string> = []
  let ended = false
  let wake: ((typed: Typed) => void) | undefined
  let cancel: (() => void) | undefined
  const tell = (typed: Typed): void => {
    const reader = wake
    wake = undefined
    reader?.(typed)
  }
  lines.on("line", (text) => {
    if (wake === undefined) waiting.push(text)
    else tell({ _tag: "Line", text })
  })
  lines.on("close", () => {
    ended = true
    tell({ _tag: "End" })
  })
  lines.on("SIGINT", () => {
    process.stdout.write("^C\n")
    // Gone without being drawn once more, which `write` with Ctrl-U would do.
    Object.assign(lines, { line: "", cursor: 0 })
    if (cancel === undefined) tell({ _tag: "Cancelled" })
    else cancel()
  })
  return {
    read: (prompt) =>
      Effect.callback((resume) => {
        const text = waiting.shift()
        if (text !== undefined) return resume(Effect.succeed({ _tag: "Line", text }))
        if (ended) return resume(Effect.succeed({ _tag: "End" }))
        wake = (typed) => resume(Effect.succeed(typed))
        lines.setPrompt(prompt)
        lines.prompt()
        return Effect.sync(() => {
          wake = undefined
        })
      }),
    cancelled: Effect.callback((resume) => {
      cancel = () => {
        cancel = undefined
        resume(Effect.void)
      }
      return Effect.sync(() => {
        cancel = undefined
      })
    })
  }
}
