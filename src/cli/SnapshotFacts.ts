/** What a snapshot file is, in the words of both commands that tell of one. */
import { epochOf, type SnapshotFile } from "../maintenance/SnapshotFile.ts"
import type { Fact } from "./Facts.ts"

export const of = ({ file, bytes, format, keys, image }: SnapshotFile): ReadonlyArray<Fact> => [
  ["file", file],
  ["format", format],
  ["bytes", bytes],
  ["revision", image.value.revision],
  ["keys", keys],
  ["index", image.last.index],
  ["term", image.last.term],
  ["epoch", epochOf(image)],
  ["hash", hex(image.hash)],
  ["voters", image.configuration.voters]
]

/** Of the chain over all that was applied, as eight hexadecimal digits. */
export const hex = (hash: number): string => hash.toString(16).padStart(8, "0")

export const line = ({ file, bytes, keys, image }: SnapshotFile, seconds: number): string =>
  `saved ${file}: ${bytes} bytes, revision ${image.value.revision}, index ${image.last.index} of term ${image.last.term}, ` +
  `${keys} keys, hash ${hex(image.hash)}, ${seconds} s\n`
