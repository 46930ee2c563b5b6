/** What the policy knows, what it is told and what it does: see Policy. */
import type { Observation, Standing } from "./Observation.ts"
import type { ClientRequest } from "./Wire.ts"

export interface PolicyOptions {
  /** A replica without a majority keeps a request for so long before it sends the client elsewhere. */
  readonly redirectMillis: number
  /** Beyond so many requests held, the oldest are sent elsewhere. */
  readonly maxHeld: number
  /** Of so many clients at most it is remembered to whom they were sent. */
  readonly maxRemembered: number
  /** A leader that is answered less often than this lets some puts wait for company: this share of them, for so long at most. */
  readonly companyBelowRate: number
  readonly companyShare: number
  readonly companyMillis: number
  /** Where puts come this often and oftener, none waits; where they come rarer, more and more of them. */
  readonly companyFromMillis: number
  readonly companySlopeMillis: number
  /** A leader that is answered well says so late what it has committed, if nothing else has said it. */
  readonly noticeMillis: number
  /** The first leader of all saves its notices: where leaders are lost, one has been lost before. */
  readonly noticeFromTerm: number
}

export const defaults: PolicyOptions = {
  redirectMillis: 150,
  maxHeld: 10_000,
  maxRemembered: 1000,
  companyBelowRate: 0.92,
  companyShare: 0.36,
  companyMillis: 400,
  companyFromMillis: 65,
  companySlopeMillis: 100,
  noticeMillis: 5,
  noticeFromTerm: 2
}

export interface Held {
  readonly request: ClientRequest
  readonly since: number
  /** A leader's put that waits for another: until then. */
  readonly companyDeadline?: number
}

/** A put in this replica's log, which it logged as the leader of `term`. */
export interface Logged {
  readonly client: string
  readonly mid: string
  readonly index: number
  readonly term: number
}

/** When a client was last sent to a leader. */
export interface Sent {
  readonly leader: string
  readonly at: number
}

export interface Notice {
  readonly index: number
  readonly deadline: number
}

export interface PolicyState {
  readonly standing: Standing
  /** By client, whoever was sent away longest ago first. */
  readonly sent: ReadonlyMap<string, Sent>
  /** Oldest first. */
  readonly held: ReadonlyArray<Held>
  /** Handed to the core: gets until they are answered, puts until they are in the log. By sequence, oldest first. */
  readonly submitted: ReadonlyMap<number, ClientRequest>
  /** By index. */
  readonly logged: ReadonlyMap<number, Logged>
  readonly sequence: number
  /** Goes up with every put, and is used up by one that waits for company. */
  readonly companyCredit: number
  /** About how long it is from one put to the next. */
  readonly putGapMillis: number | undefined
  readonly lastPutAt: number | undefined
  /** Of a leader: what it has answered and told nobody yet. */
  readonly notice: Notice | undefined
  /** The highest index of which anybody who was heard knew that it is committed. */
  readonly heardCommit: number
  /** Of a leader: what was answered before its time. */
  readonly answeredBefore: number
}

export type PolicyEvent =
  | { readonly _tag: "RequestArrived"; readonly at: number; readonly request: ClientRequest }
  /** A peer has spoken, and knew that so much is committed. */
  | { readonly _tag: "PeerHeard"; readonly at: number; readonly commitIndex: number }
  | { readonly _tag: "Stepped"; readonly observation: Observation }
  | { readonly _tag: "DeadlineReached"; readonly at: number }

export type PolicyAction =
  /** To a peer: how far things are committed. */
  | { readonly _tag: "Notice"; readonly to: string }
  | { readonly _tag: "Submit"; readonly sequence: number; readonly request: ClientRequest }
  | { readonly _tag: "Ok"; readonly client: string; readonly mid: string; readonly value?: string }
  | { readonly _tag: "Redirect"; readonly client: string; readonly mid: string }
  | { readonly _tag: "Fail"; readonly client: string; readonly mid: string }

export type Decided = readonly [PolicyState, ReadonlyArray<PolicyAction>]

export const initial = (standing: Standing): PolicyState => ({
  standing,
  sent: new Map(),
  held: [],
  submitted: new Map(),
  logged: new Map(),
  sequence: 0,
  companyCredit: 0,
  putGapMillis: undefined,
  lastPutAt: undefined,
  notice: undefined,
  heardCommit: 0,
  answeredBefore: 0
})
