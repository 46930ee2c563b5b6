/**
 * A watch that is open on one server: its lines as they come, how far each of its watches has been told, and in the end
 * what must be the same on both. How events are gathered into messages is chance, so that is only checked for sense.
 */
import type { IncomingMessage } from "node:http"
import { type Json, normalLine, type Reader } from "./Normal.ts"
import { headOf, type Side } from "./Side.ts"

interface Message {
  readonly header?: { readonly revision?: string }
  readonly watch_id?: string
  readonly created?: boolean
  readonly canceled?: boolean
  readonly fragment?: boolean
  readonly events?: ReadonlyArray<{ readonly kv: { readonly mod_revision?: string } }>
}

/** What one side's stream came to. */
export interface Told {
  readonly head: Json
  /** Who was created or refused, in the order in which it was asked for. */
  readonly created: Json
  /** Other messages without events, by the id of the watch: watches do not wait for each other. */
  readonly controls: Json
  /** By the id of the watch. */
  readonly events: Json
  /** What no stream may do. */
  readonly flaws: ReadonlyArray<string>
}

export const patienceMillis = 10_000

export class WatchStream {
  private readonly messages: Array<Message> = []
  private readonly lines: Array<string> = []
  private readonly response: IncomingMessage
  private readonly flaws: Array<string> = []
  private readonly limits = new Map<string, number>()
  private waiting: Array<() => void> = []
  private ended = false
  private rest = ""

  private constructor(response: IncomingMessage, side: Side) {
    this.response = response
    response.setEncoding("utf8")
    response.on("data", (piece: string) => {
      const lines = (this.rest + piece).split("\n")
      this.rest = lines.pop() ?? ""
      for (const line of lines) {
        this.take(side.alter({ ...headOf(response), text: line }, { path: "/v3/watch" }).text)
      }
      this.wake()
    })
    const end = () => {
      this.ended = true
      this.wake()
    }
    response.on("close", end)
    response.on("error", end)
  }

  static async open(side: Side, body: string, replica: number): Promise<WatchStream> {
    return new WatchStream(await side.open({ path: "/v3/watch", body }, replica, { seconds: 600 }), side)
  }

  private take(line: string): void {
    this.lines.push(line)
    let message: Message = {}
    try {
      message = (JSON.parse(line) as { readonly result?: Message }).result ?? {}
    } catch {
      this.flaws.push(`not JSON: ${line}`)
    }
    this.messages.push(message)
  }

  private wake(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const resolve of waiting) resolve()
  }

  /** The ids that the watches were given, in the order in which they were asked for; none for one that was refused. */
  get created(): ReadonlyArray<string | undefined> {
    return this.messages
      .filter(({ created }) => created === true)
      .map((message) => (message.canceled === true ? undefined : idOf(message)))
  }

  async untilCreated(count: number): Promise<void> {
    await this.until(() => this.created.length >= count, `${count} watches created`)
  }

  /** What a watch is told beyond this is chance. */
  limit(id: string, revision: number): void {
    this.limits.set(id, revision)
  }

  /** Until that watch has been told of that revision, or is over. */
  async untilTold(id: string, revision: number): Promise<void> {
    const told = (message: Message) => message.events?.some(({ kv }) => Number(kv.mod_revision) >= revision) ?? false
    // A watch that was refused never was, though it is told of under a number that another may have.
    const over = ({ canceled, created }: Message) => canceled === true && created !== true
    await this.until(
      () => this.messages.some((message) => idOf(message) === id && (over(message) || told(message))),
      `watch ${id} told of its latest event`
    )
  }

  private async until(isSo: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + patienceMillis
    while (!isSo() && !this.ended) {
      const left = deadline - performance.now()
      if (left <= 0) {
        this.flaws.push(`not within ${patienceMillis} ms: ${what}`)
        return
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  close(): void {
    this.response.destroy()
  }

  told(reader: Reader): Told {
    const created: Array<Json> = []
    const controls = new Map<string, Array<Json>>()
    const events = new Map<string, Array<Json>>()
    const add = (to: Map<string, Array<Json>>, id: string, more: ReadonlyArray<Json>) => {
      to.set(id, [...(to.get(id) ?? []), ...more])
    }
    for (const [at, message] of this.messages.entries()) {
      const line = normalLine(this.lines[at]!, reader) as {
        readonly result?: { readonly events?: ReadonlyArray<Json> }
      }
      if (message.events === undefined) {
        if (message.created === true) created.push(line)
        else add(controls, idOf(message), [line])
        continue
      }
      const limit = this.limits.get(idOf(message)) ?? Number.POSITIVE_INFINITY
      const within = message.events.filter(({ kv }) => Number(kv.mod_revision) <= limit).length
      const one = line.result?.events?.slice(0, within) ?? []
      add(events, idOf(message), one)
    }
    return {
      head: { ...headOf(this.response), ended: this.ended },
      created,
      controls: byId(controls),
      events: byId(events),
      flaws: [...this.flaws, ...this.nonsense()]
    }
  }

  /** Messages that are behind what they tell, and revisions that are torn in two though nobody asked for fragments. */
  private nonsense(): ReadonlyArray<string> {
    const flaws: Array<string> = []
    const before = new Map<string, { readonly last: number; readonly fragment: boolean }>()
    for (const message of this.messages) {
      const revisions = (message.events ?? []).map(({ kv }) => Number(kv.mod_revision))
      const [first, last] = [revisions[0], revisions.at(-1)]
      if (first === undefined || last === undefined) continue
      const earlier = before.get(idOf(message))
      if (Number(message.header?.revision) < last) flaws.push("header.revision is behind the events of its message")
      if (earlier?.last === first && !earlier.fragment) flaws.push("events of one revision in two messages")
      before.set(idOf(message), { last, fragment: message.fragment === true })
    }
    return flaws
  }
}

const byId = (all: ReadonlyMap<string, Json>): Json =>
  Object.fromEntries([...all].sort(([a], [b]) => Number(a) - Number(b)))

const idOf = ({ watch_id }: Message): string => watch_id ?? "0"
