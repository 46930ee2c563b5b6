/** The smallest state with pieces: lines of text, one to a piece; and images of it. Counts what is asked of it. */
import * as Configurations from "../../src/raft/Configuration.ts"
import type { StateCodec } from "../../src/codec/StateCodec.ts"
import { ClusterTime, Index, type LogPosition, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Image } from "../../src/raft/Snapshot.ts"

export type Lines = ReadonlyArray<string>

export interface LinesCodec extends StateCodec<Lines> {
  /** Called at each piece that is encoded or decoded. */
  onPiece: (what: "encoded" | "decoded") => void
}

export const linesCodec = (version = 1): LinesCodec => {
  const codec: LinesCodec = {
    version,
    onPiece: () => {},
    encode: function* (lines) {
      for (const line of lines) {
        codec.onPiece("encoded")
        yield Buffer.from(line)
      }
    },
    decoder: (of) => {
      if (of !== version) return undefined
      const lines: Array<string> = []
      return {
        push: (piece) => {
          codec.onPiece("decoded")
          lines.push(Buffer.from(piece).toString())
          return lines.at(-1) !== "not a line"
        },
        finish: () => lines
      }
    }
  }
  return codec
}

export const position = (index: number, term = 1): LogPosition => ({ index: Index(index), term: Term(term) })

export const imageOf = (last: LogPosition, value: Lines): Image<Lines> => ({
  last,
  configuration: Configurations.of(["A", "B", "C"].map(ReplicaId)),
  applied: new Map(),
  hash: 7,
  epoch: 0,
  time: ClusterTime(0),
  version: 1,
  ceiling: undefined,
  value
})
