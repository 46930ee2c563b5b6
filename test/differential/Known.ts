/** Differences in what sequences come upon that are meant, each with its reason. docs/etcd-compatibility.md tells them too. */
import type { Difference } from "./Run.ts"

export interface Known {
  readonly request: string
  readonly etcd: string
  readonly balsa: string
  readonly reason: string
  readonly is: (difference: Difference) => boolean
}

export const known: ReadonlyArray<Known> = []

export const nameOf = (difference: Difference): string | undefined => known.find(({ is }) => is(difference))?.request
