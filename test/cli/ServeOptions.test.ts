/** What a replica is started with, from flags and environment, and every way to get it wrong. */
import { Option, Result } from "effect"
import { describe, expect, test } from "vitest"
import * as ServeOptions from "../../src/cli/ServeOptions.ts"

type Given = Partial<Record<keyof ServeOptions.ServeFlags, string>>

const flags = (given: Given): ServeOptions.ServeFlags => {
  const flag = (name: keyof Given) => Option.fromUndefinedOr(given[name])
  return {
    id: flag("id"),
    peers: flag("peers"),
    cluster: flag("cluster"),
    listenClient: flag("listenClient"),
    listenPeer: flag("listenPeer"),
    dataDir: flag("dataDir"),
    heartbeat: flag("heartbeat"),
    electionTimeout: flag("electionTimeout"),
    snapshotLogSize: flag("snapshotLogSize"),
    snapshotCount: flag("snapshotCount"),
    quotaBytes: flag("quotaBytes"),
    historyRetention: flag("historyRetention"),
    maxConnections: flag("maxConnections"),
    logFormat: flag("logFormat")
  }
}

const parse = (given: Given, environment: Record<string, string> = {}) => ServeOptions.parse(flags(given), environment)

const good = (given: Given, environment: Record<string, string> = {}) => Result.getOrThrow(parse(given, environment))

const local = (port: number) => ({ host: "127.0.0.1", port })

describe("default addresses", () => {
  test("number the sorted ids from 1", () => {
    expect(good({ id: "A", peers: "B,C" })).toEqual({
      id: "A",
      cluster: "balsa",
      listenClient: local(7401),
      listenPeer: local(7501),
      given: { client: false, peer: false },
      peers: new Map([
        ["B", { peer: local(7502) }],
        ["C", { peer: local(7503) }]
      ]),
      dataDir: "./balsa-data/A",
      heartbeatMillis: 150,
      electionTimeoutMillis: 500,
      snapshotLogBytes: undefined,
      snapshotLogEntries: undefined,
      logFormat: "text"
    })
  })

  test("agree between all replicas, in whichever order they are named", () => {
    const ids = ["n10", "n9", "a", "B"]
    const views = ids.map((id) =>
      good({
        id,
        peers: ids
          .filter((other) => other !== id)
          .toReversed()
          .join(",")
      })
    )
    for (const view of views) {
      for (const other of views) {
        if (other !== view) expect(other.peers.get(view.id)?.peer).toEqual(view.listenPeer)
      }
    }
    expect(new Set(views.map(({ listenPeer }) => listenPeer.port))).toEqual(new Set([7501, 7502, 7503, 7504]))
    // By code unit: capitals first, n10 before n9.
    expect(views.map(({ listenClient }) => listenClient.port)).toEqual([7403, 7404, 7402, 7401])
  })

  test("a replica may be alone", () => {
    expect(good({ id: "A" })).toMatchObject({ listenClient: local(7401), peers: new Map() })
    expect(good({ id: "A", peers: "" }).peers.size).toBe(0)
  })

  test("are overridden one by one", () => {
    const options = good({ id: "B", peers: "A=10.0.0.1:9000, C", listenClient: "0.0.0.0:80", listenPeer: "[::1]:81" })
    expect(options.listenClient).toEqual({ host: "0.0.0.0", port: 80 })
    expect(options.listenPeer).toEqual({ host: "::1", port: 81 })
    expect([...options.peers]).toEqual([
      ["A", { peer: { host: "10.0.0.1", port: 9000 } }],
      ["C", { peer: local(7503) }]
    ])
  })
})

