/** Every example runs, says what it should, and keeps its rules in the simulator; a machine that is broken does not. */
import { unstamped } from "../../src/raft/Machine.ts"
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { Schema } from "effect"
import { assert, describe, it } from "vitest"
import * as Bank from "../../examples/bank/machine.ts"
import * as Counter from "../../examples/counter/machine.ts"
import * as Lock from "../../examples/lock/machine.ts"
import { RuleBroken, simulate } from "../../src/simulator.ts"

const run = promisify(execFile)
const root = resolve(import.meta.dirname, "../..")

interface Ended {
  readonly code: number
  readonly stdout: string
}

const node = async (...args: ReadonlyArray<string>): Promise<Ended> => {
  try {
    const { stdout } = await run(process.execPath, args, { cwd: root, timeout: 50_000 })
    return { code: 0, stdout }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout: stdout + stderr }
  }
}

describe("an example in one command", () => {
  it("counter: every addition that was acknowledged is there, on the one that was dead as well", async () => {
    const { code, stdout } = await node("scripts/example.ts", "counter")
    assert.strictEqual(code, 0, stdout)
    assert.match(stdout, /^three replicas: A, B, C; [ABC] leads\n30 additions through all three: 30\n([ABC]) is dead\n/)
    const acknowledged = Number(/(\d+) additions are acknowledged/.exec(stdout)?.[1])
    const unknown = stdout.split("not acknowledged").length - 1
    const end = Number(/is back, and says (\d+)\n$/.exec(stdout)?.[1])
    assert.isAtLeast(end, acknowledged)
    assert.isAtMost(end, acknowledged + unknown)
    assert.strictEqual(acknowledged + unknown, 50)
  })

  it("bank: the total is what was paid in, whoever died meanwhile", async () => {
    const { code, stdout } = await node("scripts/example.ts", "bank")
    assert.strictEqual(code, 0, stdout)
    assert.match(stdout, /the leader, is killed/)
    assert.match(stdout, /\ntotal 400, as paid in\n$/)
    const balances = [...stdout.matchAll(/^ {2}\w+ (-?\d+)$/gm)].map((found) => Number(found[1]))
    assert.strictEqual(balances.length, 4)
    assert.isTrue(balances.every((balance) => balance >= 0))
    assert.strictEqual(
      balances.reduce((sum, balance) => sum + balance, 0),
      400
    )
  })

  it("lock: who lost the lock without knowing it does no harm", async () => {
    const { code, stdout } = await node("scripts/example.ts", "lock")
    assert.strictEqual(code, 0, stdout)
    assert.match(stdout, /ann wakes up and writes by token 1: refused: token 1 is lower than 2\n/)
    assert.match(stdout, /held by {"owner":"bob","token":2}\n/)
    assert.match(stdout, /: Acquire Acquired, Acquire HeldBy, Break Released, Acquire Acquired\n$/)
  })

  it("that is not there names those that are", async () => {
    const { code, stdout } = await node("scripts/example.ts", "nothing")
    assert.strictEqual(code, 2)
    assert.include(stdout, "bank, client, counter, lock")
  })
})

