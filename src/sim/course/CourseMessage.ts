/** Messages as the course's network judges them: whatever is none is the fault of whoever sent it. */
import { type CourseMessage, isId } from "../../course/CourseMessage.ts"

/** The message, or why it is none. */
export const parse = (text: string): CourseMessage | string => {
  try {
    return validate(JSON.parse(text))
  } catch {
    return `no JSON: ${text.slice(0, 100)}`
  }
}

export const validate = (value: unknown): CourseMessage | string => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "no JSON object"
  const fields = value as Readonly<Record<string, unknown>>
  for (const field of ["src", "dst", "leader"]) {
    if (!isId(fields[field])) return `"${field}" must be four hexadecimal digits: ${shown(fields)}`
  }
  if (typeof fields["type"] !== "string") return `"type" must be a text: ${shown(fields)}`
  return value as CourseMessage
}

/** For complaints and traces. */
export const shown = (message: Readonly<Record<string, unknown>>): string => {
  const text = JSON.stringify(message)
  return text.length > 300 ? `${text.slice(0, 300)}...` : text
}
