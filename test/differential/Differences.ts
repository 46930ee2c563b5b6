/**
 * Where Balsa means to answer a request otherwise than etcd, with the reason. It is one list: the tests hold every
 * difference against it, and fail if one is not on it, or if one that is on it is none any more; and
 * docs/etcd-compatibility.md has its table from it.
 */
import type { Trial } from "./bad-input/Trial.ts"
import type { Difference } from "./Run.ts"

export interface Listed {
  readonly request: string
  readonly etcd: string
  readonly balsa: string
  readonly reason: string
  /** Among bad requests; `undefined` where none of them shows it. */
  readonly is: ((trial: Trial) => boolean) | undefined
  /** Among random sequences. */
  readonly isIn?: (difference: Difference) => boolean
}

/** How Go tells of JSON that it does not like. */
const wordsOfGo =
  /"(error|message)":"(json: |invalid character|unexpected E|unexpected end|illegal base64|unknown value|strconv)|grpc_code/

const isRefused = ({ balsa }: Trial): boolean => balsa.status === 400 && balsa.text.includes('"error":"balsa: ')
const isRefusedByGo = ({ etcd }: Trial): boolean => etcd.status >= 400 && wordsOfGo.test(etcd.text)
const value = ({ input }: Trial): string => /: (.*)$/s.exec(input.what)?.[1] ?? ""
const isBody = ({ input }: Trial, ...bodies: ReadonlyArray<string>): boolean =>
  bodies.some((body) => input.what === `body ${JSON.stringify(body)}`)

const reading: ReadonlyArray<Listed> = [
  {
    request: "JSON that is none, a field of the wrong type, wrong base64",
    etcd: "400 in Go's words, without the field's name; 500 on streams",
    balsa: "400 on all, code 3; names the field or the position",
    reason: "who reads it can find the mistake",
    is: (trial) => isRefused(trial) && isRefusedByGo(trial)
  },
  {
    request: "base64 that is URL-safe, or without padding",
    etcd: "400 `illegal base64 data at input byte 0`",
    balsa: "read",
    reason: "it can mean one thing only",
    is: (trial) => /^"(YQ|_-8=|YWI_)"$/.test(value(trial)) && isRefusedByGo(trial)
  },
  {
    request: "a whole number written as `1.0` or `1e3`",
    etcd: "400",
    balsa: "read as 1 and 1000",
    reason: "it is the same number in JSON, and JavaScript does not tell them apart",
    is: (trial) => ["1.0", "1e3", "-0"].includes(value(trial)) && isRefusedByGo(trial)
  },
  {
    request: 'bytes as an array of numbers, `"key":[1,2]`',
    etcd: "read",
    balsa: "400, names the field",
    reason: "an accident of Go's decoder, and no client sends it",
    is: (trial) => isRefused(trial) && ["[]", "[1,2]"].includes(value(trial))
  },
  {
    request: "an enum's number that means nothing, such as `sort_order` 99",
    etcd: "ignored; `sort_target` 99 and an alarm's `action` 99 make etcd 3.4.23 panic",
    balsa: "400, names the field",
    reason: "ignoring it would answer another question",
    is: (trial) => isRefused(trial) && ["99", "-1", "2147483647"].includes(value(trial))
  },
  {
    request: "text behind the JSON object",
    etcd: "ignored",
    balsa: "400, with the position",
    reason: "half a request may stand there",
    is: (trial) => isRefused(trial) && isBody(trial, "{} x", "{}{}", "{},", "{}]")
  },
  {
    request: 'null in a list, `"success":[null]`',
    etcd: "the connection is cut, no answer",
    balsa: "400, names the field",
    reason: "etcd's handler panics",
    is: (trial) => isRefused(trial) && trial.etcd.status === 0 && value(trial) === "[null]"
  }
]

const streams: ReadonlyArray<Listed> = [
  {
    request: "a request to watch that asks for nothing",
    etcd: "no answer, and the stream stays open",
    balsa: "400, says what it can ask for",
    reason: "whoever sent it would wait for ever",
    is: (trial) => isRefused(trial) && trial.etcd.text === "silence"
  },
  {
    request: "null among `filters`",
    etcd: "taken for NOPUT",
    balsa: "400, names the field",
    reason: "it does not say which",
    is: (trial) => isRefused(trial) && /filters(\[0\])?: (\[null\]|null)$/.test(trial.input.what)
  },
  {
    request: "a number among `filters` that is beyond 32 bits, or below 0",
    etcd: "500",
    balsa: "ignored, as are other numbers that mean nothing",
    reason: "one rule for all that mean nothing",
    is: ({ input, etcd, balsa }) => /filters/.test(input.what) && etcd.status === 500 && balsa.text.includes("created")
  },
  {
    request: "a wrong request behind a good one in one body",
    etcd: "the stream ends without a word",
    balsa: "the last line is the error",
    reason: "it was not carried out, and that has to be told",
    is: ({ input, etcd, balsa }) =>
      input.route.path === "/v3/lease/keepalive" &&
      balsa.text.startsWith(etcd.text.slice(0, 20)) &&
      balsa.text.includes('{"error":{"grpc_code":3')
  }
]

