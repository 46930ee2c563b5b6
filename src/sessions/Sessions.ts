/**
 * Any machine, with sessions around it: a command that is named takes effect once, and whoever sends it
 * again hears what it gave the first time. All of it is replicated state and depends on nothing else: time is
 * the cluster's, as leaders stamp it, and who is forgotten follows from the log alone.
 *
 * The limits are part of what commands mean. To change them is a new version of the machine.
 */
import { type Context, type Machine, versionOf } from "../raft/Machine.ts"
import * as Digest from "./Digest.ts"
import * as Roster from "./Roster.ts"
import {
  isName,
  isSequence,
  type Named,
  type Objection,
  type Plain,
  type Registration,
  type SessionCommand,
  type SessionResult
} from "./Session.ts"

export interface Sessions<R> {
  /** By the age of their first use: saying it again does not make a key younger. */
  readonly keys: Roster.Roster<R>
  /** By their last command. */
  readonly clients: Roster.Roster<R>
}

export interface Sessioned<S, R> {
  readonly value: S
  readonly sessions: Sessions<R>
}

export interface SessionLimits {
  readonly keys: Roster.RosterLimits
  readonly clients: Roster.RosterLimits
  /** A longer result is not kept; that the command was applied is. */
  readonly maxResultBytes: number
}

const day = 24 * 60 * 60 * 1000

export const defaultLimits: SessionLimits = {
  keys: { lifetimeMillis: day, maxCount: 100_000, maxBytes: 64 * 1024 * 1024 },
  clients: { lifetimeMillis: day, maxCount: 10_000, maxBytes: 64 * 1024 * 1024 },
  maxResultBytes: 64 * 1024
}

export interface SessionOptions<C, R> {
  /** The version of the machine's commands from which on there are sessions; 1 where it says nothing. */
  readonly since?: number
  /** A whole number from 0 to 2^53 - 1 that tells a command from others, almost surely. */
  readonly identify: (command: C) => number
  /** About how many bytes a result takes. */
  readonly weigh: (result: R) => number
  /** Whether programs that know `version` of the commands, and no later one, know such a result; where it is not given, they do. */
  readonly isKnown?: (result: R, version: number) => boolean
  readonly limits?: Partial<SessionLimits>
}

export const none: Sessions<never> = { keys: Roster.empty, clients: Roster.empty }

