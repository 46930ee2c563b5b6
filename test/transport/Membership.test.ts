import { assert, describe, it } from "@effect/vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import { Membership } from "../../src/transport/Membership.ts"

const [A, B, C, D] = ["A", "B", "C", "D"].map(ReplicaId) as [ReplicaId, ReplicaId, ReplicaId, ReplicaId]

const at = (...ids: ReadonlyArray<ReplicaId>) => new Map(ids.map((id) => [id, `${id.toLowerCase()}:1`]))

const make = (
  members: ReadonlyMap<ReplicaId, string>,
  { joining = () => false, maxRememberedPeers = 2 }: { joining?: () => boolean; maxRememberedPeers?: number } = {}
) => new Membership({ id: A, joining, limits: { formerPeerMillis: 1000, maxRememberedPeers } }, members)

const known = (membership: Membership) =>
  Array.from(membership.known(), ([id, { address, relation }]) => `${id} ${address} ${relation}`)

describe("members", () => {
  it("are dialled and accepted, all but oneself", () => {
    const membership = make(at(A, B))
    assert.deepStrictEqual(known(membership), ["B b:1 Member"])
    assert.deepStrictEqual(
      [B, C].map((id) => membership.standingOf(id)),
      ["Accepted", "UnknownPeer"]
    )
  })

  it("change only when they differ", () => {
    const membership = make(at(B, C))
    assert.isFalse(membership.set(at(A, C, B), 0))
    assert.isTrue(membership.set(at(A, B, C, D), 0))
    assert.isFalse(membership.set(at(B, C, D), 0))
    assert.isTrue(membership.set(new Map([...at(B, C), [D, "elsewhere:1"]]), 0))
    assert.deepStrictEqual(known(membership), ["B b:1 Member", "C c:1 Member", "D elsewhere:1 Member"])
    assert.isTrue(membership.set(at(B, C), 0))
  })
})

describe("a removed one", () => {
  it("is kept for a while, then refused and told so", () => {
    const membership = make(at(B, C))
    membership.set(at(B), 500)
    assert.deepStrictEqual(known(membership), ["B b:1 Member", "C c:1 Former"])
    assert.strictEqual(membership.size, 2)
    assert.isFalse(membership.expire(1499))
    assert.strictEqual(membership.standingOf(C), "Accepted")
    assert.isTrue(membership.expire(1500))
    assert.deepStrictEqual(known(membership), ["B b:1 Member"])
    assert.strictEqual(membership.standingOf(C), "Removed")
    assert.strictEqual(membership.size, 1)
  })

  it("may come back, within the while and after it", () => {
    for (const backAt of [100, 5000]) {
      const membership = make(at(B, C))
      membership.set(at(B), 0)
      membership.expire(backAt)
      membership.set(at(B, C), backAt)
      assert.deepStrictEqual(known(membership), ["B b:1 Member", "C c:1 Member"])
      assert.isFalse(membership.expire(backAt + 100_000))
      assert.strictEqual(membership.standingOf(C), "Accepted")
    }
  })

  it("counts its while from when it was removed, whatever else changes", () => {
    const membership = make(at(B, C))
    membership.set(at(B), 0)
    membership.set(at(B, D), 900)
    assert.isTrue(membership.expire(1000))
    assert.strictEqual(membership.standingOf(C), "Removed")
  })

  it("is one of few that are remembered: the oldest is removed early, and forgotten in the end", () => {
    const many = Array.from({ length: 6 }, (_, i) => ReplicaId(`R${i}`))
    const membership = make(at(...many))
    for (let gone = 1; gone <= many.length; gone++) membership.set(at(...many.slice(gone)), gone)
    // Two are kept, two are known as removed, the oldest two are strangers.
    assert.deepStrictEqual(
      many.map((id) => membership.standingOf(id)),
      ["UnknownPeer", "UnknownPeer", "Removed", "Removed", "Accepted", "Accepted"]
    )
    assert.strictEqual(membership.size, 2)
  })
})

