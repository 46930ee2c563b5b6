/**
 * How two replicas make sure of each other before they exchange messages. Whoever dials
 * says hello; whoever is dialled answers with a verdict and a hello of its own, so that
 * each can tell its operator in one line what the other one is. Both travel in frames:
 * magic (4), kind (1), [verdict (1)], versions (1 + 1), cluster, from, to.
 *
 * This layout never changes. Later versions may append fields; readers ignore the rest.
 */
import { ReplicaId } from "../raft/LogEntry.ts"
import { Reader, type Writer } from "./Bytes.ts"
import * as Frame from "./Frame.ts"

/** The versions of the protocol (frames, messages, acknowledgements) that this build speaks. */
export const minVersion = 1
export const maxVersion = 1
/** What a stranger may make us buffer. */
export const maxHandshakeBytes = 4096

export interface Hello {
  readonly minVersion: number
  readonly maxVersion: number
  readonly cluster: string
  readonly from: ReplicaId
  /** Whom the sender believes to be talking to. */
  readonly to: ReplicaId
}

export type Verdict = keyof typeof verdicts | "Unknown"

/** Never reused. A code of a later version reads as "Unknown", which is a refusal. */
const verdicts = {
  Accepted: 0,
  WrongCluster: 1,
  /** The hello was meant for another replica. */
  WrongReplica: 2,
  /** The dialled replica has no such peer. */
  UnknownPeer: 3,
  NoCommonVersion: 4
} as const

export interface Answer {
  readonly verdict: Verdict
  readonly hello: Hello
}

const magic = 0x41534c42 // "BLSA"
const helloKind = 1
const answerKind = 2

export const hello = (self: { cluster: string; from: ReplicaId; to: ReplicaId }): Hello => ({
  ...self,
  minVersion,
  maxVersion
})

/** What the dialled one thinks of a hello. `peers` are those that it accepts. */
export const judge = (
  theirs: Hello,
  ours: { readonly cluster: string; readonly id: ReplicaId; readonly isPeer: (id: ReplicaId) => boolean }
): Exclude<Verdict, "Unknown"> => {
  if (theirs.minVersion > maxVersion || theirs.maxVersion < minVersion) return "NoCommonVersion"
  if (theirs.cluster !== ours.cluster) return "WrongCluster"
  if (theirs.to !== ours.id) return "WrongReplica"
  if (!ours.isPeer(theirs.from)) return "UnknownPeer"
  return "Accepted"
}

/** Why `ours` was refused, told from the side that dialled. */
export const explain = (answer: Answer, ours: Hello): string => {
  const it = answer.hello
  switch (answer.verdict) {
    case "Accepted":
      return "it accepted us"
    case "WrongCluster":
      return `it belongs to cluster ${quote(it.cluster)}, we are of ${quote(ours.cluster)}`
    case "WrongReplica":
      return `it is replica ${quote(it.from)}, not ${quote(ours.to)}; check the addresses of the peers`
    case "UnknownPeer":
      return `it has no peer ${quote(ours.from)}; check its list of peers`
    case "NoCommonVersion":
      return `it speaks protocol ${range(it)}, we speak ${range(ours)}`
    case "Unknown":
      return "for a reason that this version does not know"
  }
}

/** The same, told from the side that was dialled and refuses. */
export const complaint = (verdict: Verdict, theirs: Hello, ours: Hello): string => {
  switch (verdict) {
    case "Accepted":
    case "Unknown":
      return "for no known reason"
    case "WrongCluster":
      return `it belongs to cluster ${quote(theirs.cluster)}, we are of ${quote(ours.cluster)}`
    case "WrongReplica":
      return `it looks for replica ${quote(theirs.to)}, we are ${quote(ours.from)}`
    case "UnknownPeer":
      return "it is not among our peers"
    case "NoCommonVersion":
      return `it speaks protocol ${range(theirs)}, we speak ${range(ours)}`
  }
}

/** What a stranger says goes to the log quoted and cut, or it could write lines of its own there. */
export const quote = (text: string): string =>
  JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text).replace(/[^ -~]/g, "?")

const range = (of: Hello): string =>
  of.minVersion === of.maxVersion ? `${of.minVersion}` : `${of.minVersion} to ${of.maxVersion}`

/** A whole frame, ready for the socket. */
export const encodeHello = (value: Hello): Buffer => {
  const to = Frame.open(128)
  to.u32(magic)
  to.u8(helloKind)
  writeHello(to, value)
  return Frame.seal(to)
}

/** A whole frame, ready for the socket. */
export const encodeAnswer = (answer: { verdict: Exclude<Verdict, "Unknown">; hello: Hello }): Buffer => {
  const to = Frame.open(128)
  to.u32(magic)
  to.u8(answerKind)
  to.u8(verdicts[answer.verdict])
  writeHello(to, answer.hello)
  return Frame.seal(to)
}

export const decodeHello = (payload: Uint8Array): Hello | undefined => {
  const from = new Reader(payload)
  if (from.u32() !== magic || from.u8() !== helloKind) return undefined
  const value = readHello(from)
  return from.failed ? undefined : value
}

export const decodeAnswer = (payload: Uint8Array): Answer | undefined => {
  const from = new Reader(payload)
  if (from.u32() !== magic || from.u8() !== answerKind) return undefined
  const verdict = readVerdict(from)
  const value = readHello(from)
  return from.failed ? undefined : { verdict, hello: value }
}

const readVerdict = (from: Reader): Verdict => {
  const code = from.u8()
  for (const [verdict, value] of Object.entries(verdicts)) if (value === code) return verdict as Verdict
  return "Unknown"
}

const writeHello = (to: Writer, value: Hello): void => {
  to.u8(value.minVersion)
  to.u8(value.maxVersion)
  to.utf8(value.cluster)
  to.utf8(value.from)
  to.utf8(value.to)
}

const readHello = (from: Reader): Hello => ({
  minVersion: from.u8(),
  maxVersion: from.u8(),
  cluster: from.utf8(),
  from: ReplicaId(from.utf8()),
  to: ReplicaId(from.utf8())
})
