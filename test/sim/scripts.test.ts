/**
 * Golden scripts: each must read as it did, and the index of them (test/scripts/README.md) must say
 * what their first lines say. `npm run scripts:update` writes them anew; read the difference, and
 * keep it only if every line can be explained.
 */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import * as Script from "../../src/sim/Script.ts"

const folder = new URL("../scripts/", import.meta.url)
const pathOf = (name: string): string => fileURLToPath(new URL(name, folder))
const textOf = (name: string): string => readFileSync(pathOf(name), "utf8")
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".script"))
  .sort()

for (const name of names) {
  it(name.replaceAll("_", " ").replace(".script", ""), async () => {
    const written = Script.run(textOf(name))
    expect(written).not.toContain("BREAKS THE RULE")
    await expect(written).toMatchFileSnapshot(pathOf(name))
  })
}

/** The remark that a script opens with: what it shows, the rule's source, the numbers of scenarios. */
const opening = (name: string): { readonly shows: string; readonly numbers: ReadonlyArray<number> } => {
  const lines = textOf(name).split("\n")
  const said = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith("#"))
  )
  const text = said.map((line) => line.replace(/^# ?/, "")).join(" ")
  const numbers = [...text.matchAll(/\[(\d+)\]/g)].map(([, number]) => Number(number))
  return { shows: text.replace(/\s*\[\d+\]/g, ""), numbers: [...new Set(numbers)].sort((a, b) => a - b) }
}

describe("the opening of a script", () => {
  it.each(names)("%s gives the source of its rule and the numbers of its scenarios", (name) => {
    const { shows, numbers } = opening(name)
    expect(shows).toMatch(/\.$/)
    expect(textOf(name).split("\n\n")[0]).toMatch(/§|Figure/)
    expect(numbers).not.toEqual([])
    expect(numbers.every((number) => number >= 1 && number <= 159)).toBe(true)
  })
})

it("the index says what the scripts say", async () => {
  const mark = "<!-- from here on generated from the first lines of the scripts -->"
  const [head = ""] = textOf("README.md").split(mark)
  const rows = names.map((name) => {
    const { shows, numbers } = opening(name)
    return `| [${name.replaceAll("_", " ").replace(".script", "")}](${name}) | ${shows} | ${numbers.join(", ")} |`
  })
  const index = ["| script | what it shows | scenarios |", "|---|---|---|", ...rows].join("\n")
  await expect(`${head}${mark}\n\n${index}\n`).toMatchFileSnapshot(pathOf("README.md"))
})
