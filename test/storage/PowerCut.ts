/**
 * A directory whose power may be cut between any two changes of its names. Until the directory is synced,
 * each change since the last sync may have reached the disk or not, in whatever order it was made. What is
 * in a file is taken to have reached it: who syncs what is written is for other tests.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as DurableFile from "../../src/storage/DurableFile.ts"
import { newDirectory } from "./Fixture.ts"

interface Change {
  readonly removes: string
  readonly adds: string | undefined
  /** A link to the file that `adds` names then. */
  readonly file: string
}

export class PowerCut {
  /** How many different states were looked at. */
  cuts = 0
  private readonly files = newDirectory()
  private count = 0
  private pending: ReadonlyArray<Change> = []
  /** The path of a link to its file, for each name that is sure to be there. */
  private readonly lasting = new Map<string, string>()
  private readonly directory: string
  private readonly check: (directory: string) => Promise<void>

  /** `check` is given what a cut would leave, each time that this changes. */
  constructor(directory: string, check: (directory: string) => Promise<void>) {
    this.directory = directory
    this.check = check
    for (const name of fs.readdirSync(directory)) {
      const file = path.join(directory, name)
      if (fs.statSync(file).isFile()) this.lasting.set(file, this.link(file))
    }
  }

  readonly names: DurableFile.Names = {
    rename: async (from, to) => {
      await DurableFile.realNames.rename(from, to)
      await this.after({ removes: from, adds: to, file: this.link(to) })
    },
    unlink: async (file) => {
      await DurableFile.realNames.unlink(file)
      await this.after({ removes: file, adds: undefined, file: "" })
    },
    sync: async (directory) => {
      await DurableFile.realNames.sync(directory)
      const isIn = (name: string | undefined): boolean => name !== undefined && path.dirname(name) === directory
      const synced = this.pending.filter(({ removes, adds }) => isIn(removes) || isIn(adds))
      for (const change of synced) this.carryOut(this.lasting, change)
      this.pending = this.pending.filter((change) => !synced.includes(change))
      await this.cut()
    }
  }

  /** Looks at every state that a cut may leave now. */
  async cut(): Promise<void> {
    for (let chosen = 0; chosen < 2 ** this.pending.length; chosen++) {
      const listing = new Map(this.lasting)
      this.pending.forEach((change, i) => {
        if (chosen & (1 << i)) this.carryOut(listing, change)
        // A file that was made under another name may be there under that one.
        else if (change.adds !== undefined && !listing.has(change.removes)) listing.set(change.removes, change.file)
      })
      const copy = newDirectory()
      for (const [name, file] of listing) {
        const place = path.join(copy, path.relative(this.directory, name))
        fs.mkdirSync(path.dirname(place), { recursive: true })
        fs.copyFileSync(file, place)
      }
      this.cuts++
      await this.check(copy)
    }
  }

  private async after(change: Change): Promise<void> {
    this.pending = [...this.pending, change]
    await this.cut()
  }

  private carryOut(listing: Map<string, string>, { removes, adds, file }: Change): void {
    listing.delete(removes)
    if (adds !== undefined) listing.set(adds, file)
  }

  private link(file: string): string {
    const link = path.join(this.files, String(++this.count))
    fs.linkSync(file, link)
    return link
  }
}