const serving: ReadonlyArray<Listed> = [
  {
    request: "OPTIONS, and `Access-Control-*` headers",
    etcd: "200: every web page may call",
    balsa: "405: a page of another origin cannot read answers",
    reason: "there is no authentication yet",
    is: ({ input, balsa }) => input.method === "OPTIONS" && balsa.status === 405
  },
  {
    request: "`/v3//kv/put`",
    etcd: "301 to the clean path",
    balsa: "404",
    reason: "a path is written in one way",
    is: ({ input, balsa }) => input.what === "a slash doubled" && balsa.status === 404
  },
  {
    request: "a path outside `/v3`",
    etcd: "404 `404 page not found`",
    balsa: "404 `Not Found`",
    reason: "one text for all",
    is: ({ etcd, balsa }) => etcd.text.startsWith("404 page not found") && balsa.status === 404
  },
  {
    request: "`/v3/auth/...`",
    etcd: "users and roles",
    balsa: "404",
    reason: "there is no authentication yet",
    is: ({ input, balsa }) => input.route.path.startsWith("/v3/auth/") && [404, 405].includes(balsa.status)
  },
  {
    request: "a body beyond the hard limit",
    etcd: "429, code 8, `grpc: received message larger than max`",
    balsa: "413, code 8, connection closed; 3 MiB and 64 KiB by default",
    reason: "the connection cannot be used for anything else",
    is: ({ balsa }) => balsa.status === 413
  },
  {
    request: "a request of more than 2 MiB that is within the hard limit",
    etcd: "429, code 8, `grpc: received message larger than max`",
    balsa: "400 `etcdserver: request is too large`",
    reason: "there is no gRPC in between",
    is: ({ etcd, balsa }) => etcd.status === 429 && balsa.text.includes("etcdserver: request is too large")
  },
  {
    request: "a range from a key beyond 1.5 MiB, the leader of an election whose name is as long",
    etcd: "answers",
    balsa: "400, and 500 for the election, `etcdserver: request is too large`",
    reason: "no key can be as long",
    is: ({ input, balsa }) =>
      ["/v3/kv/range", "/v3/election/leader"].includes(input.route.path) &&
      balsa.text.includes("etcdserver: request is too large")
  }
]

