/**
 * Large values, so that segments of the log fill up, and snapshots are taken: a writer that never tires
 * puts numbers, each longer than a page of the disk many times over, under a few keys of its own.
 * A key with a write that nobody knows the outcome of is left alone from then on: that write may
 * still happen, and would look like the loss of a later one.
 */
import type { Random } from "../../src/sim/Random.ts"
import { sleep } from "../process/Clients.ts"
import { base64, type RealCluster } from "../process/RealCluster.ts"

const slots = 3
const timeoutMillis = 8000
const pauseMillis = 10

interface Key {
  readonly name: string
  acknowledged: number
  asked: number
}

export class Bulk {
  private readonly cluster: RealCluster
  private readonly random: Random
  private readonly bytes: number
  private readonly keys: Array<Key> = []
  private readonly current: Array<Key> = []
  private acknowledgedBytes_ = 0
  private stopped = false

  constructor({ cluster, random, bytes }: { cluster: RealCluster; random: Random; bytes: number }) {
    this.cluster = cluster
    this.random = random
    this.bytes = bytes
    for (let slot = 0; slot < slots; slot++) this.renew(slot)
  }

  get acknowledgedBytes(): number {
    return this.acknowledgedBytes_
  }

  async run(): Promise<void> {
    for (let slot = 0; !this.stopped; slot = (slot + 1) % slots) {
      await this.put(slot)
      await sleep(pauseMillis)
    }
  }

  stop(): void {
    this.stopped = true
  }

  /** What is not there that should be, in lines; asks every replica for what it holds itself. */
  async check(): Promise<ReadonlyArray<string>> {
    const written = this.keys.filter(({ asked }) => asked > 0)
    const found = await Promise.all(
      this.cluster.ids.flatMap((id) =>
        written.map(async (key) => {
          const value = await this.read(id, key.name)
          const { name, acknowledged, asked } = key
          const right = [acknowledged, asked].some(
            (number) => value === (number === 0 ? undefined : this.value(number))
          )
          const digits = value === undefined ? "nothing" : `${value.length} bytes that begin with ${value.slice(0, 20)}`
          return right ? [] : [`${name} of ${id}: acknowledged ${acknowledged}, asked for ${asked}, found ${digits}`]
        })
      )
    )
    return found.flat()
  }

  private renew(slot: number): void {
    const key = { name: `bulk.${slot}.${this.keys.length}`, acknowledged: 0, asked: 0 }
    this.keys.push(key)
    this.current[slot] = key
  }

  private value(number: number): string {
    return `${number}:${String(number).repeat(this.bytes).slice(0, this.bytes)}`
  }

  private async put(slot: number): Promise<void> {
    const key = this.current[slot]!
    const number = key.asked + 1
    const id = this.random.pick(this.cluster.ids)
    const request = { key: base64(key.name), value: base64(this.value(number)) }
    try {
      const { status, body } = await this.cluster.post(id, "/v3/kv/put", request, timeoutMillis)
      if (status === 200) {
        key.asked = key.acknowledged = number
        this.acknowledgedBytes_ += this.bytes
        return
      }
      if ((body as { outcome_unknown?: boolean }).outcome_unknown !== true) return
    } catch (error) {
      // Nobody listened, so nobody has heard of it.
      if ((error as { cause?: { code?: string } }).cause?.code === "ECONNREFUSED") return
    }
    key.asked = number
    this.renew(slot)
  }

  private async read(id: string, name: string): Promise<string | undefined> {
    const { body } = await this.cluster.post(id, "/v3/kv/range", { key: base64(name), serializable: true })
    const { kvs } = body as { kvs?: ReadonlyArray<{ value: string }> }
    return kvs?.[0] === undefined ? undefined : Buffer.from(kvs[0].value, "base64").toString()
  }
}
