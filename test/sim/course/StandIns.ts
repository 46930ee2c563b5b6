/**
 * Replicas for tests of the course's simulator. The honest one is no store to use: the replica with the least id keeps
 * everything in its memory and tells the others, and nothing is elected. Each of the wrong ones breaks one rule.
 */
import type { CourseMessage } from "../../../src/course/CourseMessage.ts"
import type { Start, Step } from "../../../src/course/Replica.ts"

export type Flaw =
  | "none"
  | "stale get"
  | "no value"
  | "ok after fail"
  | "redirect twice"
  | "answers twice"
  | "answers before it is asked"
  | "redirect storm"
  | "fails everything"
  | "malformed"
  | "no leader"
  | "unknown recipient"
  | "someone else's name"
  | "unknown answer"
  | "dies"
  | "speaks too early"
  | "without hello"
  | "answers nothing"
  | "answers no get"
  | "stores nothing"
  | "tells nobody"
  | "wakes without end"

const never = Number.POSITIVE_INFINITY

export const withFlaw =
  (flaw: Flaw): Start =>
  ({ id, peers, now }) => {
    const leader = [id, ...peers].sort()[0]!
    const values = new Map<string, string>()
    const older = new Map<string, string>()
    let asked = 0

    const hello: CourseMessage = { src: id, dst: "FFFF", leader: "FFFF", type: "hello" }
    const to = (dst: string, type: string, more: Readonly<Record<string, unknown>> = {}): CourseMessage => ({
      src: id,
      dst,
      leader,
      type,
      ...more
    })
    const sent = (...send: ReadonlyArray<CourseMessage>): Step => ({ send, deadline: never })

    const honest = (message: CourseMessage): ReadonlyArray<CourseMessage> => {
      const { src, MID, key, value } = message
      if (message.type !== "get" && message.type !== "put") return []
      if (id !== leader) return [to(src, "redirect", { MID })]
      if (message.type === "get") return [to(src, "ok", { MID, value: values.get(key!) ?? "" })]
      older.set(key!, values.get(key!) ?? "")
      values.set(key!, value!)
      return [...peers.map((peer) => to(peer, "append", { key, value })), to(src, "ok", { MID })]
    }

    const flawed = (message: CourseMessage): ReadonlyArray<CourseMessage> => {
      const right = honest(message)
      const { src, MID, key } = message
      if (message.type !== "get" && message.type !== "put") return right
      asked++
      const often = asked % 10 === 0
      const get = message.type === "get" && id === leader
      switch (flaw) {
        case "none":
        case "speaks too early":
        case "wakes without end":
          return right
        case "stale get":
          return get && older.get(key!) !== "" ? [to(src, "ok", { MID, value: older.get(key!) })] : right
        case "no value":
          return get ? [to(src, "ok", { MID })] : right
        case "ok after fail":
          return often && id === leader ? [to(src, "fail", { MID }), ...right] : right
        case "redirect twice":
          return id === leader ? right : [...right, ...right]
        case "answers twice":
          return often ? [...right, ...right] : right
        case "answers before it is asked":
          return [...right, to(src, "ok", { MID: "SIXTEEN_LETTERS_" })]
        case "redirect storm":
          return [{ ...to(src, "redirect", { MID }), leader: "FFFF" }]
        case "fails everything":
          return [to(src, "fail", { MID })]
        case "malformed":
          return often ? [...right, { src: id, dst: src } as unknown as CourseMessage] : right
        case "no leader":
          return right.map((one) => ({ ...one, leader: "none" }))
        case "unknown recipient":
          return often ? [...right, to("BEEF", "append")] : right
        case "someone else's name":
          return often ? [...right, { ...to(peers[0]!, "append"), src: peers[1]! }] : right
        case "unknown answer":
          return often ? [...right, to(src, "sorry", { MID })] : right
        case "dies":
          if (asked > 20 && id === leader) throw new Error("out of memory")
          return right
        case "without hello":
          return right
        case "answers nothing":
          return []
        case "answers no get":
          return message.type === "get" ? [] : right
        case "stores nothing":
          return message.type === "put" ? [] : right
        case "tells nobody":
          return right.filter(({ type }) => type !== "append")
      }
    }

    const early = flaw === "speaks too early" ? peers.map((peer) => to(peer, "append")) : []
    const restless = flaw === "wakes without end" && id === leader
    return {
      replica: {
        receive: (_, message) => ({ send: flawed(message), deadline: restless ? now : never }),
        fire: (at) => (restless ? { send: [], deadline: at } : sent())
      },
      step: flaw === "without hello" ? sent(to(peers[0]!, "append")) : sent(hello, ...early)
    }
  }

export const create = withFlaw("none")