describe("an example in the simulator", () => {
  it("keeps its own rules and Raft's under faults", () => {
    const all = [
      simulate(Counter.definition, Counter.sample, { seeds: 25 }),
      simulate(Bank.definition, Bank.sample, { seeds: 25 }),
      simulate(Lock.definition, Lock.sample, { seeds: 25 })
    ]
    for (const { commits, faults, answers } of all) {
      assert.isAbove(commits, 500)
      assert.isAbove(faults, 500)
      assert.isAbove(answers, 500)
    }
  })

  it("does the same for the same seed, whose number is enough", async () => {
    const { code, stdout } = await node("scripts/simulate.ts", "--machine", "examples/bank/machine.ts", "--seed", "7")
    assert.strictEqual(code, 0, stdout)
    const traces = /trace (\w+), again (\w+)/.exec(stdout)
    assert.isDefined(traces?.[1])
    assert.strictEqual(traces?.[1], traces?.[2])
  })

  const broken = (run: () => unknown): RuleBroken => {
    try {
      run()
    } catch (error) {
      if (error instanceof RuleBroken) return error
      throw error
    }
    return assert.fail("no rule was broken")
  }

  it("is caught when it overdraws an account", () => {
    const apply: typeof Bank.definition.apply = (state, command) => {
      if (command._tag === "Open") return Bank.definition.apply(state, command, unstamped)
      const { from, to, amount } = command
      const [mine, other] = [state.balances.get(from), state.balances.get(to)]
      if (mine === undefined || other === undefined) return Bank.definition.apply(state, command, unstamped)
      const balances = new Map(state.balances).set(from, mine - amount).set(to, other + amount)
      return [
        { ...state, balances },
        { _tag: "Done", balance: mine - amount }
      ]
    }
    const error = broken(() => simulate({ ...Bank.definition, apply }, Bank.sample, { seeds: 5 }))
    assert.match(error.detail, /at index \d+: (\w+ has -\d+|\d+ was paid in)/)
  })

  it("is caught when it gives the same token twice", () => {
    const apply: typeof Lock.definition.apply = (state, command) => {
      const [after, result] = Lock.definition.apply(state, command, unstamped)
      return [command._tag === "Release" ? { ...after, lastToken: Math.max(0, after.lastToken - 1) } : after, result]
    }
    const error = broken(() => simulate({ ...Lock.definition, apply }, Lock.sample, { seeds: 5 }))
    assert.match(error.detail, /the last token went back|token \d+ after \d+/)
  })

  it("is caught when it depends on anything but its state and command", () => {
    let calls = 0
    const apply: typeof Counter.definition.apply = (state, { amount }) => {
      const value = state.value + amount
      return [{ value, additions: ++calls }, value]
    }
    const error = broken(() => simulate({ ...Counter.definition, apply }, Counter.sample, { seeds: 2 }))
    assert.notInclude(error.rule, "own rules")
  })

  it("is caught when it changes in place what it was given", () => {
    const apply: typeof Bank.definition.apply = (state, command) => {
      if (command._tag === "Open") return Bank.definition.apply(state, command, unstamped)
      ;(state as { opened: number }).opened++
      return [state, { _tag: "Done", balance: 0 }]
    }
    const error = broken(() => simulate({ ...Bank.definition, apply }, Bank.sample, { seeds: 2 }))
    assert.match(error.detail, /Cannot assign to read only property 'opened'/)
  })

  it("is caught when its schema refuses a state that it comes to", () => {
    const wrong = Schema.Struct({ value: Schema.Int, additions: Schema.Int.check(Schema.isLessThan(5)) })
    const error = broken(() => simulate({ ...Counter.definition, state: wrong }, Counter.sample, { seeds: 1 }))
    assert.match(error.detail, /a state that its schema refuses/)
  })

  it("is caught when it keeps more than its schema says, which a snapshot would leave out", () => {
    const apply: typeof Counter.definition.apply = (state, command) => {
      const [after, result] = Counter.definition.apply(state, command, unstamped)
      return [{ ...after, secret: 1 } as typeof after, result]
    }
    const error = broken(() => simulate({ ...Counter.definition, apply }, Counter.sample, { seeds: 1 }))
    assert.match(error.detail, /a state that its schema refuses: .*secret/s)
  })

  it("is told as a script, which tells it again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "balsa-example-"))
    try {
      const text = await readFile(join(root, "examples/counter/machine.ts"), "utf8")
      const file = join(folder, "machine.ts")
      const wrong = text
        .replace("const value = state.value + amount", "const value = state.value + Math.min(amount, 5)")
        .replaceAll("../../src/", `${root}/src/`)
        .replace('from "effect"', `from "${root}/node_modules/effect/dist/index.js"`)
      await writeFile(file, wrong)
      const { code, stdout } = await node("scripts/simulate.ts", "--machine", file, "--seeds", "3")
      assert.strictEqual(code, 1, stdout)
      assert.match(stdout, /breaks a rule: the machine keeps its own rules\n/)
      assert.match(stdout, /"_tag":"Add"/)
      const script = /--replay (\S+)/.exec(stdout)?.[1]
      const again = await node("scripts/simulate.ts", "--machine", file, "--replay", script ?? "no script was told")
      assert.strictEqual(again.code, 1)
      assert.match(again.stdout, /BROKEN: the machine keeps its own rules: at index \d+: -?\d+ and \d is not -?\d+/)
      await rm(resolve(script!, ".."), { recursive: true })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