describe("environment", () => {
  const environment = {
    BALSA_ID: "B",
    BALSA_PEERS: "A,C",
    BALSA_CLUSTER: "test",
    BALSA_LISTEN_CLIENT: "127.0.0.1:1",
    BALSA_LISTEN_PEER: "127.0.0.1:2",
    BALSA_DATA_DIR: "/data",
    BALSA_HEARTBEAT: "50ms",
    BALSA_ELECTION_TIMEOUT: "0.5s",
    BALSA_LOG_FORMAT: "json"
  }

  test("gives what no flag does", () => {
    expect(good({}, environment)).toEqual({
      id: "B",
      cluster: "test",
      listenClient: local(1),
      listenPeer: local(2),
      given: { client: true, peer: true },
      peers: new Map([
        ["A", { peer: local(7501) }],
        ["C", { peer: local(7503) }]
      ]),
      dataDir: "/data",
      heartbeatMillis: 50,
      electionTimeoutMillis: 500,
      logFormat: "json"
    })
  })

  test("says how much may be kept, and for how long what was", () => {
    expect(good({ id: "A" })).toMatchObject({ quotaBytes: undefined, historyRetentionMillis: undefined })
    const given = { BALSA_QUOTA_BYTES: "8GiB", BALSA_HISTORY_RETENTION: "30m" }
    expect(good({ id: "A" }, given)).toMatchObject({ quotaBytes: 8 * 2 ** 30, historyRetentionMillis: 1_800_000 })
    expect(good({ id: "A", quotaBytes: "1000000", historyRetention: "2h" }, given)).toMatchObject({
      quotaBytes: 1_000_000,
      historyRetentionMillis: 7_200_000
    })
    expect(good({ id: "A", quotaBytes: "0", historyRetention: "0" }, given)).toMatchObject({
      quotaBytes: 0,
      historyRetentionMillis: 0
    })
  })

  test("says when to take snapshots", () => {
    const given = { BALSA_SNAPSHOT_LOG_SIZE: "16MiB", BALSA_SNAPSHOT_COUNT: "1000" }
    expect(good({ id: "A" }, given)).toMatchObject({ snapshotLogBytes: 16 * 2 ** 20, snapshotLogEntries: 1000 })
  })

  test("loses to a flag, and an empty variable is none", () => {
    expect(good({ id: "C", peers: "A", dataDir: "x" }, environment)).toMatchObject({ id: "C", dataDir: "x" })
    expect(good({ id: "A" }, { BALSA_PEERS: "", BALSA_DATA_DIR: "" }).dataDir).toBe("./balsa-data/A")
  })
})

describe("mistakes", () => {
  const cases: ReadonlyArray<readonly [string, Given, RegExp, Record<string, string>?]> = [
    ["no id", { peers: "B" }, /needs a name: add --id A/],
    ["an id with a slash", { id: "a/b" }, /--id: "a\/b" is not a replica id/],
    ["an id that leaves the data directory", { id: ".." }, /--id: "\.\." is not a replica id/],
    ["an id of 65 characters", { id: "x".repeat(65) }, /is not a replica id/],
    ["an empty id", { id: "" }, /is not a replica id/],
    ["a bad id from the environment", {}, /BALSA_ID: "a b" is not/, { BALSA_ID: "a b" }],
    ["the own id among the peers", { id: "A", peers: "A,B" }, /--peers names A, which is this replica/],
    ["the own id with an address", { id: "A", peers: "A=h:1,B" }, /--peers names A, which is this replica/],
    ["a peer twice", { id: "A", peers: "B,C,B" }, /--peers names B twice/],
    ["a peer that is no id", { id: "A", peers: "B C" }, /--peers: "B C" is not a replica id/],
    ["peers from the environment", { id: "A" }, /BALSA_PEERS names B twice/, { BALSA_PEERS: "B,B" }],
    ["a peer without a port", { id: "A", peers: "B=host" }, /--peers: B: "host" is not HOST:PORT/],
    ["a peer without a host", { id: "A", peers: "B=:7502" }, /":7502" is not HOST:PORT/],
    ["a bad port", { id: "A", listenClient: "h:70000" }, /--listen-client: "h:70000" has the port "70000"/],
    ["port zero", { id: "A", listenPeer: "h:0" }, /--listen-peer: "h:0" has the port "0"/],
    ["a port in words", { id: "A", listenPeer: "h:http" }, /has the port "http"/],
    ["a host with a blank", { id: "A", listenPeer: "a b:1" }, /is not HOST:PORT/],
    ["a bare IPv6 address", { id: "A", listenPeer: "::1:80" }, /is not HOST:PORT/],
    [
      "two peers at one address",
      { id: "A", peers: "B=h:1,C=h:1" },
      /h:1 is the address of B for peers and of C for peers/
    ],
    [
      "a peer at the own address",
      { id: "A", peers: "B=127.0.0.1:7501" },
      /127.0.0.1:7501 is the address of A for peers/
    ],
    [
      "one address for both",
      { id: "A", listenClient: "h:1", listenPeer: "h:1" },
      /h:1 is the address of A for clients and of A/
    ],
    ["a size without a unit", { id: "A", snapshotLogSize: "64" }, /--snapshot-log-size: "64" is no size/],
    ["a quota that is no size", { id: "A", quotaBytes: "much" }, /--quota-bytes: "much" is no size/],
    ["no connections", { id: "A", maxConnections: "0" }, /--max-connections: "0" is no number from 1 on/],
    ["a time without a unit", { id: "A", historyRetention: "60" }, /--history-retention: "60" is no duration/],
    ["a size of nothing", { id: "A", snapshotLogSize: "0MiB" }, /--snapshot-log-size: "0MiB" is no size/],
    ["a number that is none", { id: "A", snapshotCount: "many" }, /--snapshot-count: "many" is no number/],
    ["a number of nothing", { id: "A", snapshotCount: "0" }, /--snapshot-count: "0" is no number/],
    ["a duration without a unit", { id: "A", heartbeat: "50" }, /--heartbeat: "50" is no duration/],
    ["no time at all", { id: "A", electionTimeout: "0s" }, /--election-timeout: "0s" is no duration/],
    [
      "too little patience for the usual heartbeat",
      { id: "A", electionTimeout: "150ms" },
      /at least twice the heartbeat/
    ],
    ["too slow a heartbeat for the usual patience", { id: "A", heartbeat: "2s" }, /at least twice the heartbeat/],
    ["an empty data directory", { id: "A", dataDir: "" }, /--data-dir is empty/],
    ["too little patience", { id: "A", heartbeat: "50ms", electionTimeout: "60ms" }, /at least twice the heartbeat/],
    ["a bad cluster name", { id: "A", cluster: "a b" }, /--cluster: "a b" is not a cluster name/],
    ["a bad log format", { id: "A", logFormat: "xml" }, /--log-format: "xml" is not a log format/]
  ]
  for (const [name, given, message, environment] of cases) {
    test(name, () => {
      const parsed = parse(given, environment)
      const error = Result.isFailure(parsed) ? parsed.failure : undefined
      expect(error?._tag).toBe("UsageError")
      expect(error?.message).toMatch(message)
      expect(error?.message).not.toContain("\n")
    })
  }
})

