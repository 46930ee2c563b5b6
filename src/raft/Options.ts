/** Times and limits of a replica. All members of a cluster should be given the same. */
export interface Options {
  /** A follower that hears no leader for this long, and up to twice this long, asks for votes (§5.2). */
  readonly electionTimeoutMillis: number
  /** So much longer it waits for the first one after its start, while others may still be starting. */
  readonly firstElectionMillis: number
  /**
   * A candidate asks those again who have not answered for so long, and once more after a thousand times that: for networks that lose
   * much and delay little. Otherwise it asks once in an election.
   */
  readonly voteRetryMillis: number
  /** A leader lets no follower go without a message for longer. Well below the election timeout (§5.6). */
  readonly heartbeatMillis: number
  /**
   * Whether a leader speaks to no more followers than make a majority, taking turns, and to the others only as heartbeats
   * are due (see Eagerness): for networks where every message has a price. Then a heartbeat that is lost is sent
   * again soon, so `heartbeatMillis` may come close to the election timeout.
   */
  readonly lazyFollowers: boolean
  /** A lazy leader asks another follower, and later the same one again, where one has not answered for so long. */
  readonly appendPatienceMillis: number
  /** One AppendEntries carries at most so many entries and bytes; a larger single entry goes alone. */
  readonly maxAppendEntries: number
  readonly maxAppendBytes: number
  /** Unanswered appends to one follower, in messages and bytes. */
  readonly maxInflightAppends: number
  readonly maxInflightBytes: number
  /** At most so many entries are applied in one step, so that catching up does not keep a replica from speaking. */
  readonly maxApplyEntries: number
  /**
   * Whether a step that logs entries leaves applying to the next one: then others hear of them, and the disk gets them, before what
   * was committed earlier is applied, and that is done while the disk works (see Overtaking).
   */
  readonly appliesLater: boolean
  /** Beyond so many bytes that are logged and not committed, a leader refuses commands. */
  readonly maxUncommittedBytes: number
  /** Read rounds under way at once; reads that arrive meanwhile share the next. */
  readonly maxReadRounds: number
  /**
   * A read round is sent to those who confirmed one first, and to the others when it is unconfirmed for so long (see Promptness);
   * 0 to ask all at once.
   */
  readonly roundPatienceMillis: number
  /** A follower whose question for a read index is unanswered for so long asks again. */
  readonly readRetryMillis: number
  /** Beyond so many reads without an answer, further ones are refused. */
  readonly maxWaitingReads: number
  /**
   * A snapshot is taken when so many bytes of commands, or so many entries, have been applied since
   * the last; more of both where the last one was large: a quarter of it, an entry counting as 64 bytes.
   */
  readonly snapshotLogBytes: number
  readonly snapshotLogEntries: number
  /** One message carries so many bytes of a snapshot. */
  readonly snapshotChunkBytes: number
  /** A chunk that is unanswered for so long is sent again. */
  readonly snapshotRetryMillis: number
  /**
   * Beside so many bytes under way to a follower, a heartbeat goes as a message of its own, which does not wait
   * behind them.
   */
  readonly heartbeatBesideBytes: number
  /**
   * Whether a leader answers reads without asking its followers, as long as those have promised it their patience
   * (thesis §6.4.1). Rests on clocks: see `maxClockDrift`.
   */
  readonly leaseReads: boolean
  /** How much faster or slower than real time any replica's monotonic clock may run, as a share of 1. */
  readonly maxClockDrift: number
  /** While a follower that has spoken within this time is sent a snapshot, the log is kept from there on. */
  readonly snapshotPatienceMillis: number
  /** Beside so many blocks of 64 entries, the newest ones, the log is packed where the machine can pack (see Block). */
  readonly plainBlocks: number
}

export const defaults: Options = {
  electionTimeoutMillis: 500,
  firstElectionMillis: 0,
  voteRetryMillis: Number.POSITIVE_INFINITY,
  heartbeatMillis: 100,
  lazyFollowers: false,
  appendPatienceMillis: 100,
  maxAppendEntries: 4096,
  maxAppendBytes: 1024 * 1024,
  maxInflightAppends: 64,
  maxInflightBytes: 16 * 1024 * 1024,
  maxApplyEntries: 1024,
  appliesLater: false,
  maxUncommittedBytes: 64 * 1024 * 1024,
  maxReadRounds: 4,
  roundPatienceMillis: 10,
  readRetryMillis: 250,
  maxWaitingReads: 100_000,
  snapshotLogBytes: 64 * 1024 * 1024,
  snapshotLogEntries: 250_000,
  snapshotChunkBytes: 512 * 1024,
  snapshotRetryMillis: 1000,
  snapshotPatienceMillis: 60_000,
  heartbeatBesideBytes: 64 * 1024,
  leaseReads: false,
  maxClockDrift: 0.05,
  plainBlocks: 4
}
