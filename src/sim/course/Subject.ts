/**
 * A replica that runs in virtual time: a step at a time, with no clock of its own. What it sends leaves at
 * once; the network adds the time that a hop takes.
 */
import type { CourseMessage } from "./CourseMessage.ts"

export interface Step {
  readonly send: ReadonlyArray<CourseMessage>
  /** When `fire` is wanted if nothing happens before; replaces any earlier one. Infinity for never. */
  readonly deadline: number
}

export interface Subject {
  readonly receive: (now: number, message: CourseMessage) => Step
  readonly fire: (now: number) => Step
}

export type Start = (options: {
  readonly id: string
  readonly peers: ReadonlyArray<string>
  readonly seed: number
  readonly now: number
}) => { readonly replica: Subject; readonly step: Step }
