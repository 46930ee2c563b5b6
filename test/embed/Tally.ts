/** A small machine for tests: words and how often each was said, with a refusal among its results. */
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Replicated from "../../src/embed/Replicated.ts"

const Word = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(20))

const Command = Schema.TaggedUnion({
  Say: { word: Word, times: Schema.Int.check(Schema.isGreaterThan(0)) },
  Forget: { word: Word }
})

const State = Schema.Struct({
  said: Schema.ReadonlyMap(Word, Schema.Int),
  since: Schema.Date,
  total: Schema.BigInt
})

export type Command = typeof Command.Type
export type State = typeof State.Type

export const definition = Replicated.define({
  name: "tally",
  state: State,
  command: Command,
  result: Schema.Struct({ before: Schema.Int, known: Schema.Boolean }),
  query: Schema.Struct({ word: Word }),
  answer: Schema.Int,
  initial: { said: new Map(), since: new Date(0), total: 0n },
  apply: (state, command) => {
    const before = state.said.get(command.word)
    const said = new Map(state.said)
    if (command._tag === "Forget") said.delete(command.word)
    else said.set(command.word, (before ?? 0) + command.times)
    const total = command._tag === "Say" ? state.total + BigInt(command.times) : state.total
    return [
      { ...state, said, total },
      { before: before ?? 0, known: before !== undefined }
    ]
  },
  read: (state, { word }) => state.said.get(word) ?? 0
})

export class Tally extends Replicated.Service<Tally>()("test/Tally", definition) {}

export const say = (word: string, times = 1): Command => ({ _tag: "Say", word, times })

/** Moves time in small steps while an effect runs, and gives what it gives. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>, millis = 20_000): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    for (let passed = 0; passed < millis && fiber.pollUnsafe() === undefined; passed += 10) yield* TestClock.adjust(10)
    const exit = fiber.pollUnsafe()
    return exit === undefined ? yield* Effect.die(new Error(`not within ${millis} ms`)) : yield* exit
  })
