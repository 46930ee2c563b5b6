/** What answers mean, by table: etcd's texts and codes of 3.4 to 3.6, Balsa's, and those of things that are no gateway. */
import { assert, describe, it } from "vitest"
import type { Exchange } from "../../src/client/HttpExchange.ts"
import { judge, judgeError } from "../../src/client/Verdict.ts"

const endpoint = { host: "h", port: 1 }

/** The tag of the error, or who is asked next: "next", or "next, open" after a write that may have been carried out. */
const meaning = (answer: Exchange, stopsUnanswered: boolean): string => {
  const verdict = judge(endpoint, answer, stopsUnanswered)
  switch (verdict._tag) {
    case "Done":
      return "done"
    case "Stop":
      return verdict.error._tag
    case "GoOn":
      return verdict.isOpen ? "next, open" : "next"
  }
}

const answered = (status: number, body: unknown): Exchange => ({
  _tag: "Answered",
  status,
  body: typeof body === "string" ? body : JSON.stringify(body),
  headers: {}
})

const etcd = (message: string, code: number, status: number): Exchange =>
  answered(status, { error: message, message, code })

describe("an answer", () => {
  const table: ReadonlyArray<readonly [what: string, answer: Exchange, read: string, write: string]> = [
    ["a result", answered(200, { header: {} }), "done", "done"],
    ["HTML", answered(200, "<html>"), "UnexpectedAnswer", "UnexpectedAnswer"],
    ["JSON that is no object", answered(200, "[]"), "UnexpectedAnswer", "UnexpectedAnswer"],
    ["half an object", answered(200, `{"header":`), "UnexpectedAnswer", "UnexpectedAnswer"],
    ["an unknown path", answered(404, "Not Found"), "UnexpectedAnswer", "UnexpectedAnswer"],
    ["another place", answered(307, ""), "next", "next"],
    ["no connection", { _tag: "NotSent", reason: "ECONNREFUSED" }, "next", "next"],
    [
      "an end without an answer",
      { _tag: "Unanswered", reason: "ECONNRESET", timedOut: false },
      "next, open",
      "OutcomeUnknown"
    ],
    ["compacted", etcd("etcdserver: mvcc: required revision has been compacted", 11, 400), "Compacted", "Compacted"],
    [
      "the future",
      etcd("etcdserver: mvcc: required revision is a future revision", 11, 400),
      "FutureRevision",
      "FutureRevision"
    ],
    ["no lease", etcd("etcdserver: requested lease not found", 5, 404), "LeaseNotFound", "LeaseNotFound"],
    ["a lease twice", etcd("etcdserver: lease already exists", 9, 412), "LeaseExists", "LeaseExists"],
    ["no key", etcd("etcdserver: key not found", 3, 400), "KeyNotFound", "KeyNotFound"],
    [
      "too many operations",
      etcd("etcdserver: too many operations in txn request", 3, 400),
      "TooManyOperations",
      "TooManyOperations"
    ],
    ["a key twice", etcd("etcdserver: duplicate key given in txn request", 3, 400), "DuplicateKey", "DuplicateKey"],
    ["no space", etcd("etcdserver: mvcc: database space exceeded", 8, 429), "NoSpace", "NoSpace"],
    [
      "no space, as 3.6 says it",
      answered(429, { code: 8, message: "etcdserver: mvcc: database space exceeded", details: [] }),
      "NoSpace",
      "NoSpace"
    ],
    ["no key given", etcd("etcdserver: key is not provided", 3, 400), "RequestRefused", "RequestRefused"],
    ["a limit", etcd("etcdserver: too many requests", 8, 429), "RequestRefused", "RequestRefused"],
    ["a stranger", etcd("etcdserver: invalid auth token", 16, 401), "Unauthorized", "Unauthorized"],
    ["somebody without a right", etcd("etcdserver: permission denied", 7, 403), "Unauthorized", "Unauthorized"],
    ["no leader", etcd("etcdserver: no leader", 14, 503), "next", "next"],
    ["not the leader", etcd("etcdserver: not leader", 9, 412), "next", "next"],
    ["no answer of the cluster", etcd("etcdserver: request timed out", 14, 503), "next, open", "OutcomeUnknown"],
    ["another leader", etcd("etcdserver: leader changed", 14, 503), "next, open", "OutcomeUnknown"],
    [
      "an unknown outcome, of Balsa",
      answered(503, { code: 14, message: "etcdserver: request timed out", reason: "r", outcome_unknown: true }),
      "next, open",
      "OutcomeUnknown"
    ],
    [
      "no majority, of Balsa",
      answered(503, { code: 14, message: "etcdserver: request timed out", reason: "no majority" }),
      "next",
      "next"
    ],
    ["a proxy's 503", answered(503, "<html>"), "next, open", "OutcomeUnknown"],
    [
      "an error in the place of a first line",
      answered(503, { error: { grpc_code: 14, http_code: 503, message: "etcdserver: no leader" } }),
      "next",
      "next"
    ],
    [
      "an error as a line after all",
      answered(200, { error: { grpc_code: 5, message: "etcdserver: requested lease not found" } }),
      "LeaseNotFound",
      "LeaseNotFound"
    ]
  ]
  for (const [what, answer, read, write] of table) {
    it(what, () => assert.deepEqual([meaning(answer, false), meaning(answer, true)], [read, write]))
  }

  it("of a stream says by its code whether another may do", () => {
    const tag = (body: Record<string, unknown>): string => {
      const verdict = judgeError(endpoint, 0, body, false)
      return verdict._tag === "Stop" ? verdict.error._tag : verdict._tag
    }
    assert.strictEqual(tag({ grpc_code: 14, message: "etcdserver: no leader" }), "GoOn")
    assert.strictEqual(tag({ grpc_code: 7, message: "etcdserver: permission denied" }), "Unauthorized")
  })

  it("is said in words, with where it came from", () => {
    const verdict = judge(endpoint, etcd("etcdserver: requested lease not found", 5, 404), true)
    if (verdict._tag !== "Stop") return assert.fail(verdict._tag)
    assert.strictEqual(verdict.error.message, "h:1 declines: etcdserver: requested lease not found")
  })
})
