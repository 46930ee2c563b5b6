/** What is counted during a run. The verdict is made of it alone. */
export interface Tally {
  /** Between replicas: each recipient counts, whether it arrives or not. */
  messages: number
  dropped: number
  /** What the mix asked for, and not how often clients had to ask for it. */
  gets: number
  puts: number
  getsUnanswered: number
  putsUnanswered: number
  /** Gets that became puts, because no client had a key. */
  getsNotGenerated: number
  putsStored: number
  fails: number
  redirects: number
  duplicates: number
  /** How many, and the first of them in words. */
  incorrect: number
  readonly complaints: Array<string>
  readonly latenciesMillis: Array<number>
  /** Not by the network's hand. */
  readonly died: Array<{ readonly id: string; readonly why: string }>
  readonly killed: Array<string>
  /** Whom the messages named, one after the other. */
  readonly leaders: Array<string>
  /** Why the run did not go on to its end. */
  stopped: "too many messages" | "too many answers" | undefined
}

export const make = (): Tally => ({
  messages: 0,
  dropped: 0,
  gets: 0,
  puts: 0,
  getsUnanswered: 0,
  putsUnanswered: 0,
  getsNotGenerated: 0,
  putsStored: 0,
  fails: 0,
  redirects: 0,
  duplicates: 0,
  incorrect: 0,
  complaints: [],
  latenciesMillis: [],
  died: [],
  killed: [],
  leaders: [],
  stopped: undefined
})

const maximumComplaints = 20
const maximumLeaders = 100

export const complain = (tally: Tally, why: string): void => {
  tally.incorrect++
  if (tally.complaints.length < maximumComplaints) tally.complaints.push(why)
}

export const name = (tally: Tally, leader: string): void => {
  if (tally.leaders.at(-1) !== leader && tally.leaders.length < maximumLeaders) tally.leaders.push(leader)
}
