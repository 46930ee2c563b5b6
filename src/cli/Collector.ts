/**
 * How the collector of a replica's process counts what lies outside of its heap: the bytes of values, commands, records and messages. By
 * itself V8 begins a full collection for every 64 MB of them, however much stays in memory, which with large values is several times
 * a second. Counted with the heap they may grow in proportion, as the heap does, up to the same limits.
 */
import { setFlagsFromString } from "node:v8"

/** To others the flag may be unknown, and they would say so where the log goes. */
const knownTo = "13.6."

/** Before much is in memory. */
export const countBytesWithHeap = (): void => {
  if (process.versions.v8.startsWith(knownTo)) setFlagsFromString("--external-memory-accounted-in-global-limit")
}
