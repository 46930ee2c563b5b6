/**
 * `src/raft`, `src/kv` and `src/sessions` compute the same on every replica and on every day: no clock, no
 * chance, no locale, no waiting, and no exception but a broken invariant. The compiler keeps most
 * names of IO out of src/raft (`"types": []`); what belongs to the language itself is caught here.
 */
import { posix } from "node:path"
import type { Problem } from "./Problem.ts"
import { isIdentifier, isNode, lineAt, type Node, type Source, walk } from "./Source.ts"

const clocks = ["Date", "performance", "setTimeout", "setInterval", "setImmediate", "queueMicrotask"]
const surroundings = ["process", "console", "fetch", "crypto", "globalThis", "eval"]
const waiting = ["Promise", "WeakRef", "FinalizationRegistry"]
const impureNames = [...clocks, ...surroundings, ...waiting, "Intl"]

/** Their results depend on where they run. */
const localeMembers = ["localeCompare", "toLocaleString", "toLocaleLowerCase", "toLocaleUpperCase"]

export const isPure = (path: string): boolean => /^src\/(raft|kv|sessions)\//.test(path)

export const checkPurity = (source: Source): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  walk(source.program, (node, parent, field) => {
    const name = impurityOf(node, parent, field, source.path)
    if (name === undefined) return
    const line = lineAt(source.text, node.start)
    problems.push({ path: source.path, line, rule: "pure", message: `${name} has no place in a pure module` })
  })
  return problems
}

const impurityOf = (node: Node, parent: Node | undefined, field: string, path: string): string | undefined => {
  switch (node.type) {
    case "Identifier":
      return isReference(parent, field) ? impureNames.find((name) => name === node["name"]) : undefined
    case "MemberExpression": {
      const member = memberOf(node)
      if (isIdentifier(node["object"], "Math") && member === "random") return "Math.random"
      return localeMembers.find((name) => name === member)
    }
    case "AwaitExpression":
      return "await"
    case "ForOfStatement":
      return node["await"] === true ? "await" : undefined
    case "ThrowStatement":
      return posix.basename(path) === "Invariants.ts" ? undefined : "throw (outside Invariants.ts)"
    default:
      return node["async"] === true ? "async" : undefined
  }
}

const memberOf = (node: Node): unknown => {
  const property = node["property"]
  if (!isNode(property)) return undefined
  return node["computed"] === true ? property["value"] : property["name"]
}

/**
 * `state.process` and `{ process: 1 }` name a field of ours, not the global. A shorthand
 * `{ process }` is seen as its value.
 */
const isReference = (parent: Node | undefined, field: string): boolean => {
  if (parent === undefined) return true
  if (parent["computed"] === true) return true
  return field !== "key" && !(parent.type === "MemberExpression" && field === "property")
}
