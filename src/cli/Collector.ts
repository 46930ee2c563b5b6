/**
 * How V8 decides that it is time to mark all that there is. It counts what buffers hold outside of its heap, where the store's
 * values are, and received commands, and records for the log. Left alone it counts each byte allocated there since the last
 * marking, garbage too, and marks everything anew after 64 MB of them, however much there is: with 10^6 keys for every 10 MB that
 * are put, and most of it on the thread that the replica runs on (docs/performance.md). V8 has another way, behind a flag: what
 * buffers hold is a part of what may be in use before it marks, which grows with what was found in use.
 */
import { setFlagsFromString } from "node:v8"

/** Of Node 24, with which it was measured. An earlier V8 does not know the flag, and complains; so may a later one. */
const knownIn = "13.6."

/** `undefined` where it is not known. */
export const flagFor = (v8Version: string): string | undefined =>
  v8Version.startsWith(knownIn) ? "--external-memory-accounted-in-global-limit" : undefined

/** For a process that is the replica's own: as a library, Balsa leaves such things to the program around it. */
export const prepare = (): void => {
  const flag = flagFor(process.versions.v8)
  if (flag !== undefined) setFlagsFromString(flag)
}
