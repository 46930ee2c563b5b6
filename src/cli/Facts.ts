/** What is known of one thing, as names and values: in columns for people, a pair on each line for scripts, or JSON. */
import type { OutputFormat } from "./ClientOptions.ts"
import * as Table from "./Table.ts"

export type Fact = readonly [name: string, value: string | number | boolean | null | ReadonlyArray<string>]

export const render = (facts: ReadonlyArray<Fact>, format: OutputFormat): string => {
  switch (format) {
    case "json":
    case "jsonl":
      return `${JSON.stringify(Object.fromEntries(facts))}\n`
    case "plain":
      return facts.map(([name, value]) => `${name}\t${show(value)}\n`).join("")
    case "table":
      return Table.render(
        ["FIELD", "VALUE"],
        facts.map(([name, value]) => [name, show(value)])
      )
  }
}

const show = (value: Fact[1]): string =>
  Array.isArray(value) && value.length > 0
    ? value.join(", ")
    : value === null || Array.isArray(value)
      ? "-"
      : String(value)
