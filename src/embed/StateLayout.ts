/**
 * How a state falls into parts that can be encoded one after the other. A struct falls into its fields; a map, a
 * set, a record or an array, as a field or as the whole state, into its items. All else is one part. So
 * it is the ordinary shape of a large state, a struct of maps, that goes to disk without a pause.
 *
 * A schema with checks or transformations of its own on the whole is not taken apart: they are about the whole.
 */
import { Schema, type SchemaAST } from "effect"
import type { Codec } from "./Definition.ts"
import * as SchemaBytes from "./SchemaBytes.ts"

type Json = SchemaBytes.SchemaJson<unknown>

/** One value, whatever is in it. */
export interface Single {
  readonly _tag: "Single"
  readonly json: Json
}

/** Any number of items, each encoded for itself; those of maps and records are pairs. */
export interface Many {
  readonly _tag: "Many"
  readonly json: Json
  readonly items: (value: unknown) => Iterable<unknown>
  readonly from: (items: ReadonlyArray<unknown>) => unknown
}

export interface Field {
  readonly name: string
  readonly optional: boolean
  readonly part: Single | Many
}

export interface Layout {
  /** Of a struct, in the order of its schema; or one without a name that matters. */
  readonly fields: ReadonlyArray<Field>
  readonly struct: boolean
}

export const of = <S>(schema: Codec<S>): Layout => {
  const { ast } = schema
  const names = fieldsOf(ast)
  return names === undefined
    ? { struct: false, fields: [{ name: "", optional: false, part: partOf(ast) }] }
    : { struct: true, fields: names }
}

const fieldsOf = (ast: SchemaAST.AST): ReadonlyArray<Field> | undefined => {
  if (ast._tag !== "Objects" || !isPlain(ast) || ast.indexSignatures.length > 0) return undefined
  const fields = ast.propertySignatures.map(({ name, type }) => ({
    name: String(name),
    optional: type.context?.isOptional ?? false,
    part: partOf(type)
  }))
  return ast.propertySignatures.every(({ name }) => typeof name === "string") ? fields : undefined
}

const partOf = (ast: SchemaAST.AST): Single | Many => {
  const [first, second] = isPlain(ast) ? itemsOf(ast) : []
  if (first === undefined) return { _tag: "Single", json: jsonOf(ast) }
  if (ast._tag === "Arrays") {
    return {
      _tag: "Many",
      json: jsonOf(first),
      items: (value) => value as ReadonlyArray<unknown>,
      from: (items) => items
    }
  }
  if (second === undefined) {
    const from = (items: ReadonlyArray<unknown>): unknown => new Set(items)
    return { _tag: "Many", json: jsonOf(first), items: (value) => value as ReadonlySet<unknown>, from }
  }
  const pair = SchemaBytes.ofJson<unknown>(
    Schema.Tuple([Schema.make<Codec<unknown>>(first), Schema.make<Codec<unknown>>(second)])
  )
  return ast._tag === "Objects"
    ? {
        _tag: "Many",
        json: pair,
        items: (value) => Object.entries(value as object),
        from: (items) => Object.fromEntries(items as ReadonlyArray<[string, unknown]>)
      }
    : {
        _tag: "Many",
        json: pair,
        items: (value) => value as ReadonlyMap<unknown, unknown>,
        from: (items) => new Map(items as ReadonlyArray<[unknown, unknown]>)
      }
}

/** The schema of an item, or of its key and value, where it is a collection that is nothing else besides. */
const itemsOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  switch (ast._tag) {
    case "Arrays":
      return ast.elements.length === 0 && ast.rest.length === 1 ? ast.rest : []
    case "Objects": {
      const [signature, another] = ast.indexSignatures
      if (signature === undefined || another !== undefined || ast.propertySignatures.length > 0) return []
      return isPlainString(signature.parameter) ? [signature.parameter, signature.type] : []
    }
    case "Declaration":
      return ["effect/schema/ReadonlyMap", "effect/schema/ReadonlySet"].includes(representation(ast))
        ? ast.typeParameters
        : []
    default:
      return []
  }
}

const representation = (ast: SchemaAST.Declaration): string => {
  const found = ast.annotations?.["representation"] as { readonly id?: unknown } | undefined
  return typeof found?.id === "string" ? found.id : ""
}

/** What such keys admit is every own name of an object; others leave some out. */
const isPlainString = (ast: SchemaAST.AST): boolean => ast._tag === "String" && isPlain(ast)

const isPlain = (ast: SchemaAST.AST): boolean => ast.checks === undefined && ast.encoding === undefined

const jsonOf = (ast: SchemaAST.AST): Json => SchemaBytes.ofJson(Schema.make<Codec<unknown>>(ast))
