/**
 * Runs an example: `npm run example counter`.
 */
import { existsSync, readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = new URL("../examples/", import.meta.url)
const [name = ""] = process.argv.slice(2)
const main = new URL(`${name}/main.ts`, folder)
const names = readdirSync(fileURLToPath(folder), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)

if (names.includes(name) && existsSync(main)) await import(main.href)
else {
  console.error(`npm run example NAME, where NAME is one of: ${names.join(", ")}`)
  process.exitCode = 2
}
