/** How much files take, in a directory that changes while it is looked at. */
import { readdirSync, statSync } from "node:fs"
import * as path from "node:path"

/** Blocks that are allocated, also where nothing was written yet; what goes away meanwhile counts as nothing. */
export const of = (directory: string): number => {
  try {
    return readdirSync(directory, { withFileTypes: true }).reduce((sum, entry) => {
      const file = path.join(directory, entry.name)
      return sum + (entry.isDirectory() ? of(file) : ofFile(file))
    }, 0)
  } catch {
    return 0
  }
}

const blockBytes = 512

const ofFile = (file: string): number => {
  try {
    return statSync(file).blocks * blockBytes
  } catch {
    return 0
  }
}