export const over = <S, C extends Plain, R extends { readonly _tag: string }, Q, A>(
  machine: Machine<S, C, R, Q, A>,
  options: SessionOptions<C, R>
): Machine<Sessioned<S, R>, SessionCommand<C>, SessionResult<R>, Q, A> => {
  const { identify, weigh, isKnown = () => true, since = 1 } = options
  const limits = { ...defaultLimits, ...options.limits }
  type State = Sessioned<S, R>
  type Step = readonly [State, SessionResult<R>]

  const applyPlain = (state: State, command: C, context: Context): readonly [State, R] => {
    const [value, result] = machine.apply(state.value, command, context)
    return [value === state.value ? state : { value, sessions: state.sessions }, result]
  }

  /** What applying gave, as it is remembered. */
  const remembered = (name: string, sequence: number, digest: number, result: R, { time }: Context) => {
    const weight = weigh(result)
    const isKept = weight <= limits.maxResultBytes
    const bytes = overheadBytes + name.length + (isKept ? weight : 0)
    return { sequence, digest, result: isKept ? result : undefined, bytes, time }
  }

  const applyKey = (state: State, key: string, command: C, context: Context): Step => {
    if (!isName(key)) return notApplied(state, "InvalidName")
    const digest = identify(command)
    const known = Roster.find(state.sessions.keys, key, limits.keys, context.time)
    if (known !== undefined) return repeat(state, known, digest)
    const [{ value, sessions }, result] = applyPlain(state, command, context)
    const keys = Roster.remember(sessions.keys, key, remembered(key, 1, digest, result, context))
    return [{ value, sessions: { ...sessions, keys: Roster.trim(keys, limits.keys, context.time) } }, result]
  }

  const applySequenced = (
    state: State,
    { client, sequence }: { readonly client: string; readonly sequence: number },
    command: C,
    context: Context
  ): Step => {
    if (!isName(client) || !isSequence(sequence)) return notApplied(state, "InvalidName")
    const known = Roster.find(state.sessions.clients, client, limits.clients, context.time)
    if (known === undefined) return notApplied(state, "SessionExpired")
    if (sequence < known.sequence) return notApplied(state, "TooOld")
    const digest = identify(command)
    if (sequence === known.sequence) return repeat(state, known, digest)
    const [after, result] = applyPlain(state, command, context)
    return [withClient(after, client, remembered(client, sequence, digest, result, context), context), result]
  }

  const register = (state: State, client: string, context: Context): Step => {
    if (!isName(client)) return notApplied(state, "InvalidName")
    const known = Roster.find(state.sessions.clients, client, limits.clients, context.time)
    const { time } = context
    const one = known ?? { sequence: 0, digest: 0, result: undefined, bytes: overheadBytes + client.length, time }
    return [withClient(state, client, { ...one, time }, context), { _tag: "Registered", sequence: one.sequence }]
  }

  const withClient = (
    { value, sessions }: State,
    client: string,
    one: Roster.Remembered<R>,
    { time }: Context
  ): State => {
    const clients = Roster.trim(Roster.remember(sessions.clients, client, one), limits.clients, time)
    return { value, sessions: { ...sessions, clients } }
  }

  /** What snapshots of that version cannot hold goes: whoever starts from one must not know less than who did not. */
  const migrated = ({ keys, clients }: Sessions<R>, version: number): Sessions<R> => {
    if (version < since) return none
    const isKept = (result: R): boolean => isKnown(result, version)
    return { keys: Roster.keeping(keys, isKept), clients: Roster.keeping(clients, isKept) }
  }

  const apply = (state: State, command: SessionCommand<C>, context: Context): Step => {
    if (isPlain(command)) return applyPlain(state, command, context)
    if (isRegistration(command)) return register(state, command.session.client, context)
    const { session } = command
    return session._tag === "Key"
      ? applyKey(state, session.key, command.command, context)
      : applySequenced(state, session, command.command, context)
  }

  return {
    initial: { value: machine.initial, sessions: none },
    version: Math.max(versionOf(machine), since),
    apply,
    migrate: ({ value, sessions }, version) => ({
      value: machine.migrate?.(value, version) ?? value,
      sessions: migrated(sessions, version)
    }),
    query: ({ value }, query) => machine.query(value, query),
    sizeOf: (command) => {
      if (isPlain(command)) return machine.sizeOf(command)
      if (isRegistration(command)) return overheadBytes
      return overheadBytes + machine.sizeOf(command.command)
    },
    digest: (command, result) => {
      if (isPlain(command)) return machine.digest(command, result as R)
      const named = Digest.ofName(command.session)
      if (isResultOf<R>(result)) return Digest.join(named, machine.digest((command as Named<C>).command, result))
      return Digest.join(
        named,
        Digest.ofResult(result as SessionResult<never>, isRegistration(command) ? 0 : identify(command.command))
      )
    }
  }
}

/** What remembering one takes besides its name and result, about. */
const overheadBytes = 128

const repeat = <S, R>(state: S, known: Roster.Remembered<R>, digest: number): readonly [S, SessionResult<R>] =>
  known.digest === digest ? [state, { _tag: "Repeated", result: known.result }] : notApplied<S>(state, "KeyReused")

const notApplied = <S>(
  state: S,
  reason: Objection
): readonly [S, Extract<SessionResult<never>, { _tag: "NotApplied" }>] => [state, { _tag: "NotApplied", reason }]

const isPlain = <C extends Plain>(command: SessionCommand<C>): command is C => !("session" in command)

const isRegistration = <C>(command: Named<C> | Registration): command is Registration =>
  command.session._tag === "Register"

/** Whether it is the command's own, and nothing that sessions have to say. */
const isResultOf = <R extends { readonly _tag: string }>(result: SessionResult<R>): result is R =>
  result._tag !== "Repeated" && result._tag !== "Registered" && result._tag !== "NotApplied"
