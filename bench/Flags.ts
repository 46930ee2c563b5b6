/** Values of flags, checked: a complaint names the flag and what it takes. */

export const names = (text: string): ReadonlyArray<string> => [
  ...new Set(text.split(",").filter((name) => name !== ""))
]

/** Above 0. */
export const number = (flag: string, text: string, most: number): number => {
  const value = Number(text)
  if (value > 0 && value <= most) return value
  throw new Error(`${flag}: "${text}" is not a number above 0 and up to ${most}`)
}

export const whole = (flag: string, text: string, most: number): number => {
  const value = number(flag, text, most)
  if (Number.isInteger(value)) return value
  throw new Error(`${flag}: "${text}" is not a whole number`)
}

/** At least one, each once. */
export const wholes = (flag: string, text: string, most: number): ReadonlyArray<number> => {
  const all = [...new Set(names(text).map((one) => whole(flag, one, most)))]
  if (all.length > 0) return all
  throw new Error(`${flag}: "${text}" names no number`)
}

/** The one of these names. */
export const oneOf = <Name extends string>(flag: string, known: ReadonlyArray<Name>, name: string): Name => {
  const found = known.find((one) => one === name)
  if (found === undefined) throw new Error(`${flag}: there is no "${name}", but ${known.join(", ")}`)
  return found
}

/** What the flags say, or the first complaint about them. */
export const checked = <Options>(parse: () => Options): Options | Error => {
  try {
    return parse()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
