/**
 * A lock with fencing tokens. Whoever gets it is told a number that is higher than every one before; what the
 * lock protects takes no order that bears a lower number than one it has seen. So a holder that was
 * away for long, and has lost the lock without knowing it, does no harm.
 *
 * There is no clock here, so a lock is not lost by waiting: somebody who thinks that its holder is dead breaks it, by
 * the token that the holder has. A holder that has got it anew meanwhile is not broken by mistake.
 */
import { Schema } from "effect"
import { Replicated } from "../../src/index.ts"
import type { Sample } from "../../src/simulator.ts"

const Name = Schema.NonEmptyString
const Held = Schema.Struct({ owner: Name, token: Schema.Int })

const Command = Schema.TaggedUnion({
  Acquire: { owner: Name },
  Release: { owner: Name, token: Schema.Int },
  /** Takes it away from whoever holds it by this token. */
  Break: { token: Schema.Int }
})

const Result = Schema.TaggedUnion({
  /** It is yours; again yours, by the same token, if it was before. */
  Acquired: { token: Schema.Int },
  HeldBy: { owner: Name, token: Schema.Int },
  Released: {},
  NotHeld: {}
})

const State = Schema.Struct({ held: Schema.NullOr(Held), lastToken: Schema.Int })

type State = typeof State.Type
type Command = typeof Command.Type
type Result = typeof Result.Type

const apply = (state: State, command: Command): readonly [State, Result] => {
  const { held, lastToken } = state
  switch (command._tag) {
    case "Acquire": {
      const { owner } = command
      if (held !== null && held.owner !== owner) return [state, { _tag: "HeldBy", ...held }]
      if (held !== null) return [state, { _tag: "Acquired", token: held.token }]
      const token = lastToken + 1
      return [
        { held: { owner, token }, lastToken: token },
        { _tag: "Acquired", token }
      ]
    }
    case "Release":
      return held?.owner === command.owner && held.token === command.token
        ? [{ held: null, lastToken }, { _tag: "Released" }]
        : [state, { _tag: "NotHeld" }]
    case "Break":
      return held?.token === command.token
        ? [{ held: null, lastToken }, { _tag: "Released" }]
        : [state, { _tag: "NotHeld" }]
  }
}

const Holder = Schema.TaggedStruct("Holder", {})

export const definition = Replicated.define({
  name: "lock",
  state: State,
  command: Command,
  result: Result,
  query: Holder,
  answer: Schema.NullOr(Held),
  initial: { held: null, lastToken: 0 },
  apply,
  read: ({ held }) => held
})

export class Lock extends Replicated.Service<Lock>()("examples/Lock", definition) {}

export const acquire = (owner: string): Command => ({ _tag: "Acquire", owner })
export const release = (owner: string, token: number): Command => ({ _tag: "Release", owner, token })
export const breakIt = (token: number): Command => ({ _tag: "Break", token })
export const holder: typeof Holder.Type = { _tag: "Holder" }

const owners = ["ann", "bob", "cid"]

/** For the simulator: what clients ask, and what must hold of every state that is applied. */
export const sample: Sample<typeof definition> = {
  command: (random) => {
    const owner = random.pick(owners)
    if (random.chance(0.5)) return acquire(owner)
    // Tokens are guessed low, where a short run is.
    return random.chance(0.7) ? release(owner, 1 + random.below(12)) : breakIt(1 + random.below(12))
  },
  query: () => holder,
  alter: (_, state) => ({ held: { owner: "nobody", token: -1 }, lastToken: state.lastToken }),
  rule: (before, after, command, result) => {
    const taken = before.held?.token !== after.held?.token && after.held !== null
    if (taken && before.held !== null) return `${after.held.owner} got what ${before.held.owner} held`
    if (taken && after.held.token <= before.lastToken) return `token ${after.held.token} after ${before.lastToken}`
    if (after.lastToken < before.lastToken) return `the last token went back to ${after.lastToken}`
    if (result._tag !== "Acquired") return undefined
    const mine = command._tag === "Acquire" && after.held?.owner === command.owner && after.held.token === result.token
    return mine ? undefined : `told token ${result.token}, and the lock is ${JSON.stringify(after.held)}`
  }
}
