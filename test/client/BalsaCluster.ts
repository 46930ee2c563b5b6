/** Real replicas of Balsa, as a store that a client's tests ask and do harm to. */
import { assert } from "vitest"
import { eventually, RealCluster } from "../process/RealCluster.ts"
import type { RealStore } from "./RealStore.ts"

const names = ["A", "B", "C"]

export class BalsaCluster implements RealStore {
  readonly #cluster: RealCluster

  private constructor(cluster: RealCluster) {
    this.#cluster = cluster
  }

  static async start(count: number): Promise<BalsaCluster> {
    const balsa = new BalsaCluster(await RealCluster.make(names.slice(0, count)))
    try {
      for (let at = 0; at < count; at++) balsa.run(at)
      for (let at = 0; at < count; at++) await balsa.healthy(at)
      return balsa
    } catch (error) {
      await balsa[Symbol.asyncDispose]()
      throw error
    }
  }

  get ports(): ReadonlyArray<number> {
    return [...this.#cluster.ports.values()].map(({ client }) => client)
  }

  get endpoints(): ReadonlyArray<string> {
    return this.ports.map((port) => `127.0.0.1:${port}`)
  }

  run(at: number): void {
    const id = names[at]!
    if (this.#cluster.ids.length > 1) this.#cluster.start(id)
    else this.#cluster.start(id, this.#cluster.place(id))
  }

  kill(at: number): Promise<void> {
    return this.#cluster.kill(names[at]!)
  }

  async leader(): Promise<number> {
    return names.indexOf(await this.#cluster.leader())
  }

  async healthy(at: number): Promise<void> {
    const id = names[at]!
    await eventually(`replica ${id}`, async () => {
      assert.isNull(this.#cluster.process(id).child.exitCode, this.#cluster.process(id).log())
      const answer = await this.#cluster.post(id, "/v3/kv/range", { key: "AA==" }, 2000).catch(() => undefined)
      return answer?.status === 200 || undefined
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.stopAll()
  }
}
