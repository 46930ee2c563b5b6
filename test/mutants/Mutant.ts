/**
 * A known bug as a change of text. The text to change must stand in its file exactly once:
 * when the core moves on, a mutant that no longer applies is an error and not a mutant that
 * was "killed" by nothing, so the list cannot rot.
 */
export interface Mutant {
  readonly name: string
  /** Who shipped it, or which rule it offends. */
  readonly source: string
  /** What should notice: an invariant of the list in docs/testing.md, or a scenario in brackets. */
  readonly expected: string
  readonly patches: ReadonlyArray<Patch>
}

export interface Patch {
  /** In src/raft. */
  readonly file: string
  readonly search: string
  readonly replace: string
}

/** A mutant of one patch, in as few lines as it takes. */
export const mutant = (
  name: string,
  [source, expected]: readonly [source: string, expected: string],
  ...patches: ReadonlyArray<readonly [file: string, search: string, replace: string]>
): Mutant => ({
  name,
  source,
  expected,
  patches: patches.map(([file, search, replace]) => ({ file, search, replace }))
})

/** The source with the bug in it; `undefined` where the mutant does not touch the file. */
export const apply = ({ name, patches }: Mutant, file: string, source: string): string | undefined => {
  let text = source
  for (const patch of patches) if (patch.file === file) text = applyPatch(name, patch, text)
  return text === source ? undefined : text
}

const applyPatch = (name: string, { file, search, replace }: Patch, text: string): string => {
  const [before, after, ...more] = text.split(search)
  if (after === undefined) throw new Error(`mutant "${name}" does not apply: src/raft/${file} has no\n${search}`)
  if (more.length > 0) throw new Error(`mutant "${name}" is not clear: src/raft/${file} has more than one\n${search}`)
  if (search === replace) throw new Error(`mutant "${name}" changes nothing in src/raft/${file}`)
  return before + replace + after
}
