/** The alarm under Effect's test clock, which tells how often it lay down, and whether it still sleeps. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, type Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Instant } from "../../src/raft/LogEntry.ts"
import { Alarm } from "../../src/runtime/Alarm.ts"
import { defaultLimits, Mailbox } from "../../src/runtime/Mailbox.ts"

/** An alarm, with what it does to its clock: sleeps that were begun, and those that are not over. */
const watched = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const sleeps = { begun: 0, underWay: 0 }
  const counting = {
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    sleep: (duration: Duration.Duration) =>
      Effect.suspend(() => {
        sleeps.begun++
        sleeps.underWay++
        return Effect.ensuring(
          clock.sleep(duration),
          Effect.sync(() => void sleeps.underWay--)
        )
      })
  }
  const alarm = new Alarm(counting, yield* Effect.context<never>())
  const rung: Array<readonly [string, number]> = []
  const start = alarm.now()
  const set = (after: number, name: string): void =>
    alarm.set(Instant(start + after), () => rung.push([name, alarm.now() - start]))
  return { alarm, sleeps, rung, set }
})

describe("an alarm", () => {
  it.effect("rings once, at its time and not before", () =>
    Effect.gen(function* () {
      const { sleeps, rung, set } = yield* watched
      set(100, "first")
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(rung, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(rung, [["first", 100]])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(rung, [["first", 100]])
      assert.deepStrictEqual(sleeps, { begun: 1, underWay: 0 })
    })
  )

  it.effect("sleeps on while its instant moves later, and lies down again once for all of that", () =>
    Effect.gen(function* () {
      const { sleeps, rung, set } = yield* watched
      for (let moved = 0; moved < 90; moved++) {
        set(100 + moved, "later")
        yield* TestClock.adjust(1)
      }
      assert.deepStrictEqual(sleeps, { begun: 1, underWay: 1 })
      yield* TestClock.adjust(98)
      assert.deepStrictEqual(rung, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(rung, [["later", 189]])
      assert.deepStrictEqual(sleeps, { begun: 2, underWay: 0 })
    })
  )

  it.effect("lies down anew for an earlier instant, and forgets the other", () =>
    Effect.gen(function* () {
      const { sleeps, rung, set } = yield* watched
      set(100, "late")
      yield* TestClock.adjust(10)
      set(30, "early")
      assert.deepStrictEqual(sleeps, { begun: 2, underWay: 1 })
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(rung, [["early", 30]])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(rung, [["early", 30]])
    })
  )

  it.effect("wakes whoever set it when it was up already", () =>
    Effect.gen(function* () {
      const { alarm, sleeps, rung, set } = yield* watched
      set(50, "quieted")
      alarm.quiet()
      yield* TestClock.adjust(60)
      assert.deepStrictEqual(rung, [])
      set(70, "next")
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(rung, [["next", 70]])
      assert.deepStrictEqual(sleeps, { begun: 2, underWay: 0 })
    })
  )

  it.effect("never sleeps for what never comes", () =>
    Effect.gen(function* () {
      const { sleeps, rung, set } = yield* watched
      set(Infinity, "never")
      assert.deepStrictEqual(sleeps, { begun: 0, underWay: 0 })
      set(10, "soon")
      set(Infinity, "never")
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(rung, [])
      assert.deepStrictEqual(sleeps, { begun: 1, underWay: 0 })
    })
  )

  it.effect("leaves no timer when it is stopped", () =>
    Effect.gen(function* () {
      const { alarm, sleeps, rung, set } = yield* watched
      set(100, "stopped")
      alarm.stop()
      assert.deepStrictEqual(sleeps, { begun: 1, underWay: 0 })
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(rung, [])
    })
  )
})

describe("waiting for a mailbox", () => {
  const waiting = Effect.gen(function* () {
    const { alarm, sleeps } = yield* watched
    const mailbox = new Mailbox<string>(defaultLimits)
    const wait = (millis: number) => mailbox.wait(Instant(alarm.now() + millis), alarm)
    return { alarm, sleeps, mailbox, wait }
  })

  it.effect("ends with what is put in, or at the instant, and with neither twice", () =>
    Effect.gen(function* () {
      const { sleeps, mailbox, wait } = yield* waiting
      const first = yield* Effect.forkChild(wait(100), { startImmediately: true })
      yield* TestClock.adjust(10)
      assert.isUndefined(first.pollUnsafe())
      mailbox.put("event")
      mailbox.put("another")
      assert.isDefined(first.pollUnsafe())
      yield* wait(100)
      assert.deepStrictEqual(mailbox.takeAll(), ["event", "another"])
      const second = yield* Effect.forkChild(wait(100), { startImmediately: true })
      yield* TestClock.adjust(99)
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isDefined(second.pollUnsafe())
      assert.deepStrictEqual(sleeps, { begun: 2, underWay: 0 })
    })
  )

  it.effect("is interrupted, and wakes nobody after that", () =>
    Effect.gen(function* () {
      const { sleeps, mailbox, wait } = yield* waiting
      const interrupted = yield* Effect.forkChild(wait(100), { startImmediately: true })
      interrupted.interruptUnsafe()
      assert.isDefined(interrupted.pollUnsafe())
      mailbox.put("event")
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(mailbox.takeAll(), ["event"])
      assert.deepStrictEqual(sleeps, { begun: 1, underWay: 0 })
    })
  )
})
