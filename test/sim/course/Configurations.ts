/** Configurations for tests: small ones, and the course's own. */
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Result } from "effect"
import { type Configuration, parse } from "../../../src/sim/course/Configuration.ts"

const folder = fileURLToPath(new URL("../../course", import.meta.url))

const parsed = (name: string, text: string): Configuration => Result.getOrThrow(parse(name, text))

const filesIn = (one: string): ReadonlyArray<Configuration> =>
  readdirSync(join(folder, one))
    .sort()
    .map((file) => parsed(basename(file, ".json"), readFileSync(join(folder, one, file), "utf8")))

export const stock = (): ReadonlyArray<Configuration> => filesIn("configs")
export const variations = (): ReadonlyArray<Configuration> => filesIn("variations")

export const benchmarks = {
  total_msgs: [1000, 3000, 5000],
  failures: [1, 2, 5],
  duplicates: [1, 2, 5],
  median_latency: [0.001, 0.005, 0.05]
}

/** Five replicas, a hundred requests in ten seconds, and what is given besides. */
export const small = (more: Readonly<Record<string, unknown>> = {}): Configuration =>
  parsed(
    "small",
    JSON.stringify({ lifetime: 10, replicas: 5, requests: 100, mix: 0.3, tests: { benchmarks }, ...more })
  )
