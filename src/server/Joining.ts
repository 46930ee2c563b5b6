/**
 * How a replica that is new comes to be a member: it asks the cluster, at the addresses for clients that it was given, what
 * it has to know to be of it; begins with an empty disk; and then asks to be added. From there on it is the
 * leader's business to bring it up to date and to promote it.
 *
 * Any member may be asked, and asking again is safe. A replica that holds anything already asks for nothing: whoever was
 * removed must not come back because somebody restarted it.
 */
import { Effect } from "effect"
import { createServer } from "node:net"
import { ReplicaId } from "../raft/LogEntry.ts"
import { type Address, formatAddress, parseAddress } from "../transport/Address.ts"
import { ServerError } from "./ServerError.ts"

/** What a member says of its cluster. */
export interface Known {
  readonly cluster: string
  readonly founders: ReadonlyArray<ReplicaId>
  readonly recovery: string | undefined
  readonly members: ReadonlyArray<KnownMember>
}

export interface KnownMember {
  readonly id: ReplicaId
  readonly address: string | undefined
  /** As far as the one who was asked knows. */
  readonly inReach: boolean
}

export interface JoiningOptions {
  readonly id: ReplicaId
  readonly cluster: string
  /** Members' addresses for clients. */
  readonly join: ReadonlyArray<Address>
}

const askMillis = 5000
const firstPauseMillis = 250
const longestPauseMillis = 5000

/** From whichever member answers; who leads knows best. */
export const learn = Effect.fnUntraced(function* (
  { id, cluster, join }: JoiningOptions,
  /** Only from those whose leader confirms what they say. */
  linearizable = false
): Effect.fn.Return<Known, ServerError> {
  const answers = yield* Effect.forEach(join, (address) => post(address, "/balsa/v1/members", { linearizable }), {
    concurrency: "unbounded"
  })
  const problems: Array<string> = []
  let found: { readonly known: Known; readonly leads: boolean } | undefined
  for (const [at, answer] of answers.entries()) {
    const read = readKnown(answer)
    if (typeof read === "string") problems.push(`${formatAddress(join[at]!)}: ${read}`)
    else if (found === undefined || read.leads) found = read
  }
  if (found === undefined) {
    return yield* new ServerError({
      message: `${id} cannot join: no member of the cluster answers (${problems.join("; ")}). --join takes addresses for clients, such as 10.0.0.1:7401`
    })
  }
  const { known } = found
  if (known.cluster !== cluster) {
    return yield* new ServerError({
      message: `${id} cannot join: the cluster there is "${known.cluster}", and this replica was started for "${cluster}"; start it with --cluster ${known.cluster}, or name other addresses with --join`
    })
  }
  return known
})

/** Two replicas of one name would undo each other's promises. */
export const checkName = (
  { id }: JoiningOptions,
  { members }: Known,
  ownAddress: string
): Effect.Effect<void, ServerError> => {
  const taken = members.find((member) => member.id === id)
  return taken === undefined || !taken.inReach || taken.address === ownAddress
    ? Effect.void
    : Effect.fail(
        new ServerError({
          message: `${id} cannot join: the cluster has a member ${id} already, which is running at ${taken.address ?? "another address"}; choose another name with --id, or stop that one and start this one at its address`
        })
      )
}

export interface Entering extends JoiningOptions {
  /** Where its peers are to reach it. */
  readonly address: string
  readonly promote: boolean
  /** By its own log: what others say of it may be out of date. */
  readonly isMember: () => boolean
}

/** Asks until it is a member, for as long as it takes. What comes of it is told in the log, each thing once. */
export const enter = Effect.fnUntraced(function* (options: Entering) {
  const { id, address, promote, isMember } = options
  let pause = firstPauseMillis
  let told: string | undefined
  while (!isMember()) {
    const { log, message } = yield* tryToEnter(options).pipe(
      Effect.map((message) => ({ log: Effect.logInfo, message })),
      Effect.catch(({ message }) => Effect.succeed({ log: Effect.logWarning, message }))
    )
    if (message !== told) yield* log(message)
    told = message
    yield* Effect.sleep(pause)
    pause = Math.min(2 * pause, longestPauseMillis)
    yield* Effect.logDebug(`asks again to be added as ${promote ? "a voter" : "a learner"} at ${address}, ${id}`)
  }
})

/** Says what came of it. */
const tryToEnter = Effect.fnUntraced(function* (options: Entering): Effect.fn.Return<string, ServerError> {
  const { id, address, promote, join } = options
  const { members } = yield* learn(options, true)
  const listed = members.find((member) => member.id === id)
  if (listed !== undefined && (listed.address === undefined || listed.address === address)) {
    return `${id} is a member already, whose disk is empty: it need not be added, and is sent everything`
  }
  const change =
    listed === undefined ? { type: "add", name: id, address, promote } : { type: "move", name: id, address }
  const refusals: Array<string> = []
  for (const member of join) {
    const answer = yield* post(member, "/balsa/v1/members/amend", { changes: [change] })
    if (answer.status === 200) {
      const next = promote ? "it becomes a voter once it has caught up" : "it stays one"
      return listed === undefined
        ? `joined the cluster as a learner at ${address}; ${next}`
        : `the cluster reaches ${id} at ${address} from now on`
    }
    refusals.push(`${formatAddress(member)}: ${answer.reason}`)
  }
  return yield* new ServerError({ message: `${id} could not be added yet: ${refusals.join("; ")}` })
})

