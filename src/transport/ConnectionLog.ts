/**
 * What connections have to tell the operator. Socket callbacks are plain code, so this is
 * where they reach Effect's logger and metrics. Complaints that anybody on the network can
 * cause are always counted, but logged once per kind and address in a while.
 */
import { Clock, Context, Effect, Metric } from "effect"

const rejected = Metric.counter("balsa_transport_rejected_total", {
  description: "Connections closed and messages refused because of what came or went, by reason",
  incremental: true
})

/** Beyond so many kinds and addresses the memory of them is cleared. */
const maxRemembered = 1024

export class ConnectionLog {
  private readonly context: Context.Context<never>
  private readonly repeatLogMillis: number
  private readonly loggedAt = new Map<string, number>()

  constructor(context: Context.Context<never>, repeatLogMillis: number) {
    this.context = context
    this.repeatLogMillis = repeatLogMillis
  }

  info(line: string): void {
    Effect.runForkWith(this.context)(Effect.logInfo(line))
  }

  warn(line: string): void {
    Effect.runForkWith(this.context)(Effect.logWarning(line))
  }

  complain(kind: string, address: string, line: string): void {
    Metric.withAttributes(rejected, { reason: kind }).updateUnsafe(1, this.context)
    const key = `${kind} ${address}`
    const now = Context.get(this.context, Clock.Clock).currentTimeMillisUnsafe()
    const before = this.loggedAt.get(key)
    if (before !== undefined && now - before < this.repeatLogMillis) return
    if (this.loggedAt.size >= maxRemembered) this.loggedAt.clear()
    this.loggedAt.set(key, now)
    this.warn(line)
  }
}
