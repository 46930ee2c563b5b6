/** The oracle's rules about who leads: one a term, elected by a majority, with all that is committed. */
import type { Host, Oracle } from "./Oracle.ts"
import * as Standings from "./Standings.ts"
import { type AnyEffect, inWords, type State } from "./Subject.ts"
import { require } from "./Violation.ts"

export const onLeader = (oracle: Oracle, host: Host, after: State): void => {
  const leader = oracle.leaders.get(after.currentTerm)
  if (leader === host.id) return
  require(leader === undefined, "one leader a term (I1)", () => `${leader} and ${host.id} in ${after.currentTerm}`)
  oracle.leaders.set(after.currentTerm, host.id)
  elected(oracle, host, after)
  const { entries } = oracle.canon
  let index = entries.length - 1
  while (index > 0 && entries[index]!.committedIn >= after.currentTerm) index--
  complete(oracle, host, index)
}

/** Its own vote is counted when it leads; of the others those that have left their voters, on disk. */
const elected = (oracle: Oracle, host: Host, { currentTerm: term, configuration }: State): void => {
  const voted = oracle.hosts.filter(({ id }) => id === host.id || oracle.votes.get(`${id} ${term}`) === host.id)
  const votes = new Set(voted.map(({ id }) => id))
  require(Standings.isQuorum(configuration, votes), "a leader has the votes of a majority (I1)", () =>
    `${host.id} leads term ${term} with ${[...votes].join(" ")} in ${inWords(configuration)}`)
}

export const complete = (oracle: Oracle, host: Host, index: number): void => {
  const committed = oracle.canon.entries[index]!
  require(oracle.chains[host.number]![index] === committed.chain, "a leader has all that is committed (I4)", () =>
    `${host.id} leads without entry ${index}, which was committed in term ${committed.committedIn}`)
}

/** Who has lost its disk has forgotten whom it voted for. */
export const checkForgetful = (
  oracle: Oracle,
  host: Host,
  {
    before,
    after,
    effects
  }: { readonly before: State; readonly after: State; readonly effects: ReadonlyArray<AnyEffect> }
): void => {
  if (!oracle.forgetful.has(host.number) || before.admitted) return
  const stands = after._tag === "Candidate" || after._tag === "Leader"
  const votes = effects.some(
    (effect) => effect._tag === "Send" && effect.message._tag === "RequestVoteReply" && effect.message.granted
  )
  require(!stands && !votes, "who has lost its disk does not vote", () => `${host.id} in term ${after.currentTerm}`)
}
