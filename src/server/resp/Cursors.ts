/**
 * Where scans go on. Redis' cursors are numbers, ours are keys: each is kept under a number for a while, for all
 * connections, as clients with several of them expect.
 */
import type { Key } from "../../kv/KeyValue.ts"

/** A scan whose cursor is not used while so many others are given out has to begin anew. */
const maxCursors = 10_000

export class Cursors {
  private readonly kept = new Map<string, Key>()
  private next = 1

  /** A number under which `key` is found for now. */
  keep(key: Key): string {
    const cursor = String(this.next++)
    this.kept.set(cursor, key)
    if (this.kept.size > maxCursors) {
      const [oldest] = this.kept.keys()
      this.kept.delete(oldest!)
    }
    return cursor
  }

  /** "0" is the beginning; `undefined` is none that is known. */
  find(cursor: string, beginning: Key): Key | undefined {
    return cursor === "0" ? beginning : this.kept.get(cursor)
  }
}
