/** Tests that ask real stores, etcd and Balsa, one of each for all tests of a file. */
import { Effect } from "effect"
import { afterAll } from "vitest"
import * as Client from "../../src/client/Client.ts"
import { itNeeds, type Probe } from "../faults/Probe.ts"
import { BalsaCluster } from "./BalsaCluster.ts"
import { etcd, EtcdCluster } from "./EtcdCluster.ts"
import type { RealStore } from "./RealStore.ts"

export interface Store {
  readonly name: string
  readonly needs: ReadonlyArray<Probe>
  readonly start: (members: number) => Promise<RealStore>
}

export const etcdStore: Store = { name: "etcd", needs: [etcd], start: (members) => EtcdCluster.start(members) }

const balsaStore: Store = { name: "Balsa", needs: [], start: (members) => BalsaCluster.start(members) }

export const stores: ReadonlyArray<Store> = [etcdStore, balsaStore]

const started = new Map<string, Promise<RealStore>>()

/** One member, started by the first test that asks it. */
export const storeOf = ({ name, start }: Store): Promise<RealStore> => {
  const running = started.get(name) ?? start(1)
  started.set(name, running)
  return running
}

afterAll(async () => {
  for (const running of started.values()) await (await running)[Symbol.asyncDispose]()
})

/** One for each store; a test has keys of its own, under its own name. */
export const itAsks = <E>(
  name: string,
  assertHolds: Effect.Effect<void, E, Client.Services>,
  asked: ReadonlyArray<Store> = stores
): void => {
  for (const store of asked) {
    itNeeds(store.needs, `${name} (${store.name})`, async () => {
      const { endpoints } = await storeOf(store)
      await Effect.runPromise(assertHolds.pipe(Effect.provide(Client.layer({ endpoints }))))
    })
  }
}

export const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString()

export const tag = <E extends { readonly _tag: string }>(effect: Effect.Effect<unknown, E>): Effect.Effect<string> =>
  Effect.match(effect, { onSuccess: () => "Success", onFailure: ({ _tag }) => _tag })
