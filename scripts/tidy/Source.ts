/**
 * One TypeScript file as the rules see it: what it imports, and its syntax tree. Comments and
 * strings are told apart from code by a real parser, so a rule may name what it forbids.
 */
import { parseSync } from "rolldown/utils"

/** A node of the syntax tree (ESTree); rules look only at fields that they test for. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

export interface Import {
  /** As written: `./Log.ts`, `node:fs`, `effect`; undefined when it is computed. */
  readonly specifier: string | undefined
  /** Erased before it runs: `import type`, `export type`, a type `import("...")`. */
  readonly typeOnly: boolean
  readonly start: number
}

export interface Comment {
  readonly value: string
  readonly start: number
}

export interface Source {
  readonly path: string
  readonly text: string
  readonly program: Node
  readonly comments: ReadonlyArray<Comment>
  readonly imports: ReadonlyArray<Import>
  readonly error: string | undefined
}

export const parse = (path: string, text: string): Source => {
  const { program, comments, errors } = parseSync(path, text, { sourceType: "module" })
  const root = program as unknown as Node
  const imports: Array<Import> = []
  walk(root, (node) => {
    const found = importOf(node)
    if (found !== undefined) imports.push(found)
  })
  return { path, text, program: root, comments, imports, error: errors[0]?.message }
}

/** 1 for the first line. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

/**
 * `import { type A }` counts as an import of values: the names go, but the statement stays
 * and the module is loaded.
 */
const importOf = (node: Node): Import | undefined => {
  const literal = (source: unknown): string | undefined => {
    const value = isNode(source) ? source["value"] : undefined
    return typeof value === "string" ? value : undefined
  }
  switch (node.type) {
    case "ImportDeclaration":
      return { specifier: literal(node["source"]), typeOnly: node["importKind"] === "type", start: node.start }
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
      return isNode(node["source"])
        ? { specifier: literal(node["source"]), typeOnly: node["exportKind"] === "type", start: node.start }
        : undefined
    case "ImportExpression":
      return { specifier: literal(node["source"]), typeOnly: false, start: node.start }
    case "TSImportType":
      return { specifier: literal(node["source"]), typeOnly: true, start: node.start }
    case "TSExternalModuleReference":
      return { specifier: literal(node["expression"]), typeOnly: false, start: node.start }
    case "CallExpression": {
      // A module has no `require` of its own, so a call with anything but a text is some other function.
      const argument = literal((node["arguments"] as ReadonlyArray<unknown>)[0])
      return isIdentifier(node["callee"], "require") && argument !== undefined
        ? { specifier: argument, typeOnly: false, start: node.start }
        : undefined
    }
    default:
      return undefined
  }
}

export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"

export const isIdentifier = (value: unknown, name: string): boolean =>
  isNode(value) && value.type === "Identifier" && value["name"] === name

/** Visits every node, each with the node that holds it and the field in which it does. */
export const walk = (root: Node, visit: (node: Node, parent: Node | undefined, field: string) => void): void => {
  const go = (node: Node, parent: Node | undefined, field: string): void => {
    visit(node, parent, field)
    for (const [name, value] of Object.entries(node)) {
      for (const child of Array.isArray(value) ? (value as ReadonlyArray<unknown>) : [value]) {
        if (isNode(child)) go(child, node, name)
      }
    }
  }
  go(root, undefined, "")
}
