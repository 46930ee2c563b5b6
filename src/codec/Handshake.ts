/**
 * How two replicas make sure of each other before they exchange messages. Whoever dials
 * says hello; whoever is dialled answers with a verdict and a hello of its own, so that
 * each can tell its operator in one line what the other one is. Both travel in frames:
 * magic (4), kind (1), [verdict (1)], versions (1 + 1), cluster, from, to; since version 2
 * also incarnation (8) and epoch (1: whether there is one, 8); since version 3 also purpose (1) and address,
 * and mostly the address for clients.
 *
 * This layout never changes. Later versions may append fields; readers ignore the rest.
 */
import { ReplicaId } from "../raft/LogEntry.ts"
import { Reader, type Writer } from "./Bytes.ts"
import * as Epoch from "./Epoch.ts"
import * as Frame from "./Frame.ts"

/** The versions of the protocol (frames, messages, acknowledgements) that this build speaks. */
export const minVersion = 3
export const maxVersion = 3
/** The first one whose hellos name incarnation and epoch. */
const firstWithEpoch = 2
/** The first one whose hellos name their purpose. */
const firstWithPurpose = 3
/** What a stranger may make us buffer. */
export const maxHandshakeBytes = 4096

export interface Hello {
  readonly minVersion: number
  readonly maxVersion: number
  readonly cluster: string
  readonly from: ReplicaId
  /** Whom the sender believes to be talking to. */
  readonly to: ReplicaId
  /** Which start of the sender this is; 0 in a version that does not tell. */
  readonly incarnation: number
  /** How often its cluster was begun anew; `undefined` for one that is not admitted and takes any. */
  readonly epoch: number | undefined
  /** What the connection is for; an answer repeats it. "Control" in a version that knows one connection only. */
  readonly purpose: Purpose
  /** Where the sender takes connections, HOST:PORT, for one that does not know it yet; `undefined` if it does not tell. */
  readonly address: string | undefined
  /** Where the sender answers clients, HOST:PORT: whoever is asked for the members tells it. Some of version 3 do not say. */
  readonly clientAddress?: string | undefined
}

export type Purpose = keyof typeof purposes

/** Never reused. */
const purposes = {
  /** Carries what is small and must not wait. */
  Control: 0,
  /** Carries what may be large. */
  Bulk: 1,
  /** Asks who is there, and carries nothing: it is closed with the answer and replaces no other connection. */
  Probe: 2
} as const

export type Verdict = keyof typeof verdicts | "Unknown"

/** Never reused. A code of a later version reads as "Unknown", which is a refusal. */
const verdicts = {
  Accepted: 0,
  WrongCluster: 1,
  /** The hello was meant for another replica. */
  WrongReplica: 2,
  /** No member of the cluster, as far as the dialled replica knows. */
  UnknownPeer: 3,
  NoCommonVersion: 4,
  /** Both are admitted, and what they were admitted to differs. */
  WrongEpoch: 5,
  /** A later start of the same replica is connected. */
  OldIncarnation: 6,
  /** A member once, and no more. */
  Removed: 7
} as const

export interface Answer {
  readonly verdict: Verdict
  readonly hello: Hello
}

const magic = 0x41534c42 // "BLSA"
const helloKind = 1
const answerKind = 2

export const hello = (self: Omit<Hello, "minVersion" | "maxVersion">): Hello => ({
  ...self,
  minVersion,
  maxVersion
})

export interface Own {
  readonly cluster: string
  readonly id: ReplicaId
  readonly standingOf: (id: ReplicaId) => Standing
  readonly epoch: number | undefined
}

/** What a replica is to another one of the same cluster: accepted, or why not. */
export type Standing = "Accepted" | "UnknownPeer" | "Removed"

/** What the dialled one thinks of a hello. */
export const judge = (theirs: Hello, ours: Own): Exclude<Verdict, "Unknown"> => {
  if (theirs.minVersion > maxVersion || theirs.maxVersion < minVersion) return "NoCommonVersion"
  if (theirs.cluster !== ours.cluster) return "WrongCluster"
  if (theirs.to !== ours.id) return "WrongReplica"
  const standing = ours.standingOf(theirs.from)
  if (standing !== "Accepted") return standing
  if (!epochsFit(theirs.epoch, ours.epoch)) return "WrongEpoch"
  return "Accepted"
}