/** Whether a watch began at the very revision up to which was compacted before. */
const beginsAtCompaction = ({ exchanges }: Difference): boolean => {
  const revisions = (pattern: RegExp, body = ""): ReadonlyArray<string> =>
    [...body.matchAll(pattern)].map(([, digits]) => digits!)
  const compacted = exchanges
    .filter(({ etcd }) => etcd.request.path === "/v3/kv/compaction" && etcd.answer?.status === 200)
    .flatMap(({ etcd }) => revisions(/"revision":"?(\d+)/g, etcd.request.body))
  const begun = revisions(/"start_?[rR]evision":"?(\d+)/g, exchanges.at(-1)?.etcd.request.body)
  return begun.some((revision) => compacted.includes(revision))
}

/** Whether a transaction put and deleted what etcd does not see to be at odds: to the end of all keys, or in one that is nested. */
const putsAndDeletes = ({ exchanges }: Difference): boolean =>
  exchanges.some(({ etcd }) => {
    const [sent = "", said = ""] = [etcd.request.body, etcd.answer?.text]
    return (
      etcd.request.path === "/v3/kv/txn" &&
      said.includes('"response_put"') &&
      /"response_delete_range":\{"header":\{[^}]*\},"deleted"/.test(said) &&
      (/"range_?[eE]nd":"AA=="/.test(sent) || /"request_?[tT]xn"/.test(sent))
    )
  })

const store: ReadonlyArray<Listed> = [
  {
    request:
      "a key that one transaction puts and deletes, where etcd does not see that (to the end of all keys, or nested)",
    etcd: "both are events of the new revision",
    balsa: "one event, of what has become of the key; none, and no new revision, if it was not there and is not",
    reason: "to all others a transaction is one change of a key",
    is: undefined,
    isIn: (difference) =>
      putsAndDeletes(difference) &&
      (difference.route === "/v3/watch"
        ? difference.path.startsWith(".events")
        : difference.route === "/v3/kv/txn" && difference.path.endsWith(".revision"))
  },
  {
    request: "a watch from the very revision that was compacted",
    etcd: "misses deletions of that revision, if it has removed them already (etcd issue 19179)",
    balsa: "is told of them",
    reason: "a bug that is not to be copied",
    is: undefined,
    isIn: (difference) =>
      difference.route === "/v3/watch" && difference.path.startsWith(".events") && beginsAtCompaction(difference)
  },
  {
    request: "transactions nested deeper than 16 levels",
    etcd: "carried out",
    balsa: "400, says so",
    reason: "everything has a limit",
    is: (trial) => isRefused(trial) && trial.input.what === "60 levels"
  },
  {
    request: "a transaction whose ranges, read or compared, have more than 4,000,000 keys together",
    etcd: "carried out, as far as there is memory",
    balsa: "400 `etcdserver: too many operations in txn request`, with a `reason`",
    reason: "every replica carries it out, and again when it starts",
    is: undefined
  }
]

const maintenance: ReadonlyArray<Listed> = [
  {
    request: "`version` in status",
    etcd: "its own",
    balsa: "`3.4.0`, the one it resembles",
    reason: "clients choose by it",
    is: ({ input, deviation }) =>
      input.route.path === "/v3/maintenance/status" && deviation?.path === ".lines[0].version"
  },
  {
    request: "`/v3/maintenance/snapshot`",
    etcd: "a database of bbolt",
    balsa: "Balsa's own format, with a header; 429 while too many are under way",
    reason: "each restores its own",
    is: ({ input, balsa }) =>
      input.route.path === "/v3/maintenance/snapshot" && (balsa.status === 429 || balsa.text.startsWith('{"result"'))
  },
  {
    request: "an error that names a member, or none",
    etcd: "text and code",
    balsa: "the same, and `reason` in words",
    reason: "what to do about it stands there",
    is: ({ deviation }) => deviation?.path === ".lines[0].reason"
  },
  {
    request: "changes of members without `ID`, handing over without `targetID`",
    etcd: "404 `member not found`, 412 `bad leader transferee`",
    balsa: "400, says what is missing; members may be told by `name`, and who leads next may be left open",
    reason: "Balsa knows replicas by name",
    is: ({ input, etcd, balsa }) =>
      /^\/v3\/(cluster\/member|maintenance\/transfer)/.test(input.route.path) &&
      /member not found|bad leader transferee/.test(etcd.text) &&
      balsa.text.includes('"error":"balsa: ')
  },
  {
    request: "a member to be added without `name`",
    etcd: "asks for `peerURLs` alone",
    balsa: "400: needs the new replica's id as `name`",
    reason: "Balsa knows replicas by name",
    is: (trial) => trial.input.route.path === "/v3/cluster/member/add" && isRefused(trial)
  }
]

/** What no bad request shows. */
const told: ReadonlyArray<Listed> = (
  [
    [
      "a write whose outcome is unknown",
      "only the text says so",
      '`"outcome_unknown":true`, and `reason` in words',
      "a client has to know whether it may ask again"
    ],
    [
      "wrong method",
      "405; `Allow` only on `/health` and `/version`",
      "405, always with `Allow`; HEAD is served where GET is",
      "as HTTP has it"
    ],
    ["`/v3beta/...`", "the same as `/v3/...`", "404", "nobody should begin with it"],
    ["`Content-Type` of `/health`", "`text/plain`", "`application/json`", "it is JSON"],
    ["`/version`", "`3.4.23`, `3.4.0`", "`3.4.0` twice, and Balsa's own in `balsa`", "clients choose by it"],
    [
      "`dbSize`, `dbSizeInUse` in status",
      "bytes of the file, and of it in use",
      "what is stored, as Balsa counts it",
      "there is no file of that kind"
    ],
    [
      "a member added without `isLearner`",
      "votes at once",
      "is a learner first, and promoted by itself when it has caught up",
      "until then it would only be waited for"
    ],
    [
      "a member added that does not run yet",
      "added",
      '412, `etcdserver: unhealthy cluster`: start it first, or add `"force":true`',
      "it may never come, and a majority is harder to reach"
    ],
    [
      "adding what is a member at the same address, promoting a voter",
      "refused",
      "nothing to do, and so it succeeds",
      "asking twice is harmless"
    ],
    [
      "a `serializable` answer",
      "says nothing of its age",
      "headers `balsa-applied-index`, and `balsa-leader-heard-millis` unless no leader is known; see below",
      "how old it may be is what one wants to know"
    ],
    [
      "leases that end in the same half second",
      "a revision for each, 1,000 a second",
      "a revision for up to 1,000 of them, 20,000 leases a second",
      "keys that go by themselves have a lease each"
    ],
    [
      "`peerURLs` in the member list",
      "HTTP addresses",
      "addresses of Balsa's own protocol, written as `http://`",
      "peers do not speak HTTP"
    ],
    [
      "a transaction that deletes to the end of all keys, then puts one of them with `ignore_value` or `ignore_lease`",
      "panics (3.4.23)",
      "400 `etcdserver: key not found`, nothing is done",
      "a bug that is not to be copied"
    ]
  ] as const
).map(([request, etcd, balsa, reason]) => ({ request, etcd, balsa, reason, is: undefined }))

export const listed: ReadonlyArray<Listed> = [...reading, ...streams, ...serving, ...store, ...maintenance, ...told]

export const find = (trial: Trial): Listed | undefined => listed.find(({ is }) => is?.(trial))

export const findIn = (difference: Difference): Listed | undefined => listed.find(({ isIn }) => isIn?.(difference))