describe("joining", () => {
  const join = (given: object, environment: Record<string, string> = {}) =>
    ServeOptions.parse({ ...flags({ id: "D" }), ...given }, environment)

  test("takes members' addresses for clients, from a flag or the environment", () => {
    const members = [
      { host: "10.0.0.1", port: 7401 },
      { host: "10.0.0.2", port: 7402 }
    ]
    const given = join({ join: Option.some("10.0.0.1:7401,10.0.0.2:7402"), learner: true })
    expect(Result.getOrThrow(given).join).toEqual({ members, learner: true })
    const environment = { BALSA_JOIN: "10.0.0.1:7401" }
    expect(Result.getOrThrow(join({}, environment)).join).toEqual({ members: members.slice(0, 1), learner: false })
    expect(Result.getOrThrow(join({})).join).toBeUndefined()
  })

  test.each([
    [{ learner: true }, /add --join/],
    [{ join: Option.some("nowhere") }, /"nowhere"/],
    [{ join: Option.some(",") }, /names no member/],
    [{ join: Option.some("10.0.0.1:7401"), listenPeer: Option.some("0.0.0.0:7501") }, /others have to reach/],
    [{ join: Option.some("10.0.0.1:7401"), listenPeer: Option.some("[::]:7501") }, /others have to reach/]
  ])("refuses %j", (given, message) => {
    const parsed = join(given)
    expect(Result.isFailure(parsed) && parsed.failure.message).toMatch(message)
  })

  test("what a variable says is true or false, and nothing else", () => {
    const given = { join: Option.some("10.0.0.1:7401") }
    const learner = (value: string) => join(given, { BALSA_LEARNER: value })
    expect(Result.getOrThrow(learner("TRUE")).join?.learner).toBe(true)
    for (const value of ["false", ""]) expect(Result.getOrThrow(learner(value)).join?.learner).toBe(false)
    for (const parsed of [learner("1"), join({}, { BALSA_READ_LEASE: "yes" })]) {
      expect(Result.isFailure(parsed) && parsed.failure.message).toMatch(/neither true nor false/)
    }
  })
})

describe("leases", () => {
  const lease = (given: object) => ServeOptions.parse({ ...flags({ id: "A" }), ...given }, {})

  test("are opted for, with a drift as a share or in percent", () => {
    expect(Result.getOrThrow(lease({})).lease).toBeUndefined()
    expect(Result.getOrThrow(lease({ readLease: true })).lease).toEqual({ maxClockDrift: undefined })
    for (const text of ["0.02", "2%"]) {
      const parsed = lease({ readLease: true, maxClockDrift: Option.some(text) })
      expect(Result.getOrThrow(parsed).lease).toEqual({ maxClockDrift: 0.02 })
    }
  })

  test.each([
    [{ maxClockDrift: Option.some("0.02") }, /add --read-lease/],
    [{ readLease: true, maxClockDrift: Option.some("60%") }, /not a drift/],
    [{ readLease: true, maxClockDrift: Option.some("-1") }, /not a drift/]
  ])("refuse %j", (given, message) => {
    const parsed = lease(given)
    expect(Result.isFailure(parsed) && parsed.failure.message).toMatch(message)
  })
})
