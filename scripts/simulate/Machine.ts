/** A machine under test that stands in a file: what it exports as `definition` and `sample`. */
import { pathToFileURL } from "node:url"
import { resolve } from "node:path"
import type { Definition } from "../../src/embed/Definition.ts"
import { type SampleOf, subjectOf } from "../../src/embed/Simulated.ts"
import type { Toggle } from "../../src/sim/Plan.ts"
import type { AnySubject } from "../../src/sim/Subject.ts"

export interface Own {
  readonly subject: AnySubject
  /** Faults that it cannot be given. */
  readonly off: ReadonlyArray<Toggle>
}

type AnyDefinition = Definition<unknown, unknown, unknown, unknown, unknown>
type AnySample = SampleOf<unknown, unknown, unknown, unknown>

export const load = async (file: string): Promise<Own> => {
  const { definition, sample } = (await import(pathToFileURL(resolve(file)).href)) as {
    readonly definition?: AnyDefinition
    readonly sample?: AnySample
  }
  if (definition?.apply === undefined || sample?.command === undefined) {
    throw new Error(
      `${file} must export \`definition\` (see Replicated.define) and \`sample\` (see examples/bank/machine.ts)`
    )
  }
  return { subject: subjectOf(definition, sample), off: sample.alter === undefined ? ["alter"] : [] }
}
