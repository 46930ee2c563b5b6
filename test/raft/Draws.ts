import * as Seeds from "../../src/raft/Seed.ts"

/** Whole numbers from 0 on and below what is asked for; the same ones for the same seed. */
export const draws = (first: number): ((below: number) => number) => {
  let seed = first
  return (below) => {
    const [draw, next] = Seeds.next(seed)
    seed = next
    return Math.floor(draw * below)
  }
}
