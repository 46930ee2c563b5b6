/** The small files of a data directory are one line of JSON each: readable for people, checked by what reads them. */

/** The fields, whatever they are; `undefined` for what is no JSON object. */
export const parse = (text: string): { readonly [key: string]: unknown } | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
