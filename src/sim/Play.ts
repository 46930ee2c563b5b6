/** What replicas under direct command are replicas of: in golden scripts names with values. */
import * as Notes from "./Notes.ts"
import { type AnySubject, erase } from "./Subject.ts"

export interface Play {
  readonly subject: AnySubject
  readonly show: (shown: unknown) => string
  /** What their programs understand at first. */
  readonly version: number
}

export const notes: Play = { subject: erase(Notes.subject), show: Notes.show, version: 1 }
