/** Tests that ask a real etcd, one for all tests of a file. */
import { Effect } from "effect"
import { afterAll } from "vitest"
import * as Client from "../../src/client/Client.ts"
import { itNeeds, type Probe } from "../faults/Probe.ts"
import { etcd, EtcdCluster } from "./EtcdCluster.ts"

let started: Promise<EtcdCluster> | undefined

export const cluster = (): Promise<EtcdCluster> => {
  started ??= EtcdCluster.start(1)
  return started
}

afterAll(async () => {
  await (await started)?.[Symbol.asyncDispose]()
})

/** A test of its own keys, under its own name. */
export const itAsks = <E>(
  name: string,
  assertHolds: Effect.Effect<void, E, Client.Services>,
  alsoNeeds: ReadonlyArray<Probe> = []
): void =>
  itNeeds([etcd, ...alsoNeeds], name, async () => {
    const { endpoints } = await cluster()
    await Effect.runPromise(assertHolds.pipe(Effect.provide(Client.layer({ endpoints }))))
  })

export const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString()
export const tag = <E extends { readonly _tag: string }>(effect: Effect.Effect<unknown, E>): Effect.Effect<string> =>
  Effect.match(effect, { onSuccess: () => "Success", onFailure: ({ _tag }) => _tag })
