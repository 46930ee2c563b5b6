import { describe, expect, it } from "vitest"
import type { CourseMessage } from "../../../src/course/CourseMessage.ts"
import * as Network from "../../../src/sim/course/Network.ts"
import { small } from "./Configurations.ts"

const from = (src: string, dst: string, more: Partial<CourseMessage> = {}): CourseMessage => ({
  src,
  dst,
  leader: "0000",
  type: "append",
  ...more
})

/** All have said hello. */
const ready = (more: Readonly<Record<string, unknown>> = {}, seed = 1): Network.Network => {
  const network = Network.create(small(more), seed)
  for (const id of network.replicas.keys()) Network.receive(network, 0, id, from(id, "FFFF", { type: "hello" }))
  return network
}

const recipients = (orders: ReadonlyArray<Network.Order>): ReadonlyArray<string> =>
  orders.flatMap((order) => (order._tag === "Deliver" ? [order.to] : []))

/** Sends from each to all, and says who hears whom. */
const whoHears = (network: Network.Network): ReadonlyArray<string> =>
  [...network.replicas.keys()].map((id) =>
    recipients(Network.receive(network, 0, id, from(id, "FFFF", { leader: network.leader }))).join(" ")
  )

/** The first request, and the answer to it. */
const firstRequest = (network: Network.Network): CourseMessage => {
  const [order] = Network.advance(network, 5000)
  expect(order?._tag).toBe("Deliver")
  return (order as Extract<Network.Order, { readonly _tag: "Deliver" }>).message
}

describe("the network between replicas", () => {
  it("counts every recipient", () => {
    const network = ready()
    expect(recipients(Network.receive(network, 1, "0001", from("0001", "FFFF")))).toEqual([
      "0000",
      "0002",
      "0003",
      "0004"
    ])
    expect(recipients(Network.receive(network, 1, "0001", from("0001", "0002")))).toEqual(["0002"])
    expect(network.tally.messages).toBe(5)
  })

  it("does not count or pass on a hello", () => {
    const network = ready()
    expect(network.tally.messages).toBe(0)
    expect(network.tally.incorrect).toBe(0)
  })

  it("loses the share that it is told, and counts it all the same", () => {
    const network = ready({ drops: 0.25, max_packets: 100_000 })
    for (let at = 0; at < 2500; at++) Network.receive(network, 1, "0000", from("0000", "FFFF"))
    expect(network.tally.messages).toBe(10_000)
    expect(network.tally.dropped / 10_000).toBeCloseTo(0.25, 1)
  })

  it("stops at so many messages", () => {
    const network = ready({ max_packets: 100 })
    for (let at = 0; at < 24; at++) Network.receive(network, 1, "0000", from("0000", "FFFF"))
    expect(Network.isOver(network, 1)).toBe(false)
    Network.receive(network, 1, "0000", from("0000", "FFFF"))
    expect(Network.isOver(network, 1)).toBe(true)
  })

  it("takes for dead whom somebody speaks to before the hello, and hears no more of it", () => {
    const network = Network.create(small(), 1)
    Network.receive(network, 0, "0000", from("0000", "FFFF", { type: "hello" }))
    expect(Network.receive(network, 1, "0000", from("0000", "0001"))).toEqual([])
    expect(network.tally.died.map(({ id }) => id)).toEqual(["0001"])
    Network.receive(network, 2, "0001", from("0001", "FFFF", { type: "hello" }))
    expect(recipients(Network.receive(network, 3, "0000", from("0000", "0001")))).toEqual([])
  })

  it("parts them: easily with the leader in the majority, hard at random", () => {
    const easy = ready({
      start_wait: 0,
      requests: 0,
      events: [
        { type: "part_easy", time: 1 },
        { type: "part_end", time: 2 }
      ]
    })
    Network.receive(easy, 0, "0003", from("0003", "0000", { leader: "0003" }))
    const [part] = Network.advance(easy, 1000)
    const together = part?._tag === "Part" ? part.together : []
    expect(together).toHaveLength(3)
    expect(together).toContain("0003")
    for (const [at, heard] of whoHears(easy).entries()) {
      const id = `000${at}`
      const side = [...easy.replicas.keys()].filter((other) => together.includes(other) === together.includes(id))
      expect(heard).toBe(side.filter((other) => other !== id).join(" "))
    }
    Network.advance(easy, 2000)
    expect(whoHears(easy)[0]).toBe("0001 0002 0003 0004")

    const withLeader = Array.from({ length: 200 }, (_, seed) => {
      const hard = ready({ start_wait: 0, requests: 0, events: [{ type: "part_hard", time: 1 }] }, seed)
      Network.receive(hard, 0, "0003", from("0003", "0000", { leader: "0003" }))
      const [order] = Network.advance(hard, 1000)
      return order?._tag === "Part" && order.together.includes("0003")
    }).filter(Boolean).length
    expect(withLeader).toBeGreaterThan(90)
    expect(withLeader).toBeLessThan(150)
  })

  it("lets clients through to both sides", () => {
    const network = ready({ mix: 0, events: [{ type: "part_hard", time: 0 }] })
    const asked = new Set(
      Array.from({ length: 100 }, (_, at) => recipients(Network.advance(network, 5000 + 100 * at))).flat()
    )
    expect([...asked].sort()).toEqual(["0000", "0001", "0002", "0003", "0004"])
  })

  it("kills whom the last message named, and another one for a non-leader", () => {
    const events = [
      { type: "kill_leader", time: 1 },
      { type: "kill_non_leader", time: 2 }
    ]
    const network = ready({ start_wait: 0, requests: 0, events })
    Network.receive(network, 0, "0001", from("0001", "0002", { leader: "0004" }))
    expect(Network.advance(network, 1000)).toEqual([{ _tag: "Kill", id: "0004", why: "kill_leader" }])
    Network.receive(network, 1500, "0001", from("0001", "0002", { leader: "0001" }))
    const [order] = Network.advance(network, 2000)
    expect(order?._tag === "Kill" ? order.id : "").toMatch(/^000[023]$/)
    expect(Network.receive(network, 2001, "0004", from("0004", "0001"))).toEqual([])
    expect(network.tally.killed).toHaveLength(2)
    expect(network.tally.died).toEqual([])
  })

  it("kills nobody when nobody is named", () => {
    const network = ready({ start_wait: 0, requests: 0, events: [{ type: "kill_leader", time: 1 }] })
    expect(Network.advance(network, 1000)).toEqual([])
    expect(network.tally.killed).toEqual([])
  })
})