/**
 * Asks where the members are until each one's address is known: those who founded the cluster need not be in the log, and
 * one that was started with nobody's address would wait to be dialled, also by another such.
 */
export const seek = Effect.fnUntraced(function* (
  options: JoiningOptions,
  isComplete: () => boolean,
  tell: (members: ReadonlyArray<KnownMember>) => void
) {
  let pause = firstPauseMillis
  while (!isComplete()) {
    const known = yield* learn(options).pipe(Effect.orElseSucceed(() => undefined))
    if (known !== undefined) tell(known.members)
    yield* Effect.sleep(pause)
    pause = Math.min(2 * pause, longestPauseMillis)
  }
})

interface Answer {
  /** 0 when there is none. */
  readonly status: number
  readonly body: { readonly [name: string]: unknown }
  readonly reason: string
}

const post = (address: Address, path: string, body: object): Effect.Effect<Answer> =>
  Effect.tryPromise({
    try: async (signal): Promise<Answer> => {
      const response = await globalThis.fetch(`http://${formatAddress(address)}${path}`, {
        method: "POST",
        body: JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(askMillis)])
      })
      const text = await response.text()
      const parsed = parse(text)
      const reason = parsed["reason"] ?? parsed["message"] ?? `HTTP status ${response.status}`
      return { status: response.status, body: parsed, reason: textOf(reason) }
    },
    catch: (error) => error as Error & { readonly cause?: { readonly code?: string } }
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed({
        status: 0,
        body: {},
        reason: error.cause?.code ?? (error.name === "TimeoutError" ? "no answer in time" : error.message)
      })
    )
  )

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

const parse = (text: string): Answer["body"] => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

const readKnown = ({ status, body, reason }: Answer): { readonly known: Known; readonly leads: boolean } | string => {
  if (status === 0 || status >= 500) return reason
  const { cluster, founders, recovery, members, role, outside } = body
  if (status !== 200 || typeof cluster !== "string" || !Array.isArray(founders) || !Array.isArray(members)) {
    return "no replica of this version of Balsa answers there"
  }
  if (outside === true) return "that replica is no member of the cluster itself"
  const known: Known = {
    cluster,
    founders: founders.map((id) => ReplicaId(String(id))),
    recovery: typeof recovery === "string" ? recovery : undefined,
    members: members.map((member: Readonly<Record<string, unknown>>) => ({
      id: ReplicaId(String(member["id"])),
      address: typeof member["address"] === "string" ? member["address"] : undefined,
      inReach: (member["progress"] as { readonly inReach?: boolean } | null)?.inReach === true
    }))
  }
  return { known, leads: role === "Leader" }
}

const clientBase = 7400
const peerBase = 7500

/** Where one that joins listens, if nothing was said: on this machine, beside all the others. */
export const defaultPlace = Effect.fnUntraced(function* (
  { id }: JoiningOptions,
  { members }: Known
): Effect.fn.Return<{ readonly client: Address; readonly peer: Address }, ServerError> {
  const host = "127.0.0.1"
  const taken = new Set<number>()
  let own: number | undefined
  for (const member of members) {
    const address = parseAddress(member.address ?? "")
    if (address === undefined) continue
    if (address.host !== host && address.host !== "localhost") return yield* elsewhere(id, address)
    if (member.id === id) own = address.port
    else taken.add(address.port)
  }
  const place = (number: number) => ({
    client: { host, port: clientBase + number },
    peer: { host, port: peerBase + number }
  })
  if (own !== undefined) return place(own - peerBase)
  let number = preferred(id) ?? members.length + 1
  while (taken.has(peerBase + number) || !(yield* areFree(place(number)))) number++
  return place(number)
})

/** As the replicas of a trial cluster are numbered: then several that join at once do not want the same place. */
const preferred = (id: ReplicaId): number | undefined =>
  /^[A-Z]$/.test(id) ? id.charCodeAt(0) - "A".charCodeAt(0) + 1 : undefined

const elsewhere = (id: ReplicaId, address: Address): ServerError =>
  new ServerError({
    message: `${id} cannot join without addresses of its own: the members are not on this machine (one is at ${formatAddress(address)}); give --listen-peer and --listen-client HOST:PORT, as the others reach this one`
  })

/** Several may join at the same time, and none of them is a member yet. */
const areFree = (place: { readonly client: Address; readonly peer: Address }): Effect.Effect<boolean> =>
  Effect.map(Effect.all([isFree(place.client), isFree(place.peer)]), ([client, peer]) => client && peer)

const isFree = ({ host, port }: Address): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, host, () => server.close(() => resume(Effect.succeed(true))))
  })
