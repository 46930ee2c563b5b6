/**
 * Which folder of src may import which. The table is the architecture: an arrow that is not
 * here does not exist, and a new folder has to be entered before it can import anything.
 */
import { posix } from "node:path"
import type { Problem } from "./Problem.ts"
import { type Import, lineAt, type Source } from "./Source.ts"

/** `types`: only what is erased before it runs, and the values of the named files. */
type Door = { readonly kind: "all" } | { readonly kind: "types"; readonly valuesOf: ReadonlyArray<string> }

const all: Door = { kind: "all" }
const types: Door = { kind: "types", valuesOf: [] }
/** Term, Index, ReplicaId and Instant are types whose constructors only name what is given. */
const raftTypes: Door = { kind: "types", valuesOf: ["src/raft/LogEntry.ts"] }

/** A snapshot walks what the store holds, and builds it anew by the steps by which it came about. */
const valuesOfKv: Door = {
  kind: "types",
  valuesOf: [
    "Compaction",
    "History",
    "KeyValue",
    "KvCommand",
    "KvState",
    "Leases",
    "OrderedMap",
    "Ranging",
    "SharedBuffer",
    "Writing"
  ].map((name) => `src/kv/${name}.ts`)
}

/** Of the algorithm the store knows what a machine is, and the cluster's time. */
const machineAndTime: ReadonlyArray<string> = ["src/raft/Machine.ts", "src/raft/LogEntry.ts"]

/** Sessions go around a machine, and say which version theirs is. */
const typesOfMachine: Door = { kind: "types", valuesOf: ["src/raft/LogEntry.ts", "src/raft/Machine.ts"] }
/** A snapshot walks those who are remembered, and takes them in again. */
const rosters: Door = { kind: "types", valuesOf: ["src/sessions/Roster.ts", "src/sessions/Session.ts"] }

/** The course's network, which the simulator plays, and the replicas in it agree on what a message is, and on what a replica does. */
const courseMessages: Door = { kind: "types", valuesOf: ["src/course/CourseMessage.ts"] }

const arrows: Readonly<Record<string, Readonly<Record<string, Door>>>> = {
  raft: {},
  kv: { raft: raftTypes },
  sessions: { raft: typesOfMachine, kv: all },
  codec: { raft: all, kv: valuesOfKv, sessions: rosters },
  storage: { raft: raftTypes, codec: all },
  transport: { raft: raftTypes, codec: all },
  runtime: { raft: all, codec: all, storage: all, transport: all },
  sim: { raft: all, kv: all, sessions: all, course: courseMessages },
  embed: { runtime: all, storage: all, transport: all, codec: all, raft: all, sim: all },
  maintenance: { raft: all, kv: valuesOfKv, codec: all, storage: all },
  server: { runtime: all, kv: all, sessions: all, codec: all, raft: raftTypes },
  client: { kv: types },
  course: { raft: all, kv: valuesOfKv, codec: all, runtime: all, storage: all, transport: all },
  cli: { server: all, client: all, maintenance: all, sim: all, raft: raftTypes, runtime: types },
  index: { embed: all, raft: types, runtime: all, storage: all, transport: all },
  simulator: { embed: all, sim: all },
  main: { cli: all, server: all, client: all, sim: all, raft: raftTypes, runtime: types }
}

/** What an address is, and no more of the network. */
const addresses: Door = { kind: "types", valuesOf: ["src/transport/Address.ts"] }

/** Wiring happens in one file, which alone sees the disk and the network from above; what it is started from stands beside it. */
const wiring: Readonly<Record<string, Readonly<Record<string, Door>>>> = {
  "src/server/Server.ts": { storage: all, transport: all, raft: all },
  "src/server/ClientUrls.ts": { transport: addresses },
  "src/server/Founding.ts": { storage: all, transport: addresses },
  "src/server/Joining.ts": { transport: addresses },
  "src/server/MemberRequest.ts": { transport: addresses }
}

/** Nothing from outside: no `node:`, no `effect`, no package. */
const pure = ["raft", "kv", "sessions"]

/** What a reader may wonder about, said where the rule is broken. */
const because: Readonly<Record<string, string>> = {
  "client -> server": "the client works against etcd too, so it has its own reading of the gateway's JSON",
  "server -> storage": "wiring happens in server/Server.ts",
  "server -> transport": "wiring happens in server/Server.ts"
}

/** The folder of src in which a file stands; a file right in src is a room of its own. */
const roomOf = (path: string): string => (path.split("/")[1] ?? "").replace(/\.ts$/, "")

export const checkArrows = (source: Source, dependencies: ReadonlyArray<string>): ReadonlyArray<Problem> => {
  const from = roomOf(source.path)
  if (arrows[from] === undefined) {
    return [
      {
        path: source.path,
        line: 1,
        rule: "arrow",
        message: `src/${from} is no known room: enter it in the table of arrows`
      }
    ]
  }
  return source.imports.flatMap((one) => {
    const message = refusalOf(source.path, from, one, dependencies)
    return message === undefined
      ? []
      : [{ path: source.path, line: lineAt(source.text, one.start), rule: "arrow", message }]
  })
}

const refusalOf = (
  path: string,
  from: string,
  { specifier, typeOnly }: Import,
  dependencies: ReadonlyArray<string>
): string | undefined => {
  if (specifier === undefined) return "an import must name its module literally"
  if (!specifier.startsWith(".")) return outsideRefusal(from, specifier, dependencies)
  const target = posix.join(posix.dirname(path), specifier)
  if (!target.startsWith("src/")) return `src imports only from src, not ${target}`
  const to = roomOf(target)
  if (to === from) return undefined
  const door = wiring[path]?.[to] ?? arrows[from]?.[to]
  const why = because[`${from} -> ${to}`]
  if (door === undefined) return `${from} must not import ${to}${why === undefined ? "" : `: ${why}`}`
  if (from === "kv" && !machineAndTime.includes(target))
    return "kv knows only the types in raft/Machine.ts and raft/LogEntry.ts"
  if (door.kind === "all" || typeOnly || door.valuesOf.includes(target)) return undefined
  return `${from} takes only types from ${to}: write \`import type\``
}

const outsideRefusal = (from: string, specifier: string, dependencies: ReadonlyArray<string>): string | undefined => {
  if (pure.includes(from)) return `src/${from} is pure and imports nothing from outside, not "${specifier}"`
  if (specifier.startsWith("node:")) return undefined
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")
  return dependencies.includes(name) ? undefined : `"${name}" is not among package.json's dependencies`
}