describe("its clients", () => {
  it("ask at even distances, the first at the start", () => {
    const network = ready()
    const times: Array<number> = []
    while (!Network.isOver(network, Network.nextAt(network))) {
      times.push(Network.nextAt(network))
      Network.advance(network, Network.nextAt(network))
    }
    expect(times).toEqual(Array.from({ length: 100 }, (_, at) => 5000 + 100 * at))
    expect(Network.nextAt(network)).toBe(17_000)
  })

  it("put first, and get when they have an ok", () => {
    const network = ready({ mix: 1 })
    const first = firstRequest(network)
    expect(first).toMatchObject({ type: "put", leader: "FFFF" })
    expect([first.MID?.length, first.key?.length, first.value?.length]).toEqual([16, 32, 32])
    expect(network.tally.getsNotGenerated).toBe(1)
    Network.receive(
      network,
      5003,
      first.dst,
      from(first.dst, first.src, { type: "ok", MID: first.MID!, leader: "0002" })
    )
    const [next] = Network.advance(network, 5100)
    expect(next).toMatchObject({ to: "0002", message: { type: "get", src: first.src, key: first.key, leader: "0002" } })
    expect(network.tally).toMatchObject({ getsNotGenerated: 1, putsStored: 1, latenciesMillis: [3] })
  })

  it("ask again at once after a redirect, elsewhere and under another name", () => {
    const network = ready({ mix: 0 })
    const first = firstRequest(network)
    const [again] = Network.receive(
      network,
      5001,
      first.dst,
      from(first.dst, first.src, { type: "redirect", MID: first.MID!, leader: "0003" })
    )
    expect(again).toMatchObject({ to: "0003", message: { key: first.key, value: first.value, leader: "0003" } })
    expect((again as { readonly message: CourseMessage }).message.MID).not.toBe(first.MID)
    expect(network.tally).toMatchObject({ redirects: 1, fails: 0, messages: 0, latenciesMillis: [1] })
  })

  it("ask any living one when they do not know, or the one that they know is dead", () => {
    const network = ready({ mix: 0, events: [{ type: "kill_leader", time: 0.05 }] })
    const first = firstRequest(network)
    Network.receive(
      network,
      5001,
      first.dst,
      from(first.dst, first.src, { type: "ok", MID: first.MID!, leader: "0001" })
    )
    Network.advance(network, 5050)
    expect(network.tally.killed).toEqual(["0001"])
    const asked = Array.from({ length: 90 }, (_, at) => recipients(Network.advance(network, 5100 + 100 * at))).flat()
    expect(asked).toHaveLength(90)
    expect(new Set(asked)).toEqual(new Set(["0000", "0002", "0003", "0004"]))
  })

  it("leave open at the end what nobody answered", () => {
    const network = ready({ mix: 0 })
    for (let at = 0; at < 100; at++) Network.advance(network, 5000 + 100 * at)
    expect(Network.finish(network)).toMatchObject({ puts: 100, putsUnanswered: 100, getsUnanswered: 0 })
  })
})
