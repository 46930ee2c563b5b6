/** Where two answers differ first: the way to a field, and what each has there. */
import { isList, type Json } from "./Normal.ts"

export interface Deviation {
  /** As in `lines[0].kvs[1].version`. */
  readonly path: string
  readonly etcd: Json | undefined
  readonly balsa: Json | undefined
}

/** A second passes between two answers, and each rounds as it likes. */
const secondsOfTolerance = 2

export const compare = (etcd: Json, balsa: Json): Deviation | undefined => compareAt("", etcd, balsa)

const compareAt = (path: string, etcd: Json | undefined, balsa: Json | undefined): Deviation | undefined => {
  if (etcd === balsa) return undefined
  if (etcd === undefined || balsa === undefined) return { path, etcd, balsa }
  if (isList(etcd) && isList(balsa)) {
    const length = Math.max(etcd.length, balsa.length)
    return firstOf(Array.from({ length }, (_, at) => [`${path}[${at}]`, etcd[at], balsa[at]] as const))
  }
  if (isObject(etcd) && isObject(balsa)) return compareObjects(path, etcd, balsa)
  return isRemainingTime(path, etcd, balsa) ? undefined : { path, etcd, balsa }
}

interface JsonObject {
  readonly [name: string]: Json
}

const compareObjects = (path: string, etcd: JsonObject, balsa: JsonObject): Deviation | undefined => {
  const names = [...new Set([...Object.keys(etcd), ...Object.keys(balsa)])]
  const own = (object: JsonObject, name: string) => (Object.hasOwn(object, name) ? object[name] : undefined)
  const inner = firstOf(names.map((name) => [`${path}.${name}`, own(etcd, name), own(balsa, name)] as const))
  if (inner !== undefined) return inner
  const [first, second] = [Object.keys(etcd).join(), Object.keys(balsa).join()]
  return first === second ? undefined : { path: `${path}: order of fields`, etcd: first, balsa: second }
}

const firstOf = (
  pairs: ReadonlyArray<readonly [path: string, etcd: Json | undefined, balsa: Json | undefined]>
): Deviation | undefined => {
  for (const [path, etcd, balsa] of pairs) {
    const deviation = compareAt(path, etcd, balsa)
    if (deviation !== undefined) return deviation
  }
  return undefined
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isRemainingTime = (path: string, etcd: Json, balsa: Json): boolean => {
  const [first, second] = [etcd, balsa].map(
    (value) => /^"(\d+)" s left$/.exec(typeof value === "string" ? value : "")?.[1]
  )
  if (!path.endsWith(".TTL") || first === undefined || second === undefined) return false
  return Math.abs(Number(first) - Number(second)) <= secondsOfTolerance
}
