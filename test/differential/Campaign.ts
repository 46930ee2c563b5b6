/**
 * Many sequences, on as many pairs of servers as there are, each pair taking the next seed when it is done. What
 * differs is made small and reported; a difference that has been seen already is only counted.
 */
import { sequence } from "./Generator.ts"
import { findIn } from "./Differences.ts"
import { report } from "./Report.ts"
import { type Difference, type Pair, run, runUndisturbed } from "./Run.ts"
import { shrink } from "./Shrink.ts"

export interface Options {
  readonly pairs: ReadonlyArray<Pair>
  readonly seed: number
  readonly sequences: number
  /** After so many differences that differ among themselves it is enough. */
  readonly maxReports?: number
  readonly maxAttempts?: number
  readonly maxMillis?: number
  readonly say: (line: string) => void
}

export interface Outcome {
  readonly compared: number
  /** Reports, each of one difference. */
  readonly found: ReadonlyArray<ReadonlyArray<string>>
  /** How often the others were seen. */
  readonly repeated: number
  /** How often a sequence was begun anew because a server was not there, as while another leader is elected. */
  readonly disturbed: number
  /** How often each known difference was met. */
  readonly known: ReadonlyMap<string, number>
}

export const campaign = async (options: Options): Promise<Outcome> => {
  const { pairs, seed, sequences, maxReports = 10, maxMillis = Number.POSITIVE_INFINITY, say } = options
  const began = performance.now()
  const found = new Map<string, ReadonlyArray<string>>()
  const known = new Map<string, number>()
  let [next, compared, repeated, disturbed] = [0, 0, 0, 0]
  let told = began

  const settle = async (pair: Pair, difference: Difference, one: number): Promise<void> => {
    const name = findIn(difference)?.request
    if (name !== undefined) {
      known.set(name, (known.get(name) ?? 0) + 1)
      return
    }
    const kind = kindOf(difference)
    if (found.has(kind)) {
      repeated++
      return
    }
    found.set(kind, [])
    say(`seed ${one}: ${difference.route} differs at ${difference.path}; looking for a smaller sequence`)
    const again = await run(pair, sequence(one))
    const smallest =
      again === undefined
        ? difference
        : (await shrink(pair, { sequence: sequence(one), difference: again }, options.maxAttempts)).difference
    const note = again === undefined ? ["it did not happen when the same was sent again"] : []
    found.set(kind, [...report(smallest, one), ...note])
    for (const line of found.get(kind)!) say(line)
  }

  const lane = async (pair: Pair): Promise<void> => {
    while (next < sequences && found.size < maxReports && performance.now() - began < maxMillis) {
      const one = seed + next++
      const difference = await runUndisturbed(pair, sequence(one), () => disturbed++)
      compared++
      if (difference !== undefined) await settle(pair, difference, one)
      if (performance.now() - told > 5000) {
        told = performance.now()
        const rate = compared / ((told - began) / 1000)
        const left = Math.ceil((sequences - compared) / rate)
        say(`${compared} of ${sequences} sequences, ${rate.toFixed(0)} a second, about ${left} s to go`)
      }
    }
  }
  await Promise.all(pairs.map(lane))
  return { compared, found: [...found.values()], repeated, disturbed, known }
}

/** Differences of one kind have most likely one cause: in the same field, or in errors that are the same. */
const kindOf = ({ route, path, etcd, balsa }: Difference): string => {
  const values = /\.(status|error|message|code)$/.test(path) ? [etcd, balsa] : []
  return JSON.stringify([route, path.replace(/\d+/g, "0"), ...values])
}
