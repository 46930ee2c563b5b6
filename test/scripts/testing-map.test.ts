/** docs/testing.md is a map: what it names must exist, and no scenario, invariant or bug may be missing on it. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const root = new URL("../../", import.meta.url)
const page = readFileSync(new URL("docs/testing.md", root), "utf8")

/** What stands in backticks, as a path from the top; `undefined` where it is no name of a file. */
const pathOf = (name: string): string | undefined => {
  if (/^(src|test|scripts|docs)\/[\w./-]*\w$/.test(name)) return name
  if (/^[\w-]+(\/[\w-]+)*(\.test)?\.ts$/.test(name)) return `test/${name}`
  if (/^[a-z]+(_[a-z0-9]+)+$/.test(name)) return `test/scripts/${name}.script`
  return undefined
}

const rows = page.split("\n").filter((line) => line.startsWith("| "))
const first = (row: string): string => row.split("|")[1]!.trim()

describe("the map of the tests", () => {
  const paths = [...page.matchAll(/`([^`\n]+)`/g)].flatMap(([, name]) => pathOf(name!) ?? [])

  it("names files that exist", () => {
    expect(paths.length).toBeGreaterThan(300)
    const missing = paths.filter((path) => !existsSync(fileURLToPath(new URL(path, root))))
    expect(missing).toEqual([])
  })

  it("has a row for every scenario, which names a test or says what it waits for", () => {
    for (let number = 1; number <= 159; number++) {
      const found = rows.filter((row) => first(row) === `${number}`)
      expect(found, `scenario ${number}`).toHaveLength(1)
      expect(found[0], `scenario ${number}`).toMatch(/\.test\.ts`|[a-z]_[a-z]+`|not yet: /)
    }
  })

  it("has a row for every invariant", () => {
    for (let number = 1; number <= 22; number++) {
      expect(
        rows.filter((row) => first(row) === `I${number}`),
        `I${number}`
      ).toHaveLength(1)
    }
  })
})
