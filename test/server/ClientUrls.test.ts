/** Where clients are told to call: never at an address that nobody can dial. */
import { expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as ClientUrls from "../../src/server/ClientUrls.ts"
import * as FakeReplica from "./FakeReplica.ts"

test("who listens everywhere is reached where peers reach it, or nowhere", () => {
  expect(ClientUrls.ownAddress({ host: "10.0.0.1", port: 7401 }, undefined)).toBe("10.0.0.1:7401")
  for (const host of ["0.0.0.0", "::"]) {
    expect(ClientUrls.ownAddress({ host, port: 7401 }, "10.0.0.1:7501")).toBe("10.0.0.1:7401")
    expect(ClientUrls.ownAddress({ host, port: 7401 }, "[fe80::1]:7501")).toBe("[fe80::1]:7401")
    expect(ClientUrls.ownAddress({ host, port: 7401 }, undefined)).toBeUndefined()
  }
})

test("others are called where they said, and those that said nothing are not", () => {
  const [A, B, C] = [ReplicaId("A"), ReplicaId("B"), ReplicaId("C")]
  const replica = FakeReplica.make()
  const told = { relation: "Member", connected: false, lastError: "away", dropped: 0 } as const
  replica.differing = {
    connections: [
      { ...told, id: B, address: "10.0.0.2:7502", clientAddress: "10.0.0.2:7402" },
      { ...told, id: C, address: "10.0.0.3:7503" }
    ]
  }
  const urls = ClientUrls.of(replica, "10.0.0.1:7401")
  expect([A, B, C].map(urls)).toEqual([["http://10.0.0.1:7401"], ["http://10.0.0.2:7402"], []])
  expect(ClientUrls.of(replica, undefined)(A)).toEqual([])
})
