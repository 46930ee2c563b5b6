/** A cluster of real processes, etcd's or Balsa's, whose members have numbers from 0. */
export interface RealStore extends AsyncDisposable {
  /** Where each answers clients. */
  readonly ports: ReadonlyArray<number>
  /** The same, as HOST:PORT. */
  readonly endpoints: ReadonlyArray<string>
  /** Starts one that was killed. */
  readonly run: (at: number) => void
  /** As a power cut would. */
  readonly kill: (at: number) => Promise<void>
  /** Waits for one that says so. */
  readonly leader: () => Promise<number>
  /** Waits until it answers and knows a leader. */
  readonly healthy: (at: number) => Promise<void>
}
