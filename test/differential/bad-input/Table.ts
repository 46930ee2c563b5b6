/**
 * The table of bad requests: for every route bodies that are no request, every field with every kind of wrong value,
 * methods and paths that are not served. What is good stands in it as well, to be told from what is not.
 */
import { type Field, type Fields, type Route, routes } from "./Routes.ts"

export interface Input {
  readonly route: Route
  /** What is wrong, for the report: `key: a number`. */
  readonly what: string
  readonly method: string
  readonly path: string
  readonly body: string
  readonly encoding?: BufferEncoding
}

/** JSON as it is sent, for much of it is no value of JavaScript. A dot in the middle stands for a space. */
const words = (text: string): ReadonlyArray<string> => text.split(/\s+/).map((word) => word.replaceAll("·", " "))

const values: { readonly [Kind in Exclude<Field["kind"], "message" | "list">]: ReadonlyArray<string> } = {
  bytes: words(String.raw`5 true {} [] [1,2] [256] ["a"] null "" "***" "YQ" "_-8=" "YWI_" "YQ===" "YQ=" "Y"
    "·YQ==" "YQ==\n" "Y·Q==" "YR==" "ä" "\u0059Q==" "YQ==YQ=="`),
  int64: words(String.raw`"x" "" "1.0" 1.0 1.5 1e3 "1e3" 1E400 true [] {} null "·1" "1·" "0x10" "+1" "01" 01
    +1 -0 "-0" - 1_000 0 -1 "-1" NaN "NaN" Infinity 9223372036854775807 9223372036854775808 "9223372036854775808"
    "-9223372036854775808" "-9223372036854775809" 9007199254740993 "18446744073709551615" "99999999999999999999999999"`),
  uint64: words(String.raw`"x" "" 1.5 true [] {} null "·1" -1 "-1" "18446744073709551615" 18446744073709551615
    18446744073709551616 9007199254740993`),
  flag: words(`"true" 1 0 "" null [] {} false true TRUE True`),
  choice: words(`"NOPE" "" 99 -1 "1" "0" 1.5 1.0 null [] {} true "descend" 4294967296 2147483647 2147483648`),
  text: words(String.raw`5 true {} [] null "" "\ud800" "ä" "http://" "127.0.0.1:1" "http://127.0.0.1"`)
}
const messages = words(`[] "x" 1 true null {} {"nonsense":1} [{}]`)
const lists = words(`{} "x" 1 true null [] [null] [1] ["x"] [[]] [{}]`)

interface Wrong {
  readonly what: string
  /** What stands for the field. */
  readonly json: string
}

const wrongs = (name: string, field: Field): ReadonlyArray<Wrong> => {
  switch (field.kind) {
    case "message":
      return [...messages.map((json) => ({ what: `${name}: ${json}`, json })), ...within(name, field.fields, (x) => x)]
    case "list":
      return [
        ...lists.map((json) => ({ what: `${name}: ${json}`, json })),
        ...(field.of.kind === "message"
          ? within(`${name}[0]`, field.of.fields, (json) => `[${json}]`)
          : wrongs(`${name}[0]`, field.of).map(({ what, json }) => ({ what, json: `[${json}]` })))
      ]
    case "bytes":
    case "int64":
    case "uint64":
    case "flag":
    case "choice":
    case "text":
      return values[field.kind].map((json) => ({ what: `${name}: ${json.slice(0, 40)}`, json }))
  }
}

const within = (name: string, fields: Fields, wrap: (json: string) => string): ReadonlyArray<Wrong> =>
  Object.entries(fields).flatMap(([inner, field]) =>
    wrongs(`${name}.${inner}`, field).map(({ what, json }) => ({
      what,
      json: wrap(
        `{${["key", "range_end"].includes(inner) || !("key" in fields) ? "" : '"key":"YQ==",'}"${inner}":${json}}`
      )
    }))
  )

const ofFields = (route: Route): ReadonlyArray<Input> =>
  Object.entries(route.fields).flatMap(([name, field]) =>
    wrongs(name, field).map(({ what, json }) => {
      const others = Object.entries(route.good).filter(([other]) => other !== name)
      const body = `{${[...others.map(([other, value]) => `"${other}":${JSON.stringify(value)}`), `"${name}":${json}`].join()}}`
      return post(route, what, body)
    })
  )

const post = (route: Route, what: string, body: string): Input => ({
  route,
  what,
  method: "POST",
  path: route.path,
  body
})

