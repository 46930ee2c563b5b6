/**
 * The rules of the house that no other tool knows: which way imports point, what a pure module
 * may name, how long a file may be. Prints a line for each problem and exits with 1 if there
 * are any; changes nothing.
 *
 *   node scripts/tidy.ts
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { checkArrows } from "./tidy/Arrows.ts"
import type { Problem } from "./tidy/Problem.ts"
import { checkPurity, isPure } from "./tidy/Purity.ts"
import { parse } from "./tidy/Source.ts"
import * as Text from "./tidy/Text.ts"

/** Paths relative to the project, with `/`, and what the files hold. */
export type Tree = ReadonlyMap<string, string>

export const check = (tree: Tree): ReadonlyArray<Problem> => {
  const dependencies = dependenciesOf(tree.get("package.json"))
  return [...tree].flatMap(([path, text]) => [
    ...Text.checkName(path),
    ...Text.checkMachinePaths(path, text),
    ...(path === "package-lock.json" ? Text.checkLock(path, text) : []),
    ...(path.endsWith(".ts") ? checkModule(path, text, dependencies) : [])
  ])
}

const checkModule = (path: string, text: string, dependencies: ReadonlyArray<string>): ReadonlyArray<Problem> => {
  const source = parse(path, text)
  if (source.error !== undefined) return [{ path, line: 1, rule: "syntax", message: source.error }]
  const inSource = path.startsWith("src/")
  return [
    ...Text.checkLength(source),
    ...Text.checkPromises(source),
    ...(inSource ? Text.checkOpening(source) : []),
    ...(inSource ? checkArrows(source, dependencies) : []),
    ...(isPure(path) ? checkPurity(source) : []),
    ...(path.startsWith("test/") ? Text.checkTests(source) : [])
  ]
}

const dependenciesOf = (manifest: string | undefined): ReadonlyArray<string> => {
  const { dependencies, peerDependencies } = JSON.parse(manifest ?? "{}") as Record<string, object | undefined>
  return Object.keys({ ...dependencies, ...peerDependencies })
}

/** `src/raft/Log.ts:7 arrow: raft must not import codec`, and a count. */
export const report = (problems: ReadonlyArray<Problem>): ReadonlyArray<string> => {
  const failures = problems.filter(({ warning }) => warning === undefined).length
  return [
    ...problems.map(
      ({ path, line, rule, message, warning }) => `${path}:${line} ${warning ? "warning " : ""}${rule}: ${message}`
    ),
    `tidy: ${failures} ${failures === 1 ? "problem" : "problems"}, ${problems.length - failures} warnings`
  ]
}

const ignored = ["node_modules", "dist", "coverage", "balsa-data", ".git"]

export const readTree = (root: string): Tree => {
  const tree = new Map<string, string>()
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (ignored.includes(entry.name)) continue
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) visit(path)
      else if (entry.isFile()) {
        const text = readFileSync(join(root, path), "utf8")
        if (!text.includes("\0")) tree.set(path, text)
      }
    }
  }
  visit("")
  return tree
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = check(readTree(fileURLToPath(new URL("..", import.meta.url))))
  for (const line of report(problems)) console.log(line)
  process.exitCode = problems.some(({ warning }) => warning === undefined) ? 1 : 0
}