describe("a guest", () => {
  const joiner = () => {
    const state = { joining: true }
    return { state, membership: make(new Map(), { joining: () => state.joining }) }
  }

  it("is accepted while anybody is, and dialled where it says that it listens", () => {
    const { state, membership } = joiner()
    assert.strictEqual(membership.standingOf(B), "Accepted")
    assert.isTrue(membership.welcome({ id: B, address: "b:1", nowMillis: 0 }))
    assert.isFalse(membership.welcome({ id: B, address: "b:1", nowMillis: 1 }))
    assert.isFalse(membership.welcome({ id: C, address: undefined, nowMillis: 1 }))
    assert.deepStrictEqual(known(membership), ["B b:1 Guest"])
    assert.deepStrictEqual(
      [B, C].map((id) => membership.has(id)),
      [true, false]
    )
    assert.isTrue(membership.welcome({ id: B, address: "elsewhere:1", nowMillis: 2 }))
    assert.isTrue(membership.welcome({ id: B, address: undefined, nowMillis: 3 }))
    assert.deepStrictEqual(known(membership), [])
    state.joining = false
    assert.strictEqual(membership.standingOf(D), "UnknownPeer")
    assert.isFalse(membership.welcome({ id: D, address: "d:1", nowMillis: 3 }))
  })

  it("stays for a while after that, and gets no older before", () => {
    const { state, membership } = joiner()
    membership.welcome({ id: B, address: "b:1", nowMillis: 0 })
    assert.isFalse(membership.expire(5000))
    state.joining = false
    assert.isFalse(membership.expire(5999))
    assert.strictEqual(membership.standingOf(B), "Accepted")
    assert.isTrue(membership.expire(6000))
    assert.strictEqual(membership.standingOf(B), "UnknownPeer")
    assert.deepStrictEqual(known(membership), [])
  })

  it("becomes a member when it is one, and then does not end", () => {
    const { state, membership } = joiner()
    membership.welcome({ id: B, address: "b:1", nowMillis: 0 })
    membership.set(at(A, B), 1)
    state.joining = false
    assert.isFalse(membership.expire(100_000))
    assert.deepStrictEqual(known(membership), ["B b:1 Member"])
  })

  it("may be one that was removed as far as we know: we may be the one that is behind", () => {
    const state = { joining: false }
    const membership = make(at(B, C), { joining: () => state.joining })
    membership.set(at(B), 0)
    membership.expire(1000)
    assert.strictEqual(membership.standingOf(C), "Removed")
    state.joining = true
    assert.strictEqual(membership.standingOf(C), "Accepted")
    state.joining = false
    assert.strictEqual(membership.standingOf(C), "Removed")
  })

  it("has a name that an operator could have given, and not our own", () => {
    const { membership } = joiner()
    for (const name of ["", "A", "B\nC", "B C", "\u001b[31m", "å", "x".repeat(65)]) {
      const id = ReplicaId(name)
      assert.strictEqual(membership.standingOf(id), "UnknownPeer", JSON.stringify(name))
      assert.isFalse(membership.welcome({ id, address: "b:1", nowMillis: 0 }))
    }
    assert.strictEqual(membership.standingOf(ReplicaId(`B-2_c.example${"x".repeat(50)}`)), "Accepted")
    // A member may have any.
    membership.set(new Map([[ReplicaId("å"), "å:1"]]), 0)
    assert.strictEqual(membership.standingOf(ReplicaId("å")), "Accepted")
  })

  it("is one of few, and the oldest makes room", () => {
    const { membership } = joiner()
    for (const id of [B, C, D]) membership.welcome({ id, address: `${id}:1`, nowMillis: 0 })
    assert.deepStrictEqual(known(membership), ["C C:1 Guest", "D D:1 Guest"])
  })
})
