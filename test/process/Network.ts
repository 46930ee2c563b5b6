/**
 * The links between replicas, each direction a proxy of its own: what A sends to B goes
 * through the link A>B, as each replica sends over the connection that it dialled. Cutting
 * a link silences one direction; the acknowledgements of TCP and of the transport on that
 * connection, which say nothing about Raft, go with it.
 */
import { open, type Passage, Proxy } from "./Proxy.ts"
import type { Ports } from "./RealCluster.ts"

interface Link {
  readonly from: string
  readonly to: string
  readonly proxy: Proxy
}

export class Network {
  private readonly links: ReadonlyArray<Link>

  private constructor(links: ReadonlyArray<Link>) {
    this.links = links
  }

  static async between(ports: ReadonlyMap<string, Ports>): Promise<Network> {
    const ids = [...ports.keys()]
    const pairs = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => ({ from, to })))
    return new Network(
      await Promise.all(pairs.map(async (pair) => ({ ...pair, proxy: await Proxy.listen(ports.get(pair.to)!.peer) })))
    )
  }

  /** Where `from` must dial to reach `to`. */
  readonly port = (from: string, to: string): number =>
    this.linksWhere((link) => link.from === from && link.to === to)[0]!.port

  /** Nothing from it and nothing to it. */
  isolate(id: string, passage: Passage): void {
    this.set(passage, (link) => link.from === id || link.to === id)
  }

  /**
   * It hears what was said some time ago. The delay grows by steps that each take longer than itself,
   * so that no silence comes of it which a leader would take for the loss of its followers.
   */
  async hearLate(id: string, delayMillis: number): Promise<void> {
    for (let step = 1; step <= 3; step++) {
      const now = (delayMillis * step) / 3
      this.deafen(id, { _tag: "Open", delayMillis: now })
      await new Promise((resolve) => setTimeout(resolve, now + 150))
    }
  }

  /** It speaks and does not hear. */
  deafen(id: string, passage: Passage): void {
    this.set(passage, (link) => link.to === id)
  }

  /** It hears and cannot speak. */
  mute(id: string, passage: Passage): void {
    this.set(passage, (link) => link.from === id)
  }

  /** Only it reaches everybody; the others do not reach each other. */
  bridge(id: string, passage: Passage): void {
    this.set(passage, (link) => link.from !== id && link.to !== id)
  }

  slow(delayMillis: number): void {
    this.set({ _tag: "Open", delayMillis }, () => true)
  }

  tear(): void {
    for (const { proxy } of this.links) proxy.tear()
  }

  heal(): void {
    this.set(open, () => true)
  }

  async close(): Promise<void> {
    await Promise.all(this.links.map(({ proxy }) => proxy.close()))
  }

  private set(passage: Passage, which: (link: Link) => boolean): void {
    for (const proxy of this.linksWhere(which)) proxy.set(passage)
  }

  private linksWhere(which: (link: Link) => boolean): ReadonlyArray<Proxy> {
    return this.links.filter(which).map(({ proxy }) => proxy)
  }
}
