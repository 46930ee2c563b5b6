/**
 * How much keys and values may take, as the memory that there is has it. Node ends a process whose objects outgrow its heap, and
 * replicas hold the same, so all of them would end together: writes must be refused before.
 */
import { getHeapStatistics } from "node:v8"

const mostByDefault = 2 * 1024 ** 3
/** The rest is for history, for the log in memory, and for what is under way; a collector that lacks room takes all the time. */
const share = 0.5

/** What Node takes for objects: a part of the machine's memory, 4 GiB at most, unless it is told. */
export const heapLimit = (): number => getHeapStatistics().heap_size_limit

export const defaultBytes = (heapLimit: number): number => Math.min(mostByDefault, Math.floor(heapLimit * share))

/** What is wrong with a quota that was asked for; `undefined` where nothing is. Values of more than 64 bytes are outside of the heap. */
export const warning = (quotaBytes: number, heapLimit: number): string | undefined => {
  if (quotaBytes > 0 && quotaBytes <= heapLimit * share) return undefined
  const quota = quotaBytes === 0 ? "without a quota" : `with a quota of ${quotaBytes} bytes`
  return `${quota} small values may outgrow the ${heapLimit} bytes that Node takes for objects, which would end the replica: give it more (NODE_OPTIONS=--max-old-space-size=MEGABYTES), or a quota of ${Math.floor(heapLimit * share)} bytes at most`
}
