/** etcd's elections (v3election): campaign, proclaim, leader, observe and resign. */
import { Effect, Option, Stream } from "effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Key, KeyValue } from "../kv/KeyValue.ts"
import type { Operation as KvOperation } from "../kv/KvCommand.ts"
import * as Ranging from "../kv/Ranging.ts"
import type { HeaderAt } from "./AnswerJson.ts"
import { encodeKey } from "./Base64.ts"
import * as Contention from "./Contention.ts"
import * as GatewayError from "./GatewayError.ts"
import * as GatewayJson from "./GatewayJson.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import type { KvReplica } from "./KvReplica.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"
import * as StoreError from "./StoreError.ts"
import * as StreamLine from "./StreamLine.ts"
import * as Waiting from "./Waiting.ts"

export interface ElectionRouteOptions extends Contention.Contention {
  readonly replica: KvReplica
  readonly headerAt: HeaderAt
}

type Response = HttpServerResponse.HttpServerResponse
type Operation = (object: JsonObject) => Effect.Effect<Response>
type Failure = GatewayError.GatewayError

export const make = (options: ElectionRouteOptions): { readonly [path: string]: Operation } => {
  const { headerAt, replica, writes } = options
  const header = (revision: number): string => GatewayJson.openWithHeader(headerAt(revision))
  const leaderJson = (revision: number, kv: KeyValue): string => `${header(revision)},"kv":${GatewayJson.keyValue(kv)}}`

  /** As etcd, with another value than before by proclaiming that. */
  const campaign: Operation = (object) => {
    const fields = new RequestFields(object)
    const name = fields.key("name", "name")
    const lease = fields.bigInt64("lease", "lease")
    const value = fields.bytes("value", "value")
    const problem = fields.problem ?? Contention.sizeProblem(options, { key: name, value })
    if (problem !== undefined) return refuse(problem)
    const onEntered = (place: Contention.Place): Effect.Effect<void, Failure> =>
      place.found === undefined || Ranging.compareBytes(place.found.value, value) === 0
        ? Effect.void
        : proclaimed({ ...place, value })
    return Effect.match(Contention.contend(options, name, lease, value, notLeader, onEntered), {
      onSuccess: ([place]) => {
        const names = `${encodeField("name", place.name)}"key":"${encodeKey(place.key)}"`
        const leader = `{${names},"rev":"${place.createRevision}","lease":"${place.lease}"}`
        return GatewayResponse.json(`${header(place.revision)},"leader":${leader}}`)
      },
      onFailure: ofError
    })
  }

  /** What only the leader may do, which it is as long as its key is the one that it put. */
  const asLeader = ({ key, createRevision }: Led, operation: KvOperation) =>
    writes.carryOut(Contention.ifCreatedAt(key, createRevision, operation))

  const proclaimed = Effect.fnUntraced(function* (led: Led & { readonly value: Uint8Array }) {
    const { key, lease, value } = led
    // Without a lease it would stay for ever; it keeps the one that it has.
    const tie = lease === 0n ? { ignoreLease: true } : { lease }
    // A key that is not there is nobody's, though it compares equal to 0.
    if (led.createRevision <= 0) return yield* Effect.fail(notLeader)
    const put = yield* asLeader(led, { _tag: "Put", key, value, prevKv: false, ...tie })
    return put.succeeded ? put.revision : yield* Effect.fail(notLeader)
  })

  const proclaim: Operation = (object) => {
    const fields = new RequestFields(object)
    const value = fields.bytes("value", "value")
    const led = leaderIn(fields)
    if (GatewayError.isGatewayError(led)) return refuse(led)
    const problem = Contention.sizeProblem(options, { key: led.key, value })
    if (problem !== undefined) return refuse(problem)
    return Effect.match(proclaimed({ ...led, value }), {
      onSuccess: (revision) => GatewayResponse.json(`${header(revision)}}`),
      onFailure: ofError
    })
  }

  const resign: Operation = (object) => {
    const led = leaderIn(new RequestFields(object))
    if (GatewayError.isGatewayError(led)) return refuse(led)
    const problem = Contention.sizeProblem(options, led)
    if (problem !== undefined) return refuse(problem)
    return Effect.match(asLeader(led, { _tag: "DeleteRange", key: led.key, rangeEnd: undefined, prevKv: false }), {
      onSuccess: ({ revision }) => GatewayResponse.json(`${header(revision)}}`),
      onFailure: ofError
    })
  }

  const leader: Operation = (object) => {
    const name = nameIn(options, object)
    if (typeof name !== "string") return refuse(name)
    return Effect.match(replica.query(Contention.firstOf(name)), {
      onSuccess: (answer) => {
        const kv = answer._tag === "Range" ? answer.kvs[0] : undefined
        return kv === undefined ? ofError(noLeader) : GatewayResponse.json(leaderJson(answer.revision, kv))
      },
      onFailure: (error) => ofError(GatewayError.ofRequestError(error))
    })
  }

  /** Begins with a leader that is one now, or when there is one; then each that follows, and all that each proclaims. */
  const observe: Operation = (object) => {
    const name = nameIn(options, object)
    if (typeof name !== "string") return refuse(name)
    const begin = Effect.mapError(replica.query(Contention.firstOf(name)), GatewayError.ofRequestError).pipe(
      Effect.flatMap(({ revision }) => Waiting.until(options, revision)),
      Effect.map(({ revision }): Seen => ({ leader: undefined, revision }))
    )
    return Effect.match(begin, {
      onFailure: ofError,
      onSuccess: (seen) => {
        const lines = Stream.paginate(seen, (last) =>
          Effect.map(observed(options, name, last), ([kvs, next]) => [
            kvs.map(({ revision, kv }) => StreamLine.ofResult(leaderJson(revision, kv))),
            Option.some(next)
          ])
        ).pipe(Stream.catch((error) => Stream.succeed(StreamLine.ofError(error))))
        return HttpServerResponse.stream(Stream.encodeText(lines), { contentType: "application/json" })
      }
    })
  }

  return {
    "/v3/election/campaign": campaign,
    "/v3/election/proclaim": proclaim,
    "/v3/election/leader": leader,
    "/v3/election/observe": observe,
    "/v3/election/resign": resign
  }
}

