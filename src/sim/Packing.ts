/** Packs nothing at all: what matters here is that entries are other objects each time that somebody asks for one. */
import type { Packed } from "../raft/Block.ts"
import type { LogEntry } from "../raft/LogEntry.ts"

export const pack = <C>(entries: ReadonlyArray<LogEntry<C>>): Packed<C> => {
  const packed = [...entries]
  return {
    termAt: (place) => packed[place]!.term,
    entryAt: (place) => {
      const { index, term, payload } = packed[place]!
      if (payload._tag !== "Command") return { index, term, payload: { ...payload } }
      return { index, term, payload: { ...payload, request: { ...payload.request } } }
    }
  }
}
