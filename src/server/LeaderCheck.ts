/**
 * For clients that want to hear of it when a replica has lost its leader, rather than be told nothing for as long as it is cut
 * off: the header `Grpc-Metadata-hasleader: true`, as etcd's gateway has it.
 */
import { Unavailable } from "../runtime/RequestError.ts"
import { type GatewayError, ofRequestError } from "./GatewayError.ts"

export const header = "grpc-metadata-hasleader"

export const noLeader: GatewayError = ofRequestError(
  new Unavailable({ message: "this replica knows of no leader, and the client wants one", outcomeUnknown: false })
)

/** As in etcd, it has to be missing so many times in a row: elections come and go. */
const times = 3

/** All of them together, for it is the same leader. */
export class LeaderCheck {
  readonly #hasLeader: () => boolean
  readonly #everyMillis: number
  readonly #onLost = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined
  #missed = 0

  constructor(hasLeader: () => boolean, everyMillis: number) {
    this.#hasLeader = hasLeader
    this.#everyMillis = everyMillis
  }

  get hasLeader(): boolean {
    return this.#hasLeader()
  }

  /** Calls `onLost` when there has been no leader for a while, perhaps again and again. Gives what to call to hear no more. */
  add(onLost: () => void): () => void {
    this.#onLost.add(onLost)
    this.#timer ??= setInterval(() => this.#look(), this.#everyMillis)
    return () => {
      this.#onLost.delete(onLost)
      if (this.#onLost.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
      this.#missed = 0
    }
  }

  #look(): void {
    this.#missed = this.#hasLeader() ? 0 : this.#missed + 1
    if (this.#missed < times) return
    for (const onLost of this.#onLost) onLost()
  }
}
