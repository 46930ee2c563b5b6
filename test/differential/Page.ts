/** The table of docs/etcd-compatibility.md that is made of the list of differences. */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { listed } from "./Differences.ts"

const file = fileURLToPath(new URL("../../docs/etcd-compatibility.md", import.meta.url))
const begin = "<!-- differences: made by `npm run differential -- --page` -->"
const end = "<!-- end of differences -->"

/** What the page has now, and what it should have; whole. */
export const page = (): { readonly is: string; readonly shouldBe: string } => {
  const is = readFileSync(file, "utf8")
  const [before, rest] = [is.indexOf(begin), is.indexOf(end)]
  if (before < 0 || rest < 0) throw new Error(`${file} has no place for the differences: ${begin} ... ${end}`)
  return { is, shouldBe: `${is.slice(0, before)}${begin}\n\n${table()}\n\n${is.slice(rest)}` }
}

export const write = (): void => writeFileSync(file, page().shouldBe)

const table = (): string => {
  const rows = listed.map(({ request, etcd, balsa, reason }) => [request, etcd, balsa, reason])
  const head = ["Request", "etcd 3.4.23", "Balsa", "Why"]
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => row[at]!.length)))
  const line = (cells: ReadonlyArray<string>): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(" | ")} |`
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n")
}
