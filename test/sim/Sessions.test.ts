/** Sessions in clusters from a seed; and bugs in sessions, each of which the same seeds must notice. */
import { describe, expect, it } from "vitest"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import * as SessionStore from "../../src/sim/SessionStore.ts"
import * as Simulation from "../../src/sim/Simulation.ts"
import { erase } from "../../src/sim/Subject.ts"
import * as Sessions from "../../src/sessions/Sessions.ts"

const { subject, machine } = SessionStore
type Machine = typeof machine

const run = (seed: number, tried: Machine = machine): Simulation.Outcome =>
  Simulation.run({ seed, subject: erase({ ...subject, machine: tried }) })

const seeds = 100

describe("commands that are sent again at any replica", () => {
  it(`take effect once, seeds 1 to ${seeds}`, () => {
    const heard = new Map<string, number>()
    for (let seed = 1; seed <= seeds; seed++) {
      const { failure, history } = run(seed)
      expect(failure && `seed ${seed}: ${failure.rule}\n${failure.detail}`).toBeUndefined()
      for (const { ending, kind } of history) {
        if (ending?._tag !== "Done" || kind !== "Command") continue
        const { _tag, reason } = ending.output as { readonly _tag: string; readonly reason?: string }
        const what = reason ?? _tag
        heard.set(what, (heard.get(what) ?? 0) + 1)
      }
    }
    // What can be heard was heard, and not just once.
    const all = ["Said", "Repeated", "Registered", "KeyReused", "TooOld", "SessionExpired"]
    expect(all.filter((what) => (heard.get(what) ?? 0) <= 10)).toEqual([])
  })
})

/** Of this machine's own process, and so different on each replica. */
let local = 0

const mutants: Readonly<Record<string, Machine>> = {
  "a command that is sent again is applied again": {
    ...machine,
    apply: (state, command, context) =>
      "session" in command && command.session._tag !== "Register"
        ? machine.apply(state, (command as Extract<typeof command, { readonly command: unknown }>).command, context)
        : machine.apply(state, command, context)
  },
  "a client's command that is sent again is applied again, if it was not the last": {
    ...machine,
    apply: (state, command, context) => {
      const [next, result] = machine.apply(state, command, context)
      const isOld = result._tag === "NotApplied" && result.reason === "TooOld"
      if (!isOld || !("command" in command)) return [next, result]
      return machine.apply(state, command.command, context)
    }
  },
  "what tells two commands of one name apart is not compared": Sessions.over(SessionStore.words, {
    ...SessionStore.options,
    identify: () => 0
  }),
  "a key lives by the time of its replica": {
    ...machine,
    apply: (state, command, context) => machine.apply(state, command, { ...context, time: ClusterTime(local++ * 7) })
  },
  "whoever is silent for a while is forgotten by the replica at hand": {
    ...machine,
    apply: (state, command, context) =>
      machine.apply(local++ % 40 === 0 ? { ...state, sessions: Sessions.none } : state, command, context)
  },
  "a repetition makes another answer": {
    ...machine,
    apply: (state, command, context) => {
      const [next, result] = machine.apply(state, command, context)
      if (result._tag !== "Repeated") return [next, result]
      return [next, { _tag: "Repeated", result: { _tag: "Said", count: state.value.count, time: context.time } }]
    }
  },
  "what is refused has been applied": {
    ...machine,
    apply: (state, command, context) => {
      const [next, result] = machine.apply(state, command, context)
      if (result._tag !== "NotApplied" || !("command" in command)) return [next, result]
      return [machine.apply(state, command.command, context)[0], result]
    }
  }
}

describe("a bug in sessions is noticed:", () => {
  for (const [name, mutant] of Object.entries(mutants)) {
    it(name, () => {
      let seed = 1
      while (seed <= seeds && run(seed, mutant).failure === undefined) seed++
      expect(seed).toBeLessThanOrEqual(seeds)
    })
  }
})
