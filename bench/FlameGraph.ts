/**
 * V8's CPU profile as a picture: the call stacks of one thread, as wide as the time they took, the root below.
 * Left to right is no order in time. What the profiler itself took is left out, and so is idle
 * time; the title says how much there was.
 */
import { escape } from "./Chart.ts"

/** What V8 writes, as far as it is used here. */
export interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: ReadonlyArray<number>
  }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

/** All calls of one function from the same stack. */
export interface Call {
  readonly name: string
  readonly room: string
  self: number
  total: number
  readonly calls: Map<string, Call>
}

export interface Profile {
  readonly root: Call
  readonly idleMicros: number
}

export const read = ({ nodes, samples, timeDeltas }: CpuProfile): Profile => {
  const self = new Map<number, number>()
  for (const [at, id] of samples.entries()) self.set(id, (self.get(id) ?? 0) + (timeDeltas[at] ?? 0))
  const byId = new Map(nodes.map((node) => [node.id, node]))
  let idleMicros = 0
  const add = (id: number, into: Call): void => {
    const { callFrame, children = [] } = byId.get(id)!
    const micros = self.get(id) ?? 0
    if (callFrame.url === "node:inspector") return
    if (callFrame.functionName === "(idle)") {
      idleMicros += micros
      return
    }
    const name = nameOf(callFrame)
    const call = into.calls.get(name) ?? { name, room: roomOf(callFrame), self: 0, total: 0, calls: new Map() }
    into.calls.set(name, call)
    call.self += micros
    const before = sum(call)
    for (const child of children) add(child, call)
    call.total += micros + sum(call) - before
  }
  const root: Call = { name: "all", room: "node", self: 0, total: 0, calls: new Map() }
  for (const child of nodes[0]?.children ?? []) add(child, root)
  root.total = sum(root)
  return { root, idleMicros }
}

const sum = ({ calls }: Call): number => [...calls.values()].reduce((all, { total }) => all + total, 0)

type CallFrame = CpuProfile["nodes"][number]["callFrame"]

const nameOf = ({ functionName, url, lineNumber }: CallFrame): string => {
  const name = functionName === "" ? "(anonymous)" : functionName
  const place = url.replace(/^.*\/(?:src|node_modules)\//, "").replace(/^file:\/\/.*\//, "")
  return place === "" ? name : `${name} ${place}${functionName === "" ? `:${lineNumber + 1}` : ""}`
}

/** A folder of src, or what else took the time. */
const roomOf = ({ functionName, url }: CallFrame): string => {
  if (functionName === "(garbage collector)") return "collector"
  if (url.includes("/node_modules/")) return /\/node_modules\/(?:@effect\/)?([^/]+)/.exec(url)?.[1] ?? "node"
  const room = /\/src\/([^/]+)\//.exec(url)?.[1]
  return room ?? "node"
}

const colours: Readonly<Record<string, string>> = {
  raft: "#e4572e",
  kv: "#f3a712",
  codec: "#a8c686",
  storage: "#669bbc",
  transport: "#7768ae",
  runtime: "#29335c",
  server: "#0b7a75",
  sessions: "#8d5b4c",
  effect: "#d16ba5",
  collector: "#555555",
  node: "#c4c4c4"
}
const dark = ["runtime", "collector", "server", "transport", "raft", "sessions"]

const width = 1200
const rowHeight = 17
const headHeight = 62
const leastWidth = 0.3
const letterWidth = 6.6

export const svg = ({ root, idleMicros }: Profile, title: string): string => {
  const rows: Array<string> = []
  let deepest = 0
  const scale = (width - 20) / Math.max(1, root.total)
  const place = (call: Call, x: number, depth: number): void => {
    const long = call.total * scale
    if (long < leastWidth) return
    deepest = Math.max(deepest, depth)
    const share = `${((100 * call.total) / root.total).toFixed(1)} %, itself ${((100 * call.self) / root.total).toFixed(1)} %`
    const letters = Math.floor((long - 6) / letterWidth)
    const shown = letters < 3 ? "" : call.name.length <= letters ? call.name : `${call.name.slice(0, letters - 1)}…`
    const fill = dark.includes(call.room) ? "#fff" : "#222"
    // The rows are turned over when it is known how many there are.
    rows.push(
      `<g transform="translate(${x.toFixed(1)} ${depth * -rowHeight})"><title>${escape(`${call.name} (${call.room}): ${share}`)}</title>` +
        `<rect width="${Math.max(leastWidth, long - 0.5).toFixed(1)}" height="${rowHeight - 1}" fill="${colours[call.room] ?? colours["node"]}"/>` +
        `${shown === "" ? "" : `<text x="3" y="12" fill="${fill}">${escape(shown)}</text>`}</g>`
    )
    let next = x
    for (const child of [...call.calls.values()].sort((a, b) => b.total - a.total)) {
      place(child, next, depth + 1)
      next += child.total * scale
    }
  }
  place(root, 10, 0)
  const height = headHeight + (deepest + 1) * rowHeight + 10
  const legend = roomsOf(root)
    .filter(([, micros]) => micros >= 0.005 * root.total)
    .slice(0, 10)
    .map(
      ([room, micros], at) =>
        `<rect x="${10 + at * 116}" y="40" width="11" height="11" fill="${colours[room] ?? colours["node"]}"/>` +
        `<text x="${25 + at * 116}" y="50">${escape(room)} ${((100 * micros) / root.total).toFixed(0)} %</text>`
    )
  const busy = (100 * root.total) / Math.max(1, root.total + idleMicros)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="ui-monospace, monospace" font-size="11" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
<text x="10" y="24" font-family="system-ui, sans-serif" font-size="15" font-weight="bold">${escape(title)}, busy ${busy.toFixed(0)} % of the time</text>
${legend.join("")}
<g transform="translate(0 ${height - 10 - rowHeight})">
${rows.join("\n")}
</g>
</svg>
`
}

/** Time spent in functions of each room themselves, most first. */
export const roomsOf = (root: Call): ReadonlyArray<readonly [string, number]> => {
  const rooms = new Map<string, number>()
  for (const call of everyCall(root)) rooms.set(call.room, (rooms.get(call.room) ?? 0) + call.self)
  return [...rooms].sort(([, a], [, b]) => b - a)
}

function* everyCall(call: Call): Generator<Call> {
  yield call
  for (const child of call.calls.values()) yield* everyCall(child)
}

const shownFunctions = 25

/** As text: which rooms, and which functions by themselves. */
export const summary = ({ root, idleMicros }: Profile): string => {
  const functions = new Map<string, number>()
  for (const { name, self } of everyCall(root)) functions.set(name, (functions.get(name) ?? 0) + self)
  const top = [...functions].sort(([, a], [, b]) => b - a).slice(0, shownFunctions)
  const share = ([name, micros]: readonly [string, number]): string =>
    `${((100 * micros) / Math.max(1, root.total)).toFixed(1).padStart(5)} %  ${name}`
  return [
    `busy ${((100 * root.total) / Math.max(1, root.total + idleMicros)).toFixed(0)} % of the time, of which by itself:`,
    ...roomsOf(root)
      .filter(([, micros]) => micros > 0)
      .map(share),
    "",
    ...top.map(share)
  ].join("\n")
}
