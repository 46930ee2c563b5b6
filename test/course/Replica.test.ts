/** A few replicas in virtual time, over a network that delivers at once. */
import { describe, expect, test } from "vitest"
import * as Replica from "../../src/course/Replica.ts"
import type { CourseMessage } from "../../src/course/CourseMessage.ts"

const ids = ["0000", "0001", "0002"]

const make = (seed: number) => {
  const replicas = new Map<string, Replica.CourseReplica>()
  const deadlines = new Map<string, number>()
  const told: Array<CourseMessage> = []
  const spoken: Array<{ readonly at: number; readonly message: CourseMessage }> = []
  const queue: Array<CourseMessage> = []
  let now = 0
  const take = (id: string, { send, deadline }: Replica.Step): void => {
    deadlines.set(id, deadline)
    for (const message of send) {
      if (message.type === "raft") spoken.push({ at: now, message })
      if (ids.includes(message.dst)) queue.push(message)
      else told.push(message)
    }
  }
  for (const [at, id] of ids.entries()) {
    const { replica, step } = Replica.create({ id, peers: ids.filter((one) => one !== id), seed: seed + at, now })
    replicas.set(id, replica)
    take(id, step)
  }
  const settle = (): void => {
    for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
      const replica = replicas.get(message.dst)
      if (replica !== undefined) take(message.dst, replica.receive(now, message))
    }
  }
  const until = (end: number): void => {
    for (let steps = 0; steps < 10_000; steps++) {
      const [id, deadline] = [...deadlines].reduce((one, two) => (two[1] < one[1] ? two : one))
      if (deadline > end) break
      now = Math.max(now, deadline)
      take(id, replicas.get(id)!.fire(now))
      settle()
    }
    now = end
  }
  const ask = (message: Partial<CourseMessage> & { readonly dst: string; readonly type: string }): void => {
    queue.push({ src: "0010", leader: "FFFF", MID: "m", ...message })
    settle()
  }
  const kill = (id: string): void => {
    replicas.delete(id)
    deadlines.delete(id)
  }
  return { told, spoken, until, ask, kill }
}

describe("three replicas", () => {
  test.each([1, 2, 3, 4, 5])("say hello, and nothing else to each other for two seconds (%d)", (seed) => {
    const { told, spoken, until } = make(seed)
    expect(told.map(({ src, dst, type }) => [src, dst, type])).toEqual(ids.map((id) => [id, "FFFF", "hello"]))
    until(20_000)
    expect(spoken.length).toBeGreaterThan(0)
    expect(spoken[0]!.at).toBeGreaterThanOrEqual(2000)
  })

  test("send a client to their leader, which answers, and answers for a dead one", () => {
    const { told, until, ask, kill } = make(7)
    until(6000)
    for (const dst of ids) ask({ dst, type: "get", MID: `get ${dst}`, key: "k" })
    const answers = told.filter(({ type }) => type !== "hello")
    const leader = answers.find(({ type }) => type === "ok")!.src
    expect(answers.every((answer) => answer.leader === leader)).toBe(true)
    expect(answers.map(({ type }) => type).sort()).toEqual(["ok", "redirect", "redirect"])
    expect(answers.find(({ type }) => type === "ok")).toMatchObject({ MID: `get ${leader}`, value: "" })
    ask({ dst: leader, type: "put", MID: "put", key: "k", value: "v" })
    expect(told.at(-1)).toEqual({ src: leader, dst: "0010", leader, type: "ok", MID: "put" })
    kill(leader)
    const [one] = ids.filter((id) => id !== leader)
    ask({ dst: one!, type: "get", MID: "late", key: "k", src: "0011" })
    expect(told.at(-1)).toMatchObject({ type: "redirect", MID: "late" })
    ask({ dst: one!, type: "get", MID: "later", key: "k", src: "0011" })
    expect(told.at(-1)).toMatchObject({ MID: "late" })
    until(16_000)
    const next = told.at(-1)!
    expect(next.leader).not.toBe(leader)
    ask({ dst: next.leader, type: "get", MID: "last", key: "k" })
    expect(told.at(-1)).toMatchObject({ type: "ok", MID: "last", value: "v" })
  })

  test("answer what they cannot use, and nothing that is no message", () => {
    const { told, ask } = make(1)
    ask({ dst: "0000", type: "put", key: "k" })
    expect(told.at(-1)).toMatchObject({ src: "0000", dst: "0010", type: "fail", MID: "m" })
    const before = told.length
    ask({ dst: "0000", type: "sing" })
    ask({ dst: "0000", type: "raft", raft: "AAAA" })
    expect(told.length).toBe(before)
  })
})