const bodies: ReadonlyArray<readonly [what: string, body: string]> = [
  ...["", " ", "null", "{", "}", "x", "[]", "[{}]", '"a"', "1", "true", "{} x", "{}\n", "{}{}", "{},", "{}]"].map(
    (body) => [`body ${JSON.stringify(body)}`, body] as const
  ),
  ["single quotes", "{'key':'YQ=='}"],
  ["a comma too many", '{"key":"YQ==",}'],
  ["a comma missing", '{"a":"YQ==" "b":1}'],
  ["no colon", '{"a"}'],
  ["a name without quotes", '{key:"YQ=="}'],
  ["a comment", '{/* */"nonsense":1}'],
  ["a control character", '{"nonsense":"\u0001"}'],
  ["a byte order mark", "\ufeff{}"],
  ["half a surrogate pair", '{"nonsense":"\\ud800"}'],
  ["an unknown field", '{"nonsense":1}'],
  ["an unknown field of many kinds", '{"nonsense":{"a":[1,null,{"b":true}]}}'],
  ["an unknown number beyond all", '{"nonsense":1e999}'],
  ["__proto__", '{"__proto__":{"key":"YQ=="}}'],
  ["constructor", '{"constructor":1,"toString":2}'],
  ["names in capitals", '{"KEY":"YQ==","REVISION":"1"}'],
  ["200 levels of an unknown field", `{"nonsense":${"[".repeat(200)}${"]".repeat(200)}}`],
  ["100,000 levels, not closed", "[".repeat(100_000)],
  ["a form", "key=YQ%3D%3D"]
]

const ofBodies = (route: Route): ReadonlyArray<Input> => [
  ...bodies.map(([what, body]) => post(route, what, body)),
  { ...post(route, "bytes that are not UTF-8", '{"nonsense":"\xff\xfe"}'), encoding: "latin1" }
]

const methods = ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "post"]

const ofPaths = (route: Route): ReadonlyArray<Input> => {
  const body = JSON.stringify(route.good)
  const path = route.path
  const last = path.slice(path.lastIndexOf("/") + 1)
  const variants: ReadonlyArray<readonly [string, string]> = [
    ["a slash behind", `${path}/`],
    ["a slash doubled", path.replace("/v3/", "/v3//")],
    ["capitals", path.toUpperCase()],
    ["an unknown child", `${path}/nothing`],
    ["an unknown sibling", `${path}x`],
    ["an escaped letter", path.replace(last, `%${last.charCodeAt(0).toString(16)}${last.slice(1)}`)],
    ["another version", path.replace("/v3/", "/v4/")]
  ]
  return [
    ...methods.map((method) => ({ route, what: `method ${method}`, method, path, body: method === "GET" ? "" : body })),
    ...variants.map(([what, path]) => ({ ...post(route, what, body), path })),
    ...(route.isStream === true ? [] : [{ ...post(route, "a query", body), path: `${path}?a=b` }])
  ]
}

const large = 2 * 1024 * 1024
const base64OfSize = (size: number): string => Buffer.alloc(size, "x").toString("base64")

const find = (path: string): Route => routes.find((route) => route.path === path)!

/** What makes sense at one route only. */
const special: ReadonlyArray<Input> = [
  post(find("/v3/kv/put"), "a value of 2 MiB", `{"key":"YQ==","value":"${base64OfSize(large)}"}`),
  post(find("/v3/kv/put"), "a value of 1.4 MiB", `{"key":"YQ==","value":"${base64OfSize(1_400_000)}"}`),
  post(find("/v3/kv/put"), "a key of 1.6 MiB", `{"key":"${base64OfSize(1_650_000)}"}`),
  post(find("/v3/kv/put"), "a body of 9 MiB", `{"key":"YQ==","value":"${base64OfSize(7_000_000)}"}`),
  post(find("/v3/kv/put"), "both spellings", '{"key":"YQ==","prev_kv":true,"prevKv":false}'),
  post(find("/v3/kv/put"), "a name twice", '{"key":"YQ==","key":"Yg=="}'),
  post(find("/v3/kv/put"), "value with ignore_value", '{"key":"YQ==","value":"YQ==","ignore_value":true}'),
  post(find("/v3/kv/put"), "lease with ignore_lease", '{"key":"YQ==","lease":5,"ignore_lease":true}'),
  post(find("/v3/kv/put"), "ignore_value without a key that is there", '{"key":"enp6","ignore_value":true}'),
  post(find("/v3/kv/range"), "a key of 1.6 MiB", `{"key":"${base64OfSize(1_650_000)}"}`),
  post(find("/v3/kv/deleterange"), "a key of 1.6 MiB", `{"key":"${base64OfSize(1_650_000)}"}`),
  post(find("/v3/lock/lock"), "a name of 1.6 MiB", `{"name":"${base64OfSize(1_650_000)}"}`),
  post(find("/v3/lock/unlock"), "a key of 1.6 MiB", `{"key":"${base64OfSize(1_650_000)}"}`),
  post(find("/v3/election/campaign"), "a value of 1.6 MiB", `{"name":"YQ==","value":"${base64OfSize(1_650_000)}"}`),
  post(find("/v3/election/leader"), "a name of 1.6 MiB", `{"name":"${base64OfSize(1_650_000)}"}`),
  ...transactions(),
  ...[0, 1, -5, 2, 9_000_000_000, 9_000_000_001].map((TTL) =>
    post(find("/v3/lease/grant"), `TTL ${TTL}`, JSON.stringify({ ID: 777, TTL }))
  ),
  post(find("/v3/lease/keepalive"), "three in one", '{"ID":1}{"ID":"x"}{"ID":2}'),
  post(
    find("/v3/watch"),
    "cancelling what is not",
    '{"cancel_request":{"watch_id":5}}{"create_request":{"key":"YQ=="}}'
  ),
  post(find("/v3/watch"), "an empty range", '{"create_request":{"key":"Yg==","range_end":"YQ=="}}')
]

