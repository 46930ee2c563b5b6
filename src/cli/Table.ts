/** Rows for people: columns as wide as their widest cell, and a last one that may run on. */
import { displayWidth } from "effect/cli/CliOutput"

export const render = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = header.map((name, column) =>
    Math.max(displayWidth(name), ...rows.map((row) => displayWidth(row[column] ?? "")))
  )
  return [header, ...rows].map((row) => `${pad(row, widths).trimEnd()}\n`).join("")
}

const pad = (row: ReadonlyArray<string>, widths: ReadonlyArray<number>): string =>
  row.map((cell, column) => cell + " ".repeat(Math.max(0, widths[column]! - displayWidth(cell)))).join("  ")
