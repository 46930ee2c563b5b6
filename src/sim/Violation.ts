/** A rule that was broken: what every oracle throws, and the only thing that it throws. */
export class Violation extends Error {
  readonly rule: string
  readonly detail: string

  constructor(rule: string, detail: string) {
    super(`${rule}: ${detail}`)
    this.name = "Violation"
    this.rule = rule
    this.detail = detail
  }
}

/** Checks a rule; the detail is only made when it is broken. */
export const require = (holds: boolean, rule: string, detail: () => string): void => {
  if (!holds) throw new Violation(rule, detail())
}
