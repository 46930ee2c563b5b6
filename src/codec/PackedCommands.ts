/**
 * Older entries of a log in one buffer of their own: for each a few numbers, then all commands. As objects they are copied, marked and
 * swept; as bytes the collector does not see them. Nothing of it leaves the process, and an entry is made again only for who asks: a
 * follower that lags behind, or a test.
 */
import type { Packed } from "../raft/Block.ts"
import { ClusterTime, Index, type LogEntry, type Payload, type ReplicaId, Term } from "../raft/LogEntry.ts"

/** Of each entry: term, time, the request's incarnation and sequence, and where its command ends. */
const numbersEach = 5
const numberBytes = Float64Array.BYTES_PER_ELEMENT

/** Larger commands have buffers of about their own length: to copy them costs more than they weigh as objects. */
const largest = 4096

type Command = Extract<Payload<Uint8Array>, { readonly _tag: "Command" }>

class PackedCommands implements Packed<Uint8Array> {
  private readonly first: Index
  private readonly numbers: Float64Array
  private readonly replicas: ReadonlyArray<ReplicaId>

  constructor(first: Index, numbers: Float64Array, replicas: ReadonlyArray<ReplicaId>) {
    this.first = first
    this.numbers = numbers
    this.replicas = replicas
  }

  termAt(place: number): Term {
    return Term(this.numbers[place * numbersEach]!)
  }

  entryAt(place: number): LogEntry<Uint8Array> {
    const { numbers, replicas } = this
    const at = place * numbersEach
    const start = place === 0 ? numbers.byteLength : numbers[at - 1]!
    return {
      index: Index(this.first + place),
      term: Term(numbers[at]!),
      payload: {
        _tag: "Command",
        request: {
          replica: replicas[replicas.length === 1 ? 0 : place]!,
          incarnation: numbers[at + 2]!,
          sequence: numbers[at + 3]!
        },
        time: ClusterTime(numbers[at + 1]!),
        command: Buffer.from(numbers.buffer, start, numbers[at + 4]! - start)
      }
    }
  }
}

/** Consecutive entries, unless one is large or no command. */
export const pack = (entries: ReadonlyArray<LogEntry<Uint8Array>>): Packed<Uint8Array> | undefined => {
  const [first] = entries
  if (first === undefined) return undefined
  let end = entries.length * numbersEach * numberBytes
  const payloads: Array<Command> = []
  for (const { payload } of entries) {
    if (payload._tag !== "Command" || payload.command.byteLength > largest) return undefined
    end += payload.command.byteLength
    payloads.push(payload)
  }
  const buffer = new ArrayBuffer(end)
  const numbers = new Float64Array(buffer, 0, entries.length * numbersEach)
  const bytes = new Uint8Array(buffer)
  let at = 0
  let start = numbers.byteLength
  for (const [place, { request, time, command }] of payloads.entries()) {
    bytes.set(command, start)
    start += command.byteLength
    numbers[at] = entries[place]!.term
    numbers[at + 1] = time
    numbers[at + 2] = request.incarnation
    numbers[at + 3] = request.sequence
    numbers[at + 4] = start
    at += numbersEach
  }
  const replicas = payloads.map(({ request }) => request.replica)
  // Mostly it is one and the same.
  const isOne = replicas.every((replica) => replica === replicas[0])
  return new PackedCommands(first.index, numbers, isOne ? replicas.slice(0, 1) : replicas)
}
