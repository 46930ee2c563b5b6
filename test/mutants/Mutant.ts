/**
 * A known bug, of the core or of the store, as a change of text. The text to change must stand in its file exactly once:
 * when the core moves on, a mutant that no longer applies is an error and not a mutant that
 * was "killed" by nothing, so the list cannot rot.
 */
export interface Mutant {
  readonly name: string
  /** Who shipped it, or which rule it offends. */
  readonly source: string
  /** What should notice: an invariant of the list in docs/testing.md, or a scenario in brackets. */
  readonly expected: string
  /** The folder of src in which it is. */
  readonly part: Part
  readonly patches: ReadonlyArray<Patch>
}

export type Part = "raft" | "kv"

export interface Patch {
  /** In the folder of its mutant. */
  readonly file: string
  readonly search: string
  readonly replace: string
}

type Making = (
  name: string,
  [source, expected]: readonly [source: string, expected: string],
  ...patches: ReadonlyArray<readonly [file: string, search: string, replace: string]>
) => Mutant

const making =
  (part: Part): Making =>
  (name, [source, expected], ...patches) => ({
    name,
    source,
    expected,
    part,
    patches: patches.map(([file, search, replace]) => ({ file, search, replace }))
  })

/** A mutant of the core, in as few lines as it takes. */
export const mutant = making("raft")

/** One of the key-value store. */
export const storeMutant = making("kv")

/** The source with the bug in it; `undefined` where the mutant does not touch the file. */
export const apply = ({ name, part, patches }: Mutant, file: string, source: string): string | undefined => {
  let text = source
  for (const patch of patches)
    if (patch.file === file) text = applyPatch(`mutant "${name}"`, `src/${part}/${file}`, patch, text)
  return text === source ? undefined : text
}

const applyPatch = (mutant: string, file: string, { search, replace }: Patch, text: string): string => {
  const [before, after, ...more] = text.split(search)
  if (after === undefined) throw new Error(`${mutant} does not apply: ${file} has no\n${search}`)
  if (more.length > 0) throw new Error(`${mutant} is not clear: ${file} has more than one\n${search}`)
  if (search === replace) throw new Error(`${mutant} changes nothing in ${file}`)
  return before + replace + after
}
