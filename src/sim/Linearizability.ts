/**
 * Decides whether a history is linearizable (Herlihy and Wing), knowing nothing of logs,
 * terms or leaders: the search of Wing and Gong with Lowe's memory of states that led
 * nowhere. It judges the simulator's other verdict, and histories of real processes.
 *
 * An operation without an answer may have happened at any time since, or never.
 */
export interface Call<I, O> {
  readonly input: I
  /** `undefined` where nobody knows what became of it. */
  readonly answer: { readonly output: O; readonly at: number } | undefined
  readonly at: number
}

export interface Model<S, I, O> {
  readonly initial: S
  readonly apply: (state: S, input: I) => readonly [S, O]
  readonly same: (one: O, other: O) => boolean
  /** States with one key are interchangeable. */
  readonly key: (state: S) => string
  /** Calls without an answer that nothing tells apart: the one that was asked first stands for any of them. */
  readonly alike?: (one: I, other: I) => boolean
}

/** "Undecided" is no verdict: the search was longer than it may be. */
export type Verdict = "Linearizable" | "NotLinearizable" | "Undecided"

export const check = <S, I, O>(
  history: ReadonlyArray<Call<I, O>>,
  model: Model<S, I, O>,
  maxSteps = 1_000_000
): Verdict => {
  const calls = [...history].sort((one, other) => one.at - other.at)
  const answered = calls.filter((call) => call.answer !== undefined)
  const silent = calls.filter((call) => call.answer === undefined)
  // Those without an answer are tried last: most never mattered, and a wrong guess about one is found out late.
  const ordered = [...answered, ...silent]
  return search({ calls: ordered, answered: answered.length, model, seen: new Set(), budget: { steps: maxSteps } })
}

interface Search<S, I, O> {
  /** Those with an answer, and then those without; each in the order in which they were asked. */
  readonly calls: ReadonlyArray<Call<I, O>>
  readonly answered: number
  readonly model: Model<S, I, O>
  readonly seen: Set<string>
  readonly budget: { steps: number }
}

/** A choice that was made, and where to go on looking if it was wrong. */
interface Choice<S> {
  readonly state: S
  readonly call: number
}

const search = <S, I, O>(search: Search<S, I, O>): Verdict => {
  const { calls, answered, model, budget } = search
  const done = calls.map(() => false)
  const path: Array<Choice<S>> = []
  let state = model.initial
  let left = answered
  let call = 0
  for (;;) {
    if (left === 0) return "Linearizable"
    if (budget.steps-- <= 0) return "Undecided"
    const chosen = next(search, { state, done, from: call })
    if (chosen !== undefined) {
      path.push({ state, call: chosen.call })
      done[chosen.call] = true
      if (chosen.call < answered) left--
      state = chosen.state
      call = 0
      continue
    }
    const wrong = path.pop()
    if (wrong === undefined) return "NotLinearizable"
    done[wrong.call] = false
    if (wrong.call < answered) left++
    state = wrong.state
    call = wrong.call + 1
  }
}

/** The next call from `from` on that may come first among those not done, and leads somewhere new. */
const next = <S, I, O>(
  search: Search<S, I, O>,
  { state, done, from }: { readonly state: S; readonly done: Array<boolean>; readonly from: number }
): Choice<S> | undefined => {
  const { calls, answered, model, seen } = search
  const limit = firstAnswer(calls, done, answered)
  for (let call = from; call < calls.length; call++) {
    if (calls[call]!.at > limit) {
      if (call >= answered) return undefined
      call = answered - 1
      continue
    }
    if (done[call] || (call >= answered && hasElder(search, done, call))) continue
    const { input, answer } = calls[call]!
    const [after, output] = model.apply(state, input)
    if (answer !== undefined && !model.same(output, answer.output)) continue
    done[call] = true
    const key = `${signature(done)} ${model.key(after)}`
    done[call] = false
    if (seen.has(key)) continue
    seen.add(key)
    return { state: after, call }
  }
  return undefined
}

/** An earlier call, as good as this one, is still to come. */
const hasElder = <S, I, O>(
  { calls, answered, model }: Search<S, I, O>,
  done: ReadonlyArray<boolean>,
  call: number
): boolean => {
  if (model.alike === undefined) return false
  for (let elder = answered; elder < call; elder++) {
    if (!done[elder] && model.alike(calls[elder]!.input, calls[call]!.input)) return true
  }
  return false
}

/** What is asked after some open call was answered must come after that call. */
const firstAnswer = <I, O>(
  calls: ReadonlyArray<Call<I, O>>,
  done: ReadonlyArray<boolean>,
  answered: number
): number => {
  let first = Number.POSITIVE_INFINITY
  for (let call = 0; call < answered; call++) {
    if (!done[call]) first = Math.min(first, calls[call]!.answer!.at)
    if (calls[call]!.at > first) break
  }
  return first
}

/** Which calls are done: how many from the start, and the exceptions after it. */
const signature = (done: ReadonlyArray<boolean>): string => {
  let prefix = 0
  while (prefix < done.length && done[prefix]) prefix++
  let rest = `${prefix}`
  for (let call = prefix + 1; call < done.length; call++) if (done[call]) rest += `,${call}`
  return rest
}