/** Of two that exclude each other in one message, etcd takes either, by chance: no such thing here. */
function transactions(): ReadonlyArray<Input> {
  const route = find("/v3/kv/txn")
  const put = (key: string) => ({ request_put: { key, value: "MQ==" } })
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => put(Buffer.from(`k${at}`).toString("base64")))
  const nested = (depth: number): object => (depth === 0 ? {} : { success: [{ request_txn: nested(depth - 1) }] })
  const cases: ReadonlyArray<readonly [string, object]> = [
    ["a key put twice", { success: [put("YQ=="), put("YQ==")] }],
    ["a key put and deleted", { success: [put("YQ=="), { request_delete_range: { key: "YQ==" } }] }],
    ["a key deleted and put", { success: [{ request_delete_range: { key: "YQ==" } }, put("YQ==")] }],
    ["a key put in both branches", { success: [put("YQ==")], failure: [put("YQ==")] }],
    ["a key put in a nested one too", { success: [put("YQ=="), { request_txn: { success: [put("YQ==")] } }] }],
    ["128 operations", { success: many(128) }],
    ["129 operations", { success: many(129) }],
    ["129 comparisons", { compare: Array.from({ length: 129 }, () => ({ key: "YQ==" })) }],
    ["128 in each branch", { success: many(128), failure: many(128) }],
    ["129 in a nested one", { success: [{ request_txn: { success: many(129) } }] }],
    ["5 levels", nested(5)],
    ["60 levels", nested(60)],
    ["a put without key", { success: [{ request_put: { value: "YQ==" } }] }],
    ["a comparison without key", { compare: [{ target: "VERSION", version: "1" }] }],
    ["a comparison with another value", { compare: [{ key: "YQ==", target: "MOD", version: "1" }] }],
    ["a failure in the branch that is not taken", { failure: [{ request_put: { key: "YQ==", lease: 5 } }] }],
    ["a failure after a put", { success: [put("Yg=="), { request_put: { key: "YQ==", lease: 5 } }] }],
    ["a future revision", { success: [put("Yg=="), { request_range: { key: "YQ==", revision: "1000000000" } }] }],
    ["too large", { success: [{ request_put: { key: "YQ==", value: base64OfSize(large) } }] }]
  ]
  return cases.map(([what, body]) => post(route, what, JSON.stringify(body)))
}

/** etcd panics, and serves nobody any more; or never answers. */
export const harms = ({ route, what }: Input): boolean =>
  /sort_target: (99|-1|2147483647)$/.test(what) ||
  (route.path === "/v3/maintenance/alarm" && /^action: (99|-1|2147483647)$/.test(what)) ||
  (route.path === "/v3/cluster/member/update" && what === "peerURLs: []")

const all: ReadonlyArray<Input> = [
  ...routes.flatMap((route) => [
    post(route, "as it should be", JSON.stringify(route.good)),
    ...ofBodies(route),
    ...ofFields(route),
    ...ofPaths(route)
  ]),
  ...special
]

/** What both are sent. */
export const table: ReadonlyArray<Input> = all.filter((input) => !harms(input))

/** What only Balsa is sent. */
export const tableOfHarms: ReadonlyArray<Input> = all.filter(harms)
