/** What a rule found, and where. */
export interface Problem {
  readonly path: string
  readonly line: number
  readonly rule: string
  readonly message: string
  /** Printed and counted, but not a failure. */
  readonly warning?: true
}
