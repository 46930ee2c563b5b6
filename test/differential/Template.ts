/**
 * Requests before it is known to whom they go. What differs between two servers, or between two runs, is written as
 * what it means: a key of this sequence, the seventh revision of this sequence, its second lease. Rendering puts in
 * what that is here and now.
 */

export type Template =
  | null
  | boolean
  | number
  | string
  | ReadonlyArray<Template>
  | Meaning
  | { readonly [name: string]: Template }

/** How a number is written: both ways mean the same. */
export type Spelling = "number" | "string"

export type Meaning =
  /** A key of this sequence; one byte for each character. */
  | { readonly $: "key"; readonly bytes: string }
  /** The end of all keys of this sequence. */
  | { readonly $: "end" }
  /** Bytes as they are, base64 in the request. */
  | { readonly $: "bytes"; readonly bytes: string }
  /** The revision that the sequence had after so many changes; the change that opens it makes the first. */
  | { readonly $: "revision"; readonly nth: number; readonly as: Spelling }
  /** The lease of this sequence with this number. */
  | { readonly $: "lease"; readonly index: number; readonly as: Spelling }
  /** JSON as it stands: numbers that JavaScript does not hold. */
  | { readonly $: "json"; readonly text: string }

export const key = (bytes: string): Meaning => ({ $: "key", bytes })
export const bytes = (bytes: string): Meaning => ({ $: "bytes", bytes })
export const json = (text: string): Meaning => ({ $: "json", text })

/** What the meanings stand for, on one server and in one run. */
export interface Bindings {
  readonly prefix: string
  /** The revision before the first change of the sequence. */
  readonly before: number
  /** The id of the lease with this number, whether or not it was granted. */
  readonly lease: (index: number) => string
}

export const render = (template: Template, bindings: Bindings): string => {
  if (template === null || typeof template !== "object") return JSON.stringify(template)
  if (isList(template)) return `[${template.map((one) => render(one, bindings)).join(",")}]`
  if (isMeaning(template)) return renderMeaning(template, bindings)
  return `{${Object.entries(template)
    .map(([name, value]) => `${JSON.stringify(name)}:${render(value, bindings)}`)
    .join(",")}}`
}

const renderMeaning = (meaning: Meaning, { prefix, before, lease }: Bindings): string => {
  switch (meaning.$) {
    case "key":
      return base64(prefix + meaning.bytes)
    case "end":
      return base64(successor(prefix))
    case "bytes":
      return base64(meaning.bytes)
    case "revision":
      return spelled(String(before + meaning.nth), meaning.as)
    case "lease":
      return spelled(lease(meaning.index), meaning.as)
    case "json":
      return meaning.text
  }
}

const spelled = (digits: string, as: Spelling): string => (as === "string" ? `"${digits}"` : digits)

const base64 = (latin1: string): string => `"${Buffer.from(latin1, "latin1").toString("base64")}"`

/** What comes after everything that begins with `text`. */
export const successor = (text: string): string => {
  const last = text.charCodeAt(text.length - 1)
  if (text === "") return "\0"
  return last === 0xff ? successor(text.slice(0, -1)) : text.slice(0, -1) + String.fromCharCode(last + 1)
}

export const isList = (template: Template): template is ReadonlyArray<Template> => Array.isArray(template)

export const isMeaning = (template: object): template is Meaning => "$" in template
