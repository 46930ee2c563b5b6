/**
 * Requests that a replica understood and declined: nothing was done. etcd tells its reasons apart by their text,
 * which is the same in all of its versions and in Balsa; what a caller may want to act on has a class of its own.
 */
import { Data } from "effect"
import { type Endpoint, show } from "./Endpoint.ts"

export interface Declined {
  readonly endpoint: Endpoint
  /** As the server words it. */
  readonly reason: string
}

const said = ({ endpoint, reason }: Declined): string => `${show(endpoint)} declines: ${reason}`

/** The revision that was asked for is no longer kept, or what is to be compacted is already. */
export class Compacted extends Data.TaggedError("Compacted")<
  Declined & {
    /** The oldest one that is still kept; `undefined` where the server does not tell, as etcd when it is asked for a range. */
    readonly compactRevision: number | undefined
  }
> {
  override get message(): string {
    return said(this)
  }
}

/** The revision that was asked for has not been written yet. */
export class FutureRevision extends Data.TaggedError("FutureRevision")<Declined> {
  override get message(): string {
    return said(this)
  }
}

/** There is no such lease, or there is none any more. */
export class LeaseNotFound extends Data.TaggedError("LeaseNotFound")<Declined> {
  override get message(): string {
    return said(this)
  }
}

/** A lease of this id is there already. */
export class LeaseExists extends Data.TaggedError("LeaseExists")<Declined> {
  override get message(): string {
    return said(this)
  }
}

/** A put that keeps the value or the lease of a key that is not there. */
export class KeyNotFound extends Data.TaggedError("KeyNotFound")<Declined> {
  override get message(): string {
    return said(this)
  }
}

/** A transaction with more operations than a server takes (etcd: 128). */
export class TooManyOperations extends Data.TaggedError("TooManyOperations")<Declined> {
  override get message(): string {
    return said(this)
  }
}

/** A transaction that writes a key twice. */
export class DuplicateKey extends Data.TaggedError("DuplicateKey")<Declined> {
  override get message(): string {
    return said(this)
  }
}

/** The quota is used up, or the disk is: until there is room only what frees some is taken. */
export class NoSpace extends Data.TaggedError("NoSpace")<Declined> {
  override get message(): string {
    return said(this)
  }
}

/** Who asks is not known, or may not. */
export class Unauthorized extends Data.TaggedError("Unauthorized")<
  Declined & {
    /** `false` for one that is known, and has no right to this. */
    readonly unauthenticated: boolean
  }
> {
  override get message(): string {
    return said(this)
  }
}

/** Any other reason. */
export class RequestRefused extends Data.TaggedError("RequestRefused")<
  Declined & {
    /** Of HTTP; zero where the refusal came in a stream. */
    readonly status: number
    /** `Exhausted`: a limit that may be free again later. */
    readonly kind: "Invalid" | "Exhausted" | "Other"
  }
> {
  override get message(): string {
    return said(this)
  }
}

export type Refusal =
  | Compacted
  | FutureRevision
  | LeaseNotFound
  | LeaseExists
  | KeyNotFound
  | TooManyOperations
  | DuplicateKey
  | NoSpace
  | Unauthorized
  | RequestRefused

type Make = (declined: Declined) => Refusal

/** A part of the text is enough, since wrappers add to it in front. */
const byText: ReadonlyArray<readonly [text: string, make: Make]> = [
  ["required revision has been compacted", (it) => new Compacted({ ...it, compactRevision: undefined })],
  ["required revision is a future revision", (it) => new FutureRevision(it)],
  ["requested lease not found", (it) => new LeaseNotFound(it)],
  ["lease already exists", (it) => new LeaseExists(it)],
  ["etcdserver: key not found", (it) => new KeyNotFound(it)],
  ["too many operations in txn request", (it) => new TooManyOperations(it)],
  ["duplicate key given in txn request", (it) => new DuplicateKey(it)],
  ["database space exceeded", (it) => new NoSpace(it)],
  ["permission denied", (it) => new Unauthorized({ ...it, unauthenticated: false })],
  ["invalid auth token", (it) => new Unauthorized({ ...it, unauthenticated: true })],
  ["user name is empty", (it) => new Unauthorized({ ...it, unauthenticated: true })],
  ["user name not found", (it) => new Unauthorized({ ...it, unauthenticated: true })],
  ["authentication failed, invalid user ID or password", (it) => new Unauthorized({ ...it, unauthenticated: true })]
]

/** `text` is what decides, `declined.reason` what is shown: Balsa's own reasons say more. */
export const ofText = (declined: Declined, text: string): Refusal | undefined =>
  byText.find(([part]) => text.includes(part))?.[1](declined)
