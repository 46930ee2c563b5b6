/** One bad request, sent to both servers in the same state, and the answers as they can be compared. */
import { compare, type Deviation } from "../Comparison.ts"
import { isList, type Json, normal } from "../Normal.ts"
import type { Pair } from "../Run.ts"
import { type Answer, headOf, type Side } from "../Side.ts"
import { find } from "../Differences.ts"
import type { Input } from "./Table.ts"

export interface Trial {
  readonly input: Input
  readonly etcd: Answer
  readonly balsa: Answer
  readonly deviation: Deviation | undefined
}

/** All trials, those of streams at once: most of what comes from them is that nothing comes. */
export const attemptAll = async (
  pair: Pair,
  inputs: ReadonlyArray<Input>,
  each: (trial: Trial) => Promise<void>
): Promise<void> => {
  const tester = { etcd: new Tester(pair.etcd), balsa: new Tester(pair.balsa) }
  const once = async (input: Input, seconds: number): Promise<Trial> => {
    const [etcd, balsa] = await Promise.all([tester.etcd.send(input, seconds), tester.balsa.send(input, seconds)])
    return { input, etcd: etcd.answer, balsa: balsa.answer, deviation: compare(etcd.normal, balsa.normal) }
  }
  const attempt = async (input: Input): Promise<void> => {
    const first = await once(input, secondsOfSilence)
    const isExpected = first.deviation === undefined || find(first) !== undefined
    const isSettled = isExpected || !(isLate(first.etcd) || isLate(first.balsa))
    await each(isSettled ? first : await once(input, secondsOfPatience))
  }
  for (const input of inputs) if (input.route.isStream !== true) await attempt(input)
  await Promise.all([tester.etcd.ready(), tester.balsa.ready()])
  const streams = inputs.filter(({ route }) => route.isStream === true)
  const atOnce = 20
  for (let at = 0; at < streams.length; at += atOnce) await Promise.all(streams.slice(at, at + atOnce).map(attempt))
}

interface Sent {
  readonly answer: Answer
  readonly normal: Json
}

/** A stream that is refused, or that has something to tell, says so at once. */
const secondsOfSilence = 1
/** On a busy machine "at once" takes longer: only who still says nothing in this time has nothing to say. */
const secondsOfPatience = 8
const silence = { status: 0, contentType: "", text: "silence" }

class Tester {
  private readonly side: Side
  /** The revision before the one key that there is was put; unknown while it may not be there. */
  private before: number | undefined = undefined
  private clusterId = ""

  constructor(side: Side) {
    this.side = side
  }

  async ready(): Promise<number> {
    this.before ??= await this.begin()
    return this.before
  }

  async send(input: Input, seconds: number): Promise<Sent> {
    const before = await this.ready()
    const answer = input.route.isStream === true ? await this.firstLine(input, seconds) : await this.side.ask(input)
    const { clusterId, side } = this
    const read = normal(answer, { before, leaseNames: new Map(), clusterId, memberIds: side.memberIds })
    const mayHaveChanged = answer.status < 400 || isLate(answer)
    if (mayHaveChanged && input.route.isStream !== true) await this.clear(input)
    return { answer, normal: { ...read, lines: read.lines.map((line) => impersonal(input, "", line, side)) } }
  }

  private async begin(): Promise<number> {
    await this.side.learnMembers()
    const { status, text } = await this.side.ask({ path: "/v3/kv/put", body: '{"key":"YQ==","value":"MQ=="}' })
    if (status !== 200) throw new Error(`${this.side.name} does not serve: ${text}`)
    const { header } = JSON.parse(text) as { readonly header: { revision: string; cluster_id: string } }
    this.clusterId = header.cluster_id
    return Number(header.revision) - 1
  }

  private async firstLine(input: Input, seconds: number): Promise<Answer> {
    const response = await this.side.open(input, 0, { seconds }).catch((error: Error) => error)
    if (response instanceof Error) return response.message.startsWith("no answer") ? silence : broken(response)
    const timer = setTimeout(() => response.destroy(), seconds * 1000)
    let text = ""
    try {
      for await (const piece of response) {
        text += String(piece)
        if (text.includes("\n")) break
      }
    } catch {
      // What came before it was ended is the answer.
    }
    clearTimeout(timer)
    response.destroy()
    return text === "" && response.statusCode === 200
      ? silence
      : { ...headOf(response), text: text.split("\n")[0] ?? "" }
  }

  private async clear({ route }: Input): Promise<void> {
    this.before = undefined
    await this.side.ask({ path: "/v3/kv/deleterange", body: '{"key":"AA==","range_end":"AA=="}' })
    if (!/\/(lease|lock|election)\//.test(route.path)) return
    const { text } = await this.side.ask({ path: "/v3/lease/leases", body: "{}" })
    for (const [, id] of text.matchAll(/"ID":"(-?\d+)"/g)) {
      await this.side.ask({ path: "/v3/lease/revoke", body: `{"ID":"${id}"}` })
    }
  }
}

/** No answer, or one that a server gives for want of time: it tells of the machine's load. */
const isLate = ({ status }: Answer): boolean => status === 0 || status === 503 || status === 504

const broken = ({ message }: Error): Answer => ({ status: 0, contentType: "", text: message })

/** What tells of one server and of nothing that was asked. */
const personal = [
  "dbSize",
  "dbSizeInUse",
  "raftIndex",
  "raftTerm",
  "raftAppliedIndex",
  "hash",
  "blob",
  "remaining_bytes"
]

const impersonal = (input: Input, name: string, value: Json, side: Side): Json => {
  if (isList(value)) {
    const addresses = name === "peerURLs" || name === "clientURLs"
    return addresses ? "addresses" : value.map((one) => impersonal(input, name, one, side))
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, impersonal(input, name, inner, side)])
    )
  }
  if (personal.includes(name)) return "its own"
  if (typeof value !== "string") return value
  const { path } = input.route
  const isMember = (name === "leader" || name === "ID") && side.memberIds.has(value)
  if (isMember) return "the member"
  if (name === "name" && path.startsWith("/v3/cluster")) return "its own"
  if (name === "ID" && path === "/v3/lease/grant" && value !== "777") return "a new lease"
  if (/\/(lock|election)\//.test(path)) {
    if (name === "lease") return "a new lease"
    if (name === "key")
      return Buffer.from(value, "base64")
        .toString("latin1")
        .replace(/[\da-f]{12,16}$/, "LEASE")
  }
  return value
}
