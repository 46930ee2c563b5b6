/**
 * Loaded before all else (`node --import`) in a process that shall run with one bug in it: what
 * the mutant names in src/raft or src/kv is changed on its way from the disk into memory, so there is
 * no mutated copy that could be mistaken for the source. Tests of the core that are loaded
 * here get `describe` and `test` from Collection.ts: they are run by this process itself.
 *
 * With no mutant named, nothing is changed: that is the control.
 */
import { readdirSync, readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { apply } from "./Mutant.ts"
import { mutants } from "./Mutants.ts"

const source = new URL("../../src/", import.meta.url)
const collection = new URL("Collection.ts", import.meta.url).href

const name = process.env["BALSA_MUTANT"] ?? ""
const chosen = mutants.find((mutant) => mutant.name === name)
if (name !== "" && chosen === undefined) throw new Error(`there is no mutant "${name}"`)

/** All that the mutant changes, by address. Made at once: a patch that does not apply must not go unnoticed. */
const changed = new Map<string, string>()
if (chosen !== undefined) {
  const folder = new URL(`${chosen.part}/`, source)
  const files = readdirSync(folder)
  for (const { file } of chosen.patches) {
    if (!files.includes(file)) throw new Error(`mutant "${name}" does not apply: there is no ${file}`)
    const text = apply(chosen, file, readFileSync(new URL(file, folder), "utf8"))
    if (text === undefined) throw new Error(`mutant "${name}" changes nothing in ${file}`)
    changed.set(new URL(file, folder).href, text)
  }
}

const runners = ["vitest", "@effect/vitest"]

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    runners.includes(specifier) && context.parentURL !== collection
      ? { url: collection, shortCircuit: true }
      : nextResolve(specifier, context),
  load: (url, context, nextLoad) => {
    const source = changed.get(url)
    return source === undefined ? nextLoad(url, context) : { format: "module-typescript", source, shortCircuit: true }
  }
})