/** Replicas of different epochs hold different histories under the same indexes: nothing may pass between them. */
export const epochsFit = (one: number | undefined, other: number | undefined): boolean =>
  one === undefined || other === undefined || one === other

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
      return `it knows no member ${quote(ours.from)}; if we are to be one, add us: ${howToAdd}`
    case "NoCommonVersion":
      return `it speaks protocol ${range(it)}, we speak ${range(ours)}`
    case "WrongEpoch":
      return describeEpochs(it.epoch, ours.epoch)
    case "OldIncarnation":
      return `a later start of ${quote(ours.from)} is connected to it; check that no other process runs under this id`
    case "Removed":
      return `${quote(ours.from)} was removed from the cluster; stop it; ${howToReturn}`
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
      return `it is not a member of this cluster; add it: ${howToAdd}`
    case "NoCommonVersion":
      return `it speaks protocol ${range(theirs)}, we speak ${range(ours)}`
    case "WrongEpoch":
      return describeEpochs(theirs.epoch, ours.epoch)
    case "OldIncarnation":
      return "a later start of it is connected already"
    case "Removed":
      return `it was removed from the cluster; stop it; ${howToReturn}`
  }
}

const howToAdd = "balsa member add"
const howToReturn = `to have it back, give it an empty data directory and add it: ${howToAdd}`

/** One of them was left out when the cluster was begun anew from a backup. */
export const describeEpochs = (theirs: number | undefined, ours: number | undefined): string =>
  `it is of epoch ${showEpoch(theirs)}, we are of epoch ${showEpoch(ours)}: ` +
  (theirs !== undefined && ours !== undefined && Epoch.count(theirs) === Epoch.count(ours)
    ? "they were restored from different backups, or with different options; restore all replicas from the same file"
    : "the cluster was restored from a backup in between; move away the data directory of the replica with the lower epoch " +
      "and start it with an empty one")

const showEpoch = (epoch: number | undefined): string => (epoch === undefined ? "(none)" : Epoch.show(epoch))

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
  to.safe(value.incarnation)
  to.u8(value.epoch === undefined ? 0 : 1)
  to.safe(value.epoch ?? 0)
  to.u8(purposes[value.purpose])
  to.utf8(value.address ?? "")
  to.utf8(value.clientAddress ?? "")
}

const readHello = (from: Reader): Hello => {
  const versions = { minVersion: from.u8(), maxVersion: from.u8() }
  const names = { cluster: from.utf8(), from: ReplicaId(from.utf8()), to: ReplicaId(from.utf8()) }
  const older = { incarnation: 0, epoch: undefined, purpose: "Control", address: undefined } as const
  // An older one can still be told why it is refused.
  if (versions.maxVersion < firstWithEpoch) return { ...versions, ...names, ...older }
  const incarnation = from.safe()
  const admitted = from.u8()
  const epoch = from.safe()
  if (admitted > 1) from.fail()
  const start = { incarnation, epoch: admitted === 1 ? epoch : undefined }
  if (versions.maxVersion < firstWithPurpose) return { ...versions, ...names, ...older, ...start }
  const own = { purpose: readPurpose(from, versions), address: from.utf8() || undefined }
  const clientAddress = from.remaining === 0 ? undefined : from.utf8() || undefined
  return { ...versions, ...names, ...start, ...own, ...(clientAddress === undefined ? {} : { clientAddress }) }
}

/** A later version may have others; then it can still be told that we do not speak it. */
const readPurpose = (from: Reader, versions: Pick<Hello, "minVersion">): Purpose => {
  const code = from.u8()
  for (const [purpose, value] of Object.entries(purposes)) if (value === code) return purpose as Purpose
  if (versions.minVersion <= maxVersion) from.fail()
  return "Control"
}