/** Whose key is followed, and up to where; without one the next is to be found. */
interface Seen {
  readonly leader: Key | undefined
  readonly revision: number
}

type Sightings = ReadonlyArray<{ readonly revision: number; readonly kv: KeyValue }>

const observed = Effect.fnUntraced(function* (
  options: ElectionRouteOptions,
  name: Key,
  { leader, revision }: Seen
): Effect.fn.Return<readonly [Sightings, Seen], Failure> {
  if (leader === undefined) {
    const state = options.store()
    const kv = Ranging.range(state, Contention.firstOf(name)).kvs[0]
    if (kv !== undefined) {
      return [[{ revision: state.revision, kv }], { leader: kv.key, revision: state.revision }]
    }
  }
  const range = leader === undefined ? Contention.keysOf(name) : { key: leader, rangeEnd: undefined }
  const start = leader === undefined ? options.store().revision : revision
  const watch = { ...range, startRevision: start + 1, prevKv: false, noPut: false, noDelete: leader === undefined }
  const taken = yield* Waiting.changes(options, watch)
  if (leader === undefined || taken._tag === "Compacted") return [[], { leader: undefined, revision }]
  const kvs: Array<Sightings[number]> = []
  for (const record of taken.revisions) {
    for (const change of record.changes) {
      if (change._tag === "Delete") return [kvs, { leader: undefined, revision: record.revision }]
      kvs.push({ revision: record.revision, kv: change.kv })
    }
  }
  return [kvs, { leader, revision: taken.upTo }]
})

interface Led {
  readonly key: Key
  readonly createRevision: number
  readonly lease: bigint
}

const leaderIn = (fields: RequestFields): Led | Failure => {
  const object = fields.message("leader", "leader")
  if (fields.problem !== undefined) return fields.problem
  if (object === undefined) return missingLeader
  const inner = new RequestFields(object)
  inner.key("name", "name")
  const key = inner.key("key", "key")
  const createRevision = inner.int64("rev", "rev")
  const lease = inner.bigInt64("lease", "lease")
  if (inner.problem !== undefined) return inner.problem
  return key === "" ? StoreError.unknown(StoreError.keyNotProvided) : { key, createRevision, lease }
}

const nameIn = (options: Contention.Contention, object: JsonObject): Key | Failure => {
  const fields = new RequestFields(object)
  const name = fields.key("name", "name")
  return fields.problem ?? Contention.sizeProblem(options, { key: name }) ?? name
}

const encodeField = (name: string, key: Key): string => (key === "" ? "" : `"${name}":"${encodeKey(key)}",`)

const missingLeader = StoreError.unknown(GatewayError.invalid('"leader" field must be provided'))
const noLeader = StoreError.unknown(GatewayError.invalid("election: no leader"))
const notLeader = StoreError.unknown(GatewayError.invalid("election: not leader"))

const ofError = (error: Failure): Response => GatewayResponse.ofError(StoreError.unknown(error))

const refuse = (error: Failure): Effect.Effect<Response> => Effect.succeed(GatewayResponse.ofError(error))
