/**
 * The few keys and values that sequences are made of. There are no more than twelve keys: to sort a longer list, etcd's
 * sort leaves what is equal in no particular order.
 */
import type { Chance } from "../kv/Chance.ts"
import { bytes, json, key, successor, type Spelling, type Template } from "./Template.ts"

const utf8 = (text: string): string => Buffer.from(text).toString("latin1")

export const keys = [
  "a",
  "ab",
  "abc",
  "a\0",
  "a\xff",
  "b",
  "\0",
  "\xff\xff",
  "__proto__",
  utf8("ключ/☃"),
  "constructor"
]

const values = [
  "",
  "1",
  "2",
  "3",
  "10",
  "\0",
  "\xff\xfe\0\x80",
  utf8("значение 🐘"),
  '{"a":[1]}',
  "__proto__",
  "</script>"
]

/** Chance, and what of it is needed everywhere. */
export interface Dice extends Chance {
  /** True so many times in a hundred. */
  readonly percent: (chance: number) => boolean
}

export const diceOf = (chance: Chance): Dice => ({ ...chance, percent: (percent) => chance.below(1000) < percent * 10 })

export const someKey = (dice: Dice): string => (dice.percent(70) ? dice.pick(keys.slice(0, 6)) : dice.pick(keys))

export const someValue = (dice: Dice): Template => {
  if (dice.percent(3)) return bytes(String.fromCharCode(97 + dice.below(26)).repeat(1 + dice.below(20_000)))
  return bytes(dice.pick(values))
}

export const spelling = (dice: Dice): Spelling => dice.pick(["number", "string"])

/** A number that JSON may hold either way. */
export const int64 = (dice: Dice, value: number | bigint): Template =>
  json(dice.percent(50) ? `"${value}"` : String(value))

/** A revision near those that there are, or none that there is. `changes` is how many there may have been. */
export const someRevision = (dice: Dice, changes: number): Template => {
  const kind = dice.below(100)
  if (kind < 87) return { $: "revision", nth: 1 + dice.below(changes), as: spelling(dice) }
  if (kind < 91) return { $: "revision", nth: changes + dice.below(3), as: spelling(dice) }
  if (kind < 93) return { $: "revision", nth: 1000, as: spelling(dice) }
  if (kind < 95) return int64(dice, 1)
  if (kind < 97) return int64(dice, 9_223_372_036_854_775_807n)
  return int64(dice, dice.pick([0, -1, -9_223_372_036_854_775_808n]))
}

export interface Keys {
  readonly key: Template
  readonly rangeEnd: Template | undefined
  /** A key among them, if there can be any. */
  readonly among: Template
}

/** One key, a range of this sequence, or of all that there is. */
export const someKeys = (dice: Dice, ranges = 65, endless = true): Keys => {
  const from = someKey(dice)
  const one = { key: key(from), among: key(from) }
  if (!dice.percent(ranges)) return { ...one, rangeEnd: dice.percent(5) ? bytes("") : undefined }
  switch (endless ? dice.below(8) : 2 + dice.below(6)) {
    // To the end of all keys.
    case 0:
      return { ...one, rangeEnd: bytes("\0") }
    case 1:
      return { key: bytes("\0"), rangeEnd: bytes("\0"), among: key(from) }
    case 2:
      return { ...one, rangeEnd: key(from) }
    case 3:
      return { ...one, rangeEnd: key(someKey(dice)) }
    case 4:
      return { ...one, rangeEnd: key(successor(from)) }
    case 5:
      return { ...one, rangeEnd: { $: "end" } }
    default:
      return { key: key(""), rangeEnd: { $: "end" }, among: key(from) }
  }
}

/** Fields in both spellings of their names; what is `undefined` is left out. */
export const fields = (dice: Dice, all: { readonly [snake: string]: Template | undefined }): Template => {
  const camel = dice.percent(30)
  const entries = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [[camel ? camelOf(name) : name, value] as const]
  )
  return Object.fromEntries(entries)
}

export const camelOf = (snake: string): string =>
  snake.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** An enum's value by its name or its number. */
export const choice = (dice: Dice, names: ReadonlyArray<string>): Template => {
  const at = dice.below(names.length)
  return dice.percent(50) ? at : names[at]!
}

export const sometimes = <A>(dice: Dice, percent: number, value: () => A): A | undefined =>
  dice.percent(percent) ? value() : undefined
